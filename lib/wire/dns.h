/*
 * dns.h - the answer section of a DNS message (RFC 1035, RFC 3596, RFC 2782).
 *
 * Takes:   a message's bytes, the type that was asked for.
 * Gives:   its records of that type, and for how long they may be used.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_STREAM: cut short, or a name that no host can have.
 *
 * Aliases (CNAME) are passed over: whoever resolves recursively puts what they lead to into the same section. Their time
 * counts, too.
 */
#ifndef SS_DNS_H
#define SS_DNS_H

#include "base/addr.h"
#include "base/base.h"

enum ss_dns_type { SS_DNS_A = 1, SS_DNS_CNAME = 5, SS_DNS_AAAA = 28, SS_DNS_SRV = 33 };

#define SS_DNS_NAME_MAX 255u

struct ss_dns_record {
	struct ss_ip ip;                 /* A, AAAA */
	uint16_t priority, weight, port; /* SRV, as the next */
	char target[SS_DNS_NAME_MAX + 1]; /* without its last dot; "": there is none (RFC 2782: not provided here) */
};

/* The first `max` records of a type. Returns how many there are in all; *ttl: seconds, the least of the section. */
int ss_dns_answer(const uint8_t *p, uint32_t n, enum ss_dns_type type, struct ss_dns_record *out, uint32_t max,
		  uint32_t *ttl);

#endif
