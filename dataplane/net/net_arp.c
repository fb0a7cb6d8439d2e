/* net_arp.c - ARP (RFC 826): answer, ask, announce (RFC 5227). */
#include "net/net_int.h"

static const uint8_t everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void send_arp(struct ss_net *n, uint8_t iface, const uint8_t dst[6], struct ss_arp *a)
{
	struct rte_mbuf *m = ss_buf_alloc(n->bufs);

	if (!m) {
		ss_count_drop(n->counters, SS_DROP_MBUF_EMPTY);
		return;
	}
	memcpy(a->sender_mac, n->ifs[iface].mac, 6);
	ss_arp_emit(a, (uint8_t *)rte_pktmbuf_append(m, SS_ARP_LEN));
	ss_net_frame(n, iface, dst, SS_ETH_ARP, m);
}

void ss_net_arp_ask(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t *dst)
{
	struct ss_arp a = { .op = SS_ARP_REQUEST, .target = ss_ip4(ip), .sender = ss_ip4(n->ifs[iface].addrs[0]) };

	/* The sender address must be one that the asked station takes for on its link. */
	for (uint16_t i = 0; i < n->n_routes; i++) {
		const struct net_route *r = &n->routes[i];
		if (r->iface == iface && (ip & r->mask) == r->net) {
			a.sender = ss_ip4(r->source);
			break;
		}
	}
	send_arp(n, iface, dst ? dst : everyone, &a);
}

void ss_net_arp_announce(struct ss_net *n, uint8_t iface)
{
	const struct net_if *f = &n->ifs[iface];

	/* RFC 5227 2.3: a broadcast request whose sender and target are the announced address */
	for (uint16_t i = 0; i < f->n_addrs; i++) {
		struct ss_arp a = { .op = SS_ARP_REQUEST, .sender = ss_ip4(f->addrs[i]) };
		a.target = a.sender;
		send_arp(n, iface, everyone, &a);
	}
}

static void answer(struct ss_net *n, uint8_t iface, const struct ss_arp *q)
{
	struct ss_arp a = { .op = SS_ARP_REPLY, .sender = q->target, .target = q->sender };

	memcpy(a.target_mac, q->sender_mac, 6);
	send_arp(n, iface, q->sender_mac, &a);
}

/* An address of this interface (not of another: RFC 1122 3.3.4.2, strong model for ARP). */
static bool is_ours(const struct net_if *f, uint32_t ip)
{
	for (uint16_t i = 0; i < f->n_addrs; i++)
		if (f->addrs[i] == ip)
			return true;
	return false;
}

void ss_net_arp_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint32_t l2, uint64_t now)
{
	const struct net_if *f = &n->ifs[iface];
	struct ss_arp a;

	if (ss_arp_parse(&a, rte_pktmbuf_mtod_offset(m, const uint8_t *, l2), m->data_len - l2) < 0 ||
	    (a.op != SS_ARP_REQUEST && a.op != SS_ARP_REPLY)) {
		ss_net_drop(n, m, SS_DROP_ARP_BAD);
		return;
	}
	uint32_t sender = ss_ip4_u32(&a.sender), target = ss_ip4_u32(&a.target);
	if (is_ours(f, sender)) {
		/* Our own announcement coming back is no conflict (RFC 5227 2.4). */
		if (memcmp(a.sender_mac, f->mac, 6) == 0)
			rte_pktmbuf_free(m);
		else
			ss_net_drop(n, m, SS_DROP_ARP_CONFLICT);
		return;
	}
	bool to_us = is_ours(f, target);
	/* RFC 5227 1.1: a probe has no sender address yet; there is nothing to learn from it. */
	if (ss_ip_is_host(&a.sender))
		ss_net_neigh_learn(n, iface, sender, a.sender_mac, to_us && a.op == SS_ARP_REQUEST, now);
	if (to_us && a.op == SS_ARP_REQUEST && f->answers)
		answer(n, iface, &a);
	rte_pktmbuf_free(m);
}
