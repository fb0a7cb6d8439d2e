/*
 * tickets.h - the keys that session tickets are sealed with (RFC 8446 4.6.1, RFC 5077 4): one ring for all
 * workers, so that a ticket of one is good at any other, and over reloads.
 *
 * Takes:   keys from control: random ones in turn, or those of a file that several appliances share.
 * Gives:   the newest to seal with; the newest and the older ones to open with.
 * Owns:    the keys' bytes; ss_ticket_ring_free wipes them.
 * Thread:  control writes, one at a time; workers read at any time, without a lock (a sequence lock over
 *          words of atomics: a reader that meets a change begins again).
 * Units:   a key is what its file has: 16 bytes of name, 32 for AES-256, 32 for HMAC-SHA-256.
 */
#ifndef SS_TICKETS_H
#define SS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#define SS_TICKET_KEYS 4

struct ss_ticket_key {
	uint8_t name[16], aes[32], mac[32];
};

struct ss_ticket_ring;

int ss_ticket_ring_create(struct ss_ticket_ring **out);
void ss_ticket_ring_free(struct ss_ticket_ring *r);

/* -- control -- */

/* In place of all that are there; newest first, SS_TICKET_KEYS at most. */
void ss_ticket_ring_set(struct ss_ticket_ring *r, const struct ss_ticket_key *keys, uint32_t n);
/* A new newest one. Only the one before it stays: what it sealed is opened for one more turn. */
void ss_ticket_ring_turn(struct ss_ticket_ring *r, const struct ss_ticket_key *fresh);

/* -- workers -- */

/* False: there is none. */
bool ss_ticket_newest(const struct ss_ticket_ring *r, struct ss_ticket_key *out);
/* The key of that name (16 bytes); false: nobody's, or forgotten. The caller wipes *out. */
bool ss_ticket_find(const struct ss_ticket_ring *r, const uint8_t *name, struct ss_ticket_key *out);

#endif
