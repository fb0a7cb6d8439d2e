/*
 * net_icmp.c - ICMP (RFC 792): answers echo, at a bounded rate; takes note of nothing else yet.
 *
 * The reply is the request turned round in place, and goes back to the station that it came from.
 */
#include "net/net_int.h"

#include "wire/csum.h"

/* RFC 1812 4.3.2.8 asks routers to bound the rate of what they originate; echo is what a flood would use. */
static bool allowed(struct ss_net *n, uint64_t now)
{
	uint64_t fill = (now - n->icmp_filled) / (SS_NS_PER_SEC / NET_ICMP_RATE);

	if (fill) {
		n->icmp_tokens = (uint32_t)ss_min_u64(n->icmp_tokens + fill, NET_ICMP_BURST);
		n->icmp_filled += fill * (SS_NS_PER_SEC / NET_ICMP_RATE);
	}
	if (!n->icmp_tokens)
		return false;
	n->icmp_tokens--;
	return true;
}

static bool csum_ok(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	struct ss_csum c = { 0 };

	for (const struct rte_mbuf *s = m; s && len; s = s->next) {
		uint32_t skip = ss_min_u32(off, s->data_len);
		uint32_t take = ss_min_u32(len, s->data_len - skip);
		ss_csum_add(&c, rte_pktmbuf_mtod_offset(s, const uint8_t *, skip), take);
		off -= skip;
		len -= take;
	}
	return ss_csum_end(&c) == 0;
}

static void echo(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint32_t l2, uint32_t l3,
		 const struct ss_iphdr *ip)
{
	uint8_t dst[6];
	uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, l2 + l3);
	/* RFC 1122 3.2.2.6: the source of the reply is the destination of the request */
	struct ss_iphdr back = { .src = ip->dst,
				 .dst = ip->src,
				 .proto = SS_IP_PROTO_ICMP,
				 .ttl = NET_TTL,
				 .dscp = ip->dscp,
				 .id = n->ip_id++,
				 .dont_fragment = true,
				 .payload = ip->payload };

	memcpy(dst, rte_pktmbuf_mtod_offset(m, const uint8_t *, 6), 6);
	ss_put_be16(icmp + 2, ss_csum_update(ss_get_be16(icmp + 2), SS_ICMP_ECHO << 8, SS_ICMP_ECHO_REPLY << 8));
	icmp[0] = SS_ICMP_ECHO_REPLY;
	/* IP options of the request are left out: the new header ends where ICMP begins. */
	rte_pktmbuf_adj(m, (uint16_t)(l2 + l3 - SS_IP4_LEN));
	ss_iphdr_emit(&back, rte_pktmbuf_mtod(m, uint8_t *));
	m->ol_flags = 0;
	ss_net_frame(n, iface, dst, SS_ETH_IP4, m);
}

void ss_net_icmp_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint32_t l2, uint32_t l3,
		       const struct ss_iphdr *ip, uint64_t now)
{
	struct ss_icmp h;
	uint32_t n_first = ss_min_u32(m->data_len - l2 - l3, ip->payload);

	if (!csum_ok(m, l2 + l3, ip->payload) ||
	    ss_icmp_parse(&h, rte_pktmbuf_mtod_offset(m, const uint8_t *, l2 + l3), n_first) < 0) {
		ss_net_drop(n, m, SS_DROP_ICMP_BAD);
		return;
	}
	if (h.type != SS_ICMP_ECHO || h.code != 0 || !n->ifs[iface].answers) {
		rte_pktmbuf_free(m); /* RFC 1122 3.2.2: unknown types are silently discarded */
		return;
	}
	if (!allowed(n, now)) {
		ss_net_drop(n, m, SS_DROP_ICMP_RATE);
		return;
	}
	echo(n, iface, m, l2, l3, ip);
}
