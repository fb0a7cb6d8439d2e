/*
 * arp.h - ARP for Ethernet and IPv4 (RFC 826).
 *
 * Takes:   bytes after the Ethernet header; values to emit.
 * Gives:   parsed values, or a refusal; the 28 bytes of a packet.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_ARP_H
#define SS_ARP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "wire/eth.h"

#define SS_ARP_LEN 28
#define SS_ARP_REQUEST 1
#define SS_ARP_REPLY 2

struct ss_arp {
	uint16_t op;
	uint8_t sender_mac[6], target_mac[6];
	struct ss_ip sender, target;
};

/* 28, or SS_ERR_BAD_PACKET: too short, or not for Ethernet and IPv4, or a sender no host can be. */
static inline int ss_arp_parse(struct ss_arp *a, const uint8_t *p, uint32_t n)
{
	if (n < SS_ARP_LEN || ss_get_be16(p) != 1 || ss_get_be16(p + 2) != SS_ETH_IP4 || p[4] != 6 || p[5] != 4)
		return SS_ERR_BAD_PACKET;
	a->op = ss_get_be16(p + 6);
	memcpy(a->sender_mac, p + 8, 6);
	a->sender = ss_ip4(ss_get_be32(p + 14));
	memcpy(a->target_mac, p + 18, 6);
	a->target = ss_ip4(ss_get_be32(p + 24));
	return ss_eth_is_group(a->sender_mac) ? SS_ERR_BAD_PACKET : SS_ARP_LEN;
}

/* Writes SS_ARP_LEN bytes to p. */
static inline uint32_t ss_arp_emit(const struct ss_arp *a, uint8_t *p)
{
	ss_put_be16(p, 1);
	ss_put_be16(p + 2, SS_ETH_IP4);
	p[4] = 6;
	p[5] = 4;
	ss_put_be16(p + 6, a->op);
	memcpy(p + 8, a->sender_mac, 6);
	memcpy(p + 14, a->sender.b, 4);
	memcpy(p + 18, a->target_mac, 6);
	memcpy(p + 24, a->target.b, 4);
	return SS_ARP_LEN;
}

#endif
