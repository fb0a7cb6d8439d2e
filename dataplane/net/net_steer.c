/*
 * net_steer.c - which worker a frame belongs to, where the port cannot say.
 *
 * Both ways in (a raw frame, a tuple) end in one hash, so that a connect which picks its local port
 * by ss_net_steer_tuple gets its answers on its own worker.
 */
#include "net/net.h"

#include "wire/eth.h"
#include "wire/ip.h"

#define STEER_PROTO_TCP 6

static uint64_t steer_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ (h >> 32);
}

static uint64_t steer_ip(uint64_t h, const struct ss_ip *ip)
{
	uint64_t lo, hi;
	memcpy(&hi, ip->b, 8);
	memcpy(&lo, ip->b + 8, 8);
	return steer_mix(steer_mix(h, hi), lo);
}

uint16_t ss_net_steer_tuple(const struct ss_tuple *t, uint16_t n_workers)
{
	if (n_workers <= 1)
		return 0;
	uint64_t h = steer_ip(steer_ip(t->local.family, &t->local), &t->remote);
	h = steer_mix(h, ((uint32_t)t->local_port << 16) | t->remote_port);
	return (uint16_t)((h & 0xffffffff) * n_workers >> 32);
}

uint16_t ss_net_steer(const struct rte_mbuf *m, uint16_t n_workers)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t n = m->data_len;
	struct ss_eth eth;
	struct ss_iphdr ip;

	if (n_workers <= 1)
		return 0;
	int l2 = ss_eth_parse(&eth, p, n);
	if (l2 < 0)
		return 0;
	if (eth.type == SS_ETH_ARP)
		return SS_NET_EVERYONE;
	if (eth.type != SS_ETH_IP4)
		return 0;
	int l3 = ss_iphdr_parse(&ip, p + l2, n - (uint32_t)l2);
	uint32_t off = (uint32_t)(l2 + l3);
	if (l3 < 0 || ip.proto != STEER_PROTO_TCP || ip.fragment || n < off + 4)
		return 0;
	struct ss_tuple t = { .local = ip.dst,
			      .remote = ip.src,
			      .local_port = ss_get_be16(p + off + 2),
			      .remote_port = ss_get_be16(p + off) };
	return ss_net_steer_tuple(&t, n_workers);
}
