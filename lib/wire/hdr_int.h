/*
 * hdr_int.h - the known field names: the product's tokens, HPACK's static names, pseudo-header fields.
 *
 * Takes:   names.
 * Gives:   their number in both lists, by one multiply-free perfect hash.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_HDR_INT_H
#define SS_HDR_INT_H

#include "wire/hdr.h"

/* Tokens of pseudo-header fields: they never reach a header block's array. */
enum ss_hdr_pseudo {
	SS_HP_AUTHORITY = SS_H_COUNT, SS_HP_METHOD, SS_HP_PATH, SS_HP_SCHEME, SS_HP_STATUS, SS_HP_PROTOCOL,
	SS_HP_END
};

#define SS_HDR_KNOWN 256

struct ss_hdr_known {
	struct ss_span name;
	uint8_t tok;   /* enum ss_hdr_token or ss_hdr_pseudo */
	uint8_t hpack; /* first index in HPACK's static table, 0 when not there */
};

extern const struct ss_hdr_known ss_hdr_known[SS_HDR_KNOWN];
extern const uint8_t ss_hdr_mix[5];
extern const uint8_t ss_hdr_slot[SS_H_COUNT];

/* The entry of a lower-case name, or NULL. */
static inline const struct ss_hdr_known *ss_hdr_lookup(struct ss_span s)
{
	const uint8_t *k = ss_hdr_mix;

	if (s.n == 0)
		return NULL;
	uint32_t i = s.n * k[0] + s.p[0] * k[1] + s.p[s.n - 1] * k[2] + s.p[s.n / 2] * k[3] +
		     s.p[s.n * 3ull / 4] * k[4];
	const struct ss_hdr_known *e = &ss_hdr_known[i % SS_HDR_KNOWN];
	return ss_span_eq(e->name, s) ? e : NULL;
}

#endif
