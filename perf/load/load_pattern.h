/*
 * load_pattern.h - the bytes of every body, so that a wrong one shows.
 *
 * Takes:   an offset into a body.
 * Gives:   the bytes that belong there, and whether given bytes are those.
 * Owns:    two periods of the pattern, so that a period from any place lies in one piece.
 * Thread:  immutable after init.
 *
 * The period is prime: a piece that is lost, doubled, or moved by a packet or a record does not fit.
 */
#ifndef SS_LOAD_PATTERN_H
#define SS_LOAD_PATTERN_H

#include "base/span.h"

#define SS_LOAD_PERIOD 8191u

struct ss_load_pattern {
	uint8_t b[2 * SS_LOAD_PERIOD];
};

void ss_load_pattern_init(struct ss_load_pattern *p);
/* What follows offset `at` of a body: at least one byte, at most n and at most a period. */
struct ss_span ss_load_pattern_at(const struct ss_load_pattern *p, uint64_t at, uint64_t n);
/* Are these the bytes from offset `at` on? */
bool ss_load_pattern_is(const struct ss_load_pattern *p, uint64_t at, struct ss_span s);

#endif
