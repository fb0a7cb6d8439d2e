/*
 * foreign.h - header blocks as other implementations of HPACK send them: Huffman coded wherever that is
 * shorter.
 *
 * Takes:   a head that is sent again and again.
 * Gives:   the first block, which puts every field into the table, and the block of all later messages:
 *          indices, and the values that are new each time as literals.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_MICRO_FOREIGN_H
#define SS_MICRO_FOREIGN_H

#include "perf/micro/heads.h"

/* Writes the block to p, which has room enough; returns its length. */
uint32_t foreign_block(const struct head *head, bool first, uint8_t *p);

#endif
