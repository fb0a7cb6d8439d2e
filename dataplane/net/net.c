/*
 * net.c - creation, addresses, routes: connected prefixes, and one gateway per interface.
 */
#include "net/net_int.h"

#include <stdlib.h>

static void add_local(struct ss_net *n, uint32_t ip)
{
	uint32_t i = ss_net_local_slot(ip);

	while (n->locals[i] && n->locals[i] != ip)
		i = (i + 1) % NET_LOCAL_SLOTS;
	n->locals[i] = ip;
}

static void add_route(struct ss_net *n, uint8_t iface, uint32_t ip, uint8_t prefix)
{
	uint32_t mask = prefix ? UINT32_MAX << (32 - prefix) : 0;
	uint16_t at = 0;

	for (uint16_t i = 0; i < n->n_routes; i++) {
		const struct net_route *r = &n->routes[i];
		if (r->mask == mask && r->net == (ip & mask) && r->iface == iface)
			return; /* the first address of a prefix is its source */
	}
	while (at < n->n_routes && n->routes[at].mask >= mask)
		at++;
	memmove(&n->routes[at + 1], &n->routes[at], (n->n_routes - at) * sizeof(n->routes[0]));
	n->routes[at] = (struct net_route){ .net = ip & mask, .mask = mask, .source = ip, .iface = iface };
	n->n_routes++;
}

static int add_if(struct ss_net *n, uint8_t i, const struct ss_net_if_conf *c, uint64_t now)
{
	struct net_if *f = &n->ifs[i];

	if (c->n_addrs > SS_NET_MAX_ADDRS)
		return SS_ERR_CONFIG;
	memcpy(f->mac, c->mac, sizeof(f->mac));
	f->mtu = c->mtu;
	f->port = c->port;
	f->answers = c->answers;
	f->gateway = c->gateway.family == 4 ? ss_ip4_u32(&c->gateway) : 0;
	for (uint16_t a = 0; a < c->n_addrs; a++) {
		if (c->addrs[a].ip.family != 4 || c->addrs[a].prefix > 32 || !ss_ip_is_host(&c->addrs[a].ip))
			return SS_ERR_CONFIG;
		uint32_t ip = ss_ip4_u32(&c->addrs[a].ip);
		f->addrs[f->n_addrs++] = ip;
		add_local(n, ip);
		add_route(n, i, ip, c->addrs[a].prefix);
	}
	f->announces_left = c->announce ? NET_ANNOUNCE_NUM : 0;
	f->announce_at = c->announce ? now : SS_NEVER;
	return 0;
}

int ss_net_create(struct ss_net **out, const struct ss_net_conf *conf, uint64_t now)
{
	struct ss_net *n = calloc(1, sizeof(*n));
	int rc = n ? 0 : SS_ERR_NO_MEM;

	if (rc == 0 && conf->n_ifs > SS_MAX_PORTS)
		rc = SS_ERR_CONFIG;
	if (rc == 0) {
		n->bufs = conf->bufs;
		n->counters = conf->counters;
		n->next = now;
		n->icmp_tokens = NET_ICMP_BURST;
		n->icmp_filled = now;
		n->n_ifs = conf->n_ifs;
		rc = ss_net_neigh_create(n, conf->max_neighbours);
	}
	for (uint8_t i = 0; rc == 0 && i < conf->n_ifs; i++)
		rc = add_if(n, i, &conf->ifs[i], now);
	if (rc < 0) {
		ss_net_free(n);
		return rc;
	}
	ss_net_expire(n, now); /* the first announcements */
	*out = n;
	return 0;
}

void ss_net_free(struct ss_net *n)
{
	if (!n)
		return;
	ss_net_neigh_free(n);
	free(n);
}

int ss_net_route(const struct ss_net *n, uint32_t dst, uint32_t prefer, struct net_hop *out)
{
	for (uint16_t i = 0; i < n->n_routes; i++) {
		const struct net_route *r = &n->routes[i];
		if ((dst & r->mask) == r->net) {
			*out = (struct net_hop){ .iface = r->iface, .ip = dst, .source = r->source };
			return 0;
		}
	}
	const struct net_if *best = NULL;
	for (uint16_t i = 0; i < n->n_ifs; i++) {
		const struct net_if *f = &n->ifs[i];
		if (!f->gateway || !f->n_addrs)
			continue;
		if (!best)
			best = f;
		for (uint16_t a = 0; prefer && a < f->n_addrs; a++)
			if (f->addrs[a] == prefer)
				best = f;
	}
	if (!best)
		return SS_ERR_NOT_FOUND;
	*out = (struct net_hop){ .iface = (uint8_t)(best - n->ifs), .ip = best->gateway, .source = best->addrs[0] };
	return 0;
}

int ss_net_source(const struct ss_net *n, const struct ss_ip *dst, struct ss_ip *src)
{
	struct net_hop hop;

	if (dst->family != 4 || ss_net_route(n, ss_ip4_u32(dst), 0, &hop) < 0)
		return SS_ERR_NOT_FOUND;
	*src = ss_ip4(hop.source);
	return 0;
}

uint16_t ss_net_mss(const struct ss_net *n, const struct ss_ip *dst)
{
	struct net_hop hop;

	/* RFC 9293 3.7.1: 536 when nothing better is known */
	if (dst->family != 4 || ss_net_route(n, ss_ip4_u32(dst), 0, &hop) < 0)
		return 536;
	return (uint16_t)(n->ifs[hop.iface].mtu - NET_IP_TCP_OVERHEAD);
}

bool ss_net_is_local(const struct ss_net *n, const struct ss_ip *ip)
{
	return ip->family == 4 && ss_net_has(n, ss_ip4_u32(ip));
}

void ss_net_expire(struct ss_net *n, uint64_t now)
{
	if (ss_likely(now < n->next))
		return;
	n->next = SS_NEVER;
	ss_net_neigh_expire(n, now);
	for (uint8_t i = 0; i < n->n_ifs; i++) {
		struct net_if *f = &n->ifs[i];
		if (f->announce_at <= now) {
			ss_net_arp_announce(n, i);
			f->announces_left--;
			f->announce_at = f->announces_left ? now + NET_ANNOUNCE_NS : SS_NEVER;
		}
		n->next = ss_min_u64(n->next, f->announce_at);
	}
}

uint64_t ss_net_next(const struct ss_net *n)
{
	return n->next;
}

uint32_t ss_net_held(const struct ss_net *n)
{
	return n->held;
}
