/*
 * net_in.c - a frame on its way in: Ethernet, then ARP or IP, then TCP or ICMP.
 *
 * Every refusal is counted by its name. Headers must lie in a packet's first buffer; a payload may be
 * chained. Nothing is reassembled: TCP sets DF and says its MSS, so fragments are not for us.
 */
#include "net/net_int.h"

#include "wire/csum.h"

/* Cuts what follows the datagram (Ethernet pads to 60 bytes). False when it was too short instead. */
static bool trim(struct rte_mbuf *m, uint32_t len)
{
	if (m->pkt_len < len)
		return false;
	while (m->pkt_len > len) {
		struct rte_mbuf *last = rte_pktmbuf_lastseg(m);
		uint32_t cut = ss_min_u32(m->pkt_len - len, last->data_len);
		if (cut == last->data_len && last != m)
			return false; /* a whole buffer of padding: no sane device makes that */
		rte_pktmbuf_trim(m, (uint16_t)cut);
	}
	return true;
}

static bool tcp_csum_ok(const struct rte_mbuf *m, const struct ss_iphdr *ip)
{
	struct ss_csum c = { 0 };

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	ss_csum_pseudo(&c, &ip->src, &ip->dst, SS_IP_PROTO_TCP, ip->payload);
	for (const struct rte_mbuf *s = m; s; s = s->next)
		ss_csum_add(&c, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
	return ss_csum_end(&c) == 0;
}

/* m starts at the TCP header and ends with the payload. */
static void tcp_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, const struct ss_iphdr *ip,
		      struct ss_segs *segs)
{
	struct ss_seg *s = &segs->v[segs->n];

	if (!tcp_csum_ok(m, ip)) {
		ss_net_drop(n, m, SS_DROP_TCP_CSUM);
		return;
	}
	int len = ss_tcphdr_parse(&s->h, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	if (len < 0) {
		ss_net_drop(n, m, SS_DROP_TCP_BAD);
		return;
	}
	rte_pktmbuf_adj(m, (uint16_t)len);
	s->m = m;
	s->tuple = (struct ss_tuple){ .local = ip->dst,
				      .remote = ip->src,
				      .local_port = s->h.dst_port,
				      .remote_port = s->h.src_port };
	s->payload = (uint16_t)m->pkt_len;
	s->iface = iface;
	s->ce = ip->ecn == SS_IP_ECN_CE;
	segs->n++;
}

/* Why a datagram with a sound header is not for us; SS_DROP_NONE when it is. */
static enum ss_drop refused(const struct ss_net *n, const struct ss_eth *eth, const struct ss_iphdr *ip)
{
	/* RFC 1122 3.2.1.3: a datagram with an impossible source MUST be silently discarded; our own
	 * address as a source is forged or looped. */
	if (!ss_ip_is_host(&ip->src) || ss_net_has(n, ss_ip4_u32(&ip->src)))
		return SS_DROP_IP_SOURCE;
	/* RFC 1122 3.3.6: unicast datagrams in link broadcasts are discarded; group addresses we have none */
	if (!ss_net_has(n, ss_ip4_u32(&ip->dst)) || ss_eth_is_group(eth->dst))
		return SS_DROP_IP_NOT_US;
	return ip->fragment ? SS_DROP_IP_FRAGMENT : SS_DROP_NONE;
}

static void ip_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, const struct ss_eth *eth, uint32_t l2,
		     uint64_t now, struct ss_segs *segs)
{
	struct ss_iphdr ip;
	int l3 = ss_iphdr_parse(&ip, rte_pktmbuf_mtod_offset(m, const uint8_t *, l2), m->data_len - l2);

	if (l3 < 0) {
		ss_net_drop(n, m, l3 == SS_ERR_BAD_CSUM ? SS_DROP_IP_CSUM : SS_DROP_IP_BAD);
		return;
	}
	enum ss_drop why = refused(n, eth, &ip);
	if (why != SS_DROP_NONE) {
		ss_net_drop(n, m, why);
		return;
	}
	if (!trim(m, l2 + (uint32_t)l3 + ip.payload)) {
		ss_net_drop(n, m, SS_DROP_IP_BAD);
		return;
	}
	ss_net_neigh_confirm(n, iface, ss_ip4_u32(&ip.src), eth->src, now);
	if (ss_likely(ip.proto == SS_IP_PROTO_TCP)) {
		rte_pktmbuf_adj(m, (uint16_t)(l2 + (uint32_t)l3));
		tcp_input(n, iface, m, &ip, segs);
	} else if (ip.proto == SS_IP_PROTO_ICMP) {
		ss_net_icmp_input(n, iface, m, l2, (uint32_t)l3, &ip, now);
	} else {
		ss_net_drop(n, m, SS_DROP_IP_PROTO);
	}
}

static void frame_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint64_t now, struct ss_segs *segs)
{
	struct ss_eth eth;
	int l2 = ss_eth_parse(&eth, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);

	if (l2 < 0)
		ss_net_drop(n, m, SS_DROP_ETH_SHORT);
	else if (!ss_eth_is_group(eth.dst) && memcmp(eth.dst, n->ifs[iface].mac, 6) != 0)
		ss_net_drop(n, m, SS_DROP_ETH_NOT_US);
	else if (eth.vlan != SS_ETH_NO_VLAN && eth.vlan != 0) /* id 0: a priority, no VLAN (802.1Q 9.6) */
		ss_net_drop(n, m, SS_DROP_ETH_VLAN);
	else if (eth.type == SS_ETH_IP4)
		ip_input(n, iface, m, &eth, (uint32_t)l2, now, segs);
	else if (eth.type == SS_ETH_ARP)
		ss_net_arp_input(n, iface, m, (uint32_t)l2, now);
	else
		ss_net_drop(n, m, SS_DROP_ETH_TYPE);
}

void ss_net_input(struct ss_net *n, uint8_t iface, struct rte_mbuf **m, uint16_t count, uint64_t now,
		  struct ss_segs *segs)
{
	assert(iface < n->n_ifs && segs->n + count <= SS_ARRAY_LEN(segs->v));
	for (uint16_t i = 0; i < count; i++)
		frame_input(n, iface, m[i], now, segs);
}
