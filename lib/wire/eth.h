/*
 * eth.h - the Ethernet II header, with at most one 802.1Q tag.
 *
 * Takes:   bytes of a frame; values to emit.
 * Gives:   parsed values, or a refusal; the bytes of a header.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_ETH_H
#define SS_ETH_H

#include "base/err.h"
#include "base/span.h"

#define SS_ETH_LEN 14
#define SS_ETH_VLAN_LEN 18
#define SS_ETH_IP4 0x0800
#define SS_ETH_ARP 0x0806
#define SS_ETH_VLAN 0x8100
#define SS_ETH_IP6 0x86dd
#define SS_ETH_NO_VLAN 0xffff

struct ss_eth {
	uint8_t dst[6], src[6];
	uint16_t type; /* what follows the tag, if there is one */
	uint16_t vlan; /* 12-bit VLAN id, or SS_ETH_NO_VLAN */
};

/* Bytes of the header (14 or 18), or SS_ERR_BAD_PACKET. */
static inline int ss_eth_parse(struct ss_eth *h, const uint8_t *p, uint32_t n)
{
	if (n < SS_ETH_LEN)
		return SS_ERR_BAD_PACKET;
	memcpy(h->dst, p, 6);
	memcpy(h->src, p + 6, 6);
	h->type = ss_get_be16(p + 12);
	h->vlan = SS_ETH_NO_VLAN;
	if (ss_likely(h->type != SS_ETH_VLAN))
		return SS_ETH_LEN;
	if (n < SS_ETH_VLAN_LEN)
		return SS_ERR_BAD_PACKET;
	h->vlan = ss_get_be16(p + 14) & 0x0fff;
	h->type = ss_get_be16(p + 16);
	return SS_ETH_VLAN_LEN;
}

/* Writes the header to p (SS_ETH_VLAN_LEN bytes); returns its length. */
static inline uint32_t ss_eth_emit(const struct ss_eth *h, uint8_t *p)
{
	memcpy(p, h->dst, 6);
	memcpy(p + 6, h->src, 6);
	if (h->vlan == SS_ETH_NO_VLAN) {
		ss_put_be16(p + 12, h->type);
		return SS_ETH_LEN;
	}
	ss_put_be16(p + 12, SS_ETH_VLAN);
	ss_put_be16(p + 14, h->vlan & 0x0fff);
	ss_put_be16(p + 16, h->type);
	return SS_ETH_VLAN_LEN;
}

/* Broadcast and multicast: the group bit of the first byte. */
static inline bool ss_eth_is_group(const uint8_t mac[6])
{
	return mac[0] & 1;
}

#endif
