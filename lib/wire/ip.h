/*
 * ip.h - the IPv4 header (RFC 791) as values; the types fit IPv6.
 *
 * Takes:   bytes after the link header; values to emit.
 * Gives:   parsed values, or a refusal; the bytes of a header.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_IP_H
#define SS_IP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

#define SS_IP4_LEN 20
#define SS_IP_PROTO_ICMP 1
#define SS_IP_PROTO_TCP 6
#define SS_IP_PROTO_UDP 17
#define SS_IP_ECN_CE 3

struct ss_iphdr {
	struct ss_ip src, dst;
	uint8_t proto, ttl;
	uint8_t ecn, dscp; /* RFC 3168 5, RFC 2474 3 */
	bool fragment;     /* part of a fragmented datagram: an offset, or more to come */
	bool dont_fragment;
	uint16_t id;
	uint32_t payload;  /* bytes after the header, as the header says */
};

/*
 * Bytes of the header, options included; SS_ERR_BAD_PACKET, or SS_ERR_BAD_CSUM. n may be more than the
 * datagram (Ethernet padding) and less (the rest is in another piece): the caller compares lengths.
 */
int ss_iphdr_parse(struct ss_iphdr *h, const uint8_t *p, uint32_t n);
/* Writes a header without options, checksum included, to p; returns SS_IP4_LEN. */
uint32_t ss_iphdr_emit(const struct ss_iphdr *h, uint8_t *p);
/* May a datagram carry this as its source (RFC 1122 3.2.1.3)? */
bool ss_ip_is_host(const struct ss_ip *ip);

#endif
