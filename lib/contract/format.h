/*
 * format.h - a header's value with variables in it, as "%REQ(x-user)% of %PROTOCOL%".
 *
 * Takes:   the text as the operator wrote it; names are Envoy's.
 * Gives:   pieces: text, or what a request or its connection says. A "%%" is one "%".
 * Owns:    nothing: compiled pieces are in the snapshot's memory.
 * Thread:  immutable once published.
 * Errors:  a variable that is not known here is refused by its name.
 */
#ifndef SS_FORMAT_H
#define SS_FORMAT_H

#include "base/base.h"
#include "base/span.h"

/* X(NAME, "word"). REQ has a header's name behind it, and may have another name and a length. */
#define SS_FORMAT_LIST(X)                                                \
	X(REMOTE, "DOWNSTREAM_REMOTE_ADDRESS")                           \
	X(REMOTE_IP, "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT")           \
	X(REMOTE_PORT, "DOWNSTREAM_REMOTE_PORT")                         \
	X(LOCAL, "DOWNSTREAM_LOCAL_ADDRESS")                             \
	X(LOCAL_IP, "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT")             \
	X(LOCAL_PORT, "DOWNSTREAM_LOCAL_PORT")                           \
	X(PEER, "DOWNSTREAM_PEER_URI_SAN")                               \
	X(SNI, "REQUESTED_SERVER_NAME")                                  \
	X(PROTOCOL, "PROTOCOL")                                          \
	X(NODE, "HOSTNAME")                                              \
	X(REQ, "REQ")

enum ss_format_kind {
	SS_FORMAT_TEXT = 0,
#define SS_FORMAT_X(name, word) SS_FORMAT_##name,
	SS_FORMAT_LIST(SS_FORMAT_X)
#undef SS_FORMAT_X
};

struct ss_format_piece {
	uint8_t kind;        /* enum ss_format_kind; compiled: never NODE, whose text is known */
	uint16_t most;       /* REQ: bytes of it; 0: all */
	struct ss_span text; /* TEXT; REQ: the name, compiled: lower case */
	struct ss_span other; /* REQ: looked at where the first is not there */
};

struct ss_format {
	uint16_t n;
	const struct ss_format_piece *v;
};

/* The next piece of a text, whose spans point into it: 1; 0 at its end; -1: *out's text is no variable. */
int ss_format_next(const char **at, struct ss_format_piece *out);

#endif
