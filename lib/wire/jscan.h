/*
 * jscan.h - JSON text (RFC 8259) that a stranger sent, as an array of nodes.
 *
 * Takes:   bytes that the caller lets us change: strings are unescaped where they stand.
 * Gives:   nodes in the order of the text; each says where its subtree ends, so that a walk needs no pointers.
 * Owns:    nothing: nodes and text are the caller's; spans point into the text.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_STREAM for what is not JSON, for a name that is there twice in one object (RFC 7519 4), for bytes that
 *          are not UTF-8; SS_ERR_LIMIT for more nodes than there is room for or deeper than SS_JSCAN_DEPTH.
 */
#ifndef SS_JSCAN_H
#define SS_JSCAN_H

#include "base/span.h"

#define SS_JSCAN_DEPTH 16

enum ss_jscan_type {
	SS_JSCAN_OBJECT, SS_JSCAN_ARRAY, SS_JSCAN_STRING, SS_JSCAN_NUMBER, SS_JSCAN_TRUE, SS_JSCAN_FALSE, SS_JSCAN_NULL,
};

/* An object's children are name, value, name, value; names are strings. */
struct ss_jscan_node {
	struct ss_span text; /* STRING: unescaped; NUMBER, words: as written; else empty */
	uint8_t type;
	uint16_t next; /* index past this node's subtree */
};

/* The whole text must be one value. Returns the number of nodes (the first is the value), or an error. */
int ss_jscan(uint8_t *text, uint32_t n, struct ss_jscan_node *nodes, uint16_t cap);
/* The value of a member of object nodes[at]; its index, or 0 when there is none or it is no object. */
uint16_t ss_jscan_member(const struct ss_jscan_node *nodes, uint16_t at, struct ss_span name);
/* Seconds of a NumericDate (RFC 7519 2): whole and non-negative after cutting a fraction. False for anything else. */
bool ss_jscan_seconds(const struct ss_jscan_node *node, uint64_t *out);

/* The claims of a verified token, for whoever decides by them. */
struct ss_claims {
	struct ss_span principal; /* "iss/sub"; empty without either */
	const struct ss_jscan_node *nodes; /* the payload; NULL: no token */
};

/* The claim at a path of names, each followed by a NUL byte; its index, or 0. */
uint16_t ss_claims_find(const struct ss_claims *c, struct ss_span path);

#endif
