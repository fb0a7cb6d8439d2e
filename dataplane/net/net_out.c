/* net_out.c - a segment on its way out: checksum, IP header, next hop, frame. */
#include "net/net_int.h"

#include "wire/csum.h"

#define TCP_CSUM_AT 16

void ss_net_frame(struct ss_net *n, uint8_t iface, const uint8_t dst[6], uint16_t type, struct rte_mbuf *m)
{
	struct net_if *f = &n->ifs[iface];
	struct ss_eth eth = { .type = type, .vlan = SS_ETH_NO_VLAN };
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, SS_ETH_LEN);

	assert(p); /* whoever allocated m left the default headroom */
	memcpy(eth.dst, dst, 6);
	memcpy(eth.src, f->mac, 6);
	ss_eth_emit(&eth, p);
	ss_port_push(f->port, m);
}

/* RFC 9293 3.1: over pseudo-header, header and payload; or the pseudo-header's alone, where the device adds
 * the rest (that sum is stored as it is, not complemented). */
static void fill_csum(const struct ss_net *n, const struct net_hop *hop, struct rte_mbuf *m,
		      const struct ss_ip *src, const struct ss_ip *dst)
{
	uint8_t *tcp = rte_pktmbuf_mtod(m, uint8_t *);
	struct ss_csum c = { 0 };

	ss_put_be16(tcp + TCP_CSUM_AT, 0);
	ss_csum_pseudo(&c, src, dst, SS_IP_PROTO_TCP, m->pkt_len);
	if (ss_port_needs_tcp_csum(n->ifs[hop->iface].port)) {
		for (const struct rte_mbuf *s = m; s; s = s->next)
			ss_csum_add(&c, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
		ss_put_be16(tcp + TCP_CSUM_AT, ss_csum_end(&c));
		m->ol_flags = 0;
		return;
	}
	ss_put_be16(tcp + TCP_CSUM_AT, (uint16_t)~ss_csum_end(&c));
	m->l2_len = SS_ETH_LEN;
	m->l3_len = SS_IP4_LEN;
	m->l4_len = (tcp[12] >> 4) * 4;
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
}

void ss_net_output_tcp(struct ss_net *n, struct rte_mbuf *m, const struct ss_ip *src, const struct ss_ip *dst,
		       uint64_t now)
{
	SS_STAGE_HERE(n->counters, SS_STAGE_NET_OUT);
	struct net_hop hop;

	if (dst->family != 4 || ss_net_route(n, ss_ip4_u32(dst), ss_ip4_u32(src), &hop) < 0 ||
	    ss_net_has(n, ss_ip4_u32(dst))) {
		ss_net_drop(n, m, SS_DROP_NO_ROUTE);
		return;
	}
	if (m->pkt_len + SS_IP4_LEN > n->ifs[hop.iface].mtu) {
		ss_net_drop(n, m, SS_DROP_PORT_TX_LONG);
		return;
	}
	struct ss_iphdr ip = { .src = *src,
			       .dst = *dst,
			       .proto = SS_IP_PROTO_TCP,
			       .ttl = NET_TTL,
			       .id = n->ip_id++,
			       .dont_fragment = true,
			       .payload = m->pkt_len };
	fill_csum(n, &hop, m, src, dst);
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, SS_IP4_LEN);
	assert(p);
	ss_iphdr_emit(&ip, p);
	ss_net_neigh_send(n, hop.iface, hop.ip, m, now);
}
