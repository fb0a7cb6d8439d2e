/*
 * siphash.h - SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables that strangers fill,
 * and for initial sequence numbers (RFC 6528).
 *
 * Takes:   a 128-bit key and bytes.
 * Gives:   64 bits.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_SIPHASH_H
#define SS_SIPHASH_H

#include "base/base.h"

struct ss_sipkey {
	uint64_t k[2];
};

uint64_t ss_siphash(const struct ss_sipkey *key, const void *data, size_t n);
/* A key from the kernel's random source; aborts when there is none. May block at boot. */
void ss_sipkey_random(struct ss_sipkey *key);

#endif
