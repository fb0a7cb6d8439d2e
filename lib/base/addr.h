/*
 * addr.h - IP addresses and ports as values.
 *
 * Takes:   nothing.
 * Gives:   one address type for both families; IPv4 is held in the first four bytes.
 * Owns:    nothing.
 * Thread:  any.
 * Units:   ports in host byte order; address bytes in network order.
 */
#ifndef SS_ADDR_H
#define SS_ADDR_H

#include <string.h>

#include "base/base.h"

struct ss_ip {
	uint8_t family; /* 0 none, 4, 6 */
	uint8_t b[16];  /* network order; bytes past the family's length are zero */
};

struct ss_addr {
	struct ss_ip ip;
	uint16_t port; /* host order */
};

/* One connection's four-tuple, seen from us. */
struct ss_tuple {
	struct ss_ip local, remote;
	uint16_t local_port, remote_port; /* host order */
};

static inline bool ss_ip_eq(const struct ss_ip *a, const struct ss_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool ss_addr_eq(const struct ss_addr *a, const struct ss_addr *b)
{
	return a->port == b->port && ss_ip_eq(&a->ip, &b->ip);
}

/* An IPv4 address from its 32-bit value in host order (10.0.0.1 = 0x0a000001). */
static inline struct ss_ip ss_ip4(uint32_t v)
{
	struct ss_ip ip = { .family = 4,
			    .b = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
				   (uint8_t)v } };
	return ip;
}

static inline uint32_t ss_ip4_u32(const struct ss_ip *ip)
{
	return ((uint32_t)ip->b[0] << 24) | ((uint32_t)ip->b[1] << 16) |
	       ((uint32_t)ip->b[2] << 8) | ip->b[3];
}

#define SS_IP_TEXT 46
#define SS_ADDR_TEXT 54

/* Parses "10.0.0.1" or "fd00::1" (no brackets, no port). 0, or SS_ERR_CONFIG. */
int ss_ip_parse(const char *text, struct ss_ip *out);
/* Writes the address and its NUL to buf (SS_IP_TEXT bytes); returns buf. */
char *ss_ip_text(const struct ss_ip *ip, char *buf);
/* Writes "10.0.0.1:80" or "[fd00::1]:80" to buf (SS_ADDR_TEXT bytes); returns buf. */
char *ss_addr_text(const struct ss_addr *a, char *buf);

#endif
