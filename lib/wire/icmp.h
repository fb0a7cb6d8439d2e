/*
 * icmp.h - ICMP for IPv4 (RFC 792): the header as values, and what an error message quotes.
 *
 * Takes:   bytes after the IP header; values to emit.
 * Gives:   parsed values, or a refusal.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_ICMP_H
#define SS_ICMP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

#define SS_ICMP_LEN 8
#define SS_ICMP_ECHO_REPLY 0
#define SS_ICMP_UNREACHABLE 3
#define SS_ICMP_ECHO 8
#define SS_ICMP_TIME_EXCEEDED 11
#define SS_ICMP_FRAG_NEEDED 4 /* code of UNREACHABLE */

struct ss_icmp {
	uint8_t type, code;
	uint16_t csum; /* as on the wire; not verified by parse */
	uint16_t mtu;  /* UNREACHABLE, FRAG_NEEDED: RFC 1191 4; 0 from an old router */
	/* Errors: the tuple of the quoted TCP segment, seen from us who sent it. */
	bool has_tuple;
	struct ss_tuple tuple;
	uint32_t seq; /* of the quoted segment */
};

/* SS_ICMP_LEN, or SS_ERR_BAD_PACKET: shorter than its header, or an error that quotes no IP header. */
int ss_icmp_parse(struct ss_icmp *h, const uint8_t *p, uint32_t n);

#endif
