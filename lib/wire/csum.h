/*
 * csum.h - the Internet checksum (RFC 1071), in pieces, with pseudo-header, and its update (RFC 1624).
 *
 * Takes:   bytes, in any number of pieces of any length and alignment.
 * Gives:   the 16 bits to store big-endian (ss_put_be16); 0 over bytes that hold their checksum.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CSUM_H
#define SS_CSUM_H

#include "base/addr.h"
#include "base/span.h"

/* A running sum. Start with { 0 }. */
struct ss_csum {
	uint64_t sum; /* of 16-bit words in the machine's own order (RFC 1071 2(B)) */
	bool odd;     /* an odd number of bytes so far: the next piece lies across word borders */
};

void ss_csum_add(struct ss_csum *c, const void *p, size_t n);
/* The pseudo-header (RFC 9293 3.1; RFC 8200 8.1). len: bytes of header and payload above IP. */
void ss_csum_pseudo(struct ss_csum *c, const struct ss_ip *src, const struct ss_ip *dst, uint8_t proto,
		    uint32_t len);
/* The checksum of everything added, as a host number. */
uint16_t ss_csum_end(const struct ss_csum *c);
/* The checksum of n bytes at p. */
uint16_t ss_csum(const void *p, size_t n);
/* The checksum `old` after a 16-bit word changed from `was` to `is` (all host numbers; RFC 1624 eqn. 3). */
uint16_t ss_csum_update(uint16_t old, uint16_t was, uint16_t is);

#endif
