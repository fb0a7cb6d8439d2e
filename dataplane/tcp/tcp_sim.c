/*
 * tcp_sim.c - the wire and the clock of tcp_sim.h.
 */
#include "tcp/tcp_sim.h"

#include <stdlib.h>

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip.h"

#define IP_AT SS_ETH_LEN

static void open_host(struct ss_tcp_sim *s, int i, const struct ss_tcp_conf *sizes)
{
	struct ss_tcp_sim_host *h = &s->host[i];
	struct ss_net_if_conf nif = { .name = "sim", .mac = { 2, 0, 0, 0, 0, (uint8_t)(i + 1) }, .mtu = 1500,
				      .n_addrs = 1, .answers = true };

	h->ip = ss_ip4(0x0a000001u + (uint32_t)i);
	h->port = ss_port_sim_create(&h->counters, false);
	nif.addrs[0] = (struct ss_net_addr){ h->ip, 24 };
	nif.port = h->port;
	struct ss_net_conf net = { .n_ifs = 1, .ifs = &nif, .max_neighbours = 16, .bufs = &s->bufs,
				   .counters = &h->counters };
	struct ss_tcp_conf tcp = *sizes;
	if (ss_net_create(&h->net, &net, s->now))
		abort();
	tcp.net = h->net;
	tcp.bufs = &s->bufs;
	tcp.counters = &h->counters;
	tcp.secret[0] = ss_rng_u64(&s->rng);
	tcp.secret[1] = ss_rng_u64(&s->rng);
	if (ss_tcp_create(&h->tcp, &tcp, s->now))
		abort();
	ss_list_init(&h->news);
	h->app_at = SS_NEVER;
}

void ss_tcp_sim_open(struct ss_tcp_sim *s, uint64_t seed, const struct ss_bufpool *bufs,
		     const struct ss_tcp_conf *conf, const struct ss_tcp_sim_wire *wire)
{
	memset(s, 0, sizeof(*s));
	ss_rng_seed(&s->rng, seed);
	s->bufs = *bufs;
	s->wire = *wire;
	/* Any time since boot: ISNs and timestamps must work wherever they stand. */
	s->now = ss_rng_u64(&s->rng) >> 8;
	for (int i = 0; i < 2; i++)
		open_host(s, i, conf);
}

void ss_tcp_sim_close(struct ss_tcp_sim *s)
{
	struct rte_mbuf *m;

	for (int i = 0; i < 2; i++) {
		struct ss_tcp_sim_host *h = &s->host[i];
		ss_tcp_free(h->tcp);
		ss_net_free(h->net);
		ss_port_tx(h->port);
		while ((m = ss_port_sim_take(h->port)))
			rte_pktmbuf_free(m);
		ss_port_sim_free(h->port);
	}
	for (uint32_t i = 0; i < s->n_flight; i++)
		rte_pktmbuf_free(s->flight[i].m);
	s->n_flight = 0;
}

/* The TCP header inside a frame, or NULL. */
static uint8_t *tcp_of(struct rte_mbuf *m, uint32_t *n)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	if (m->data_len < IP_AT + 40 || ss_get_be16(p + 12) != 0x0800 || p[IP_AT + 9] != 6)
		return NULL;
	uint32_t ihl = (p[IP_AT] & 15) * 4u;
	*n = ss_get_be16(p + IP_AT + 2) - ihl;
	return p + IP_AT + ihl;
}

static void fix_csum(struct rte_mbuf *m, uint8_t *tcp, uint32_t n)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + IP_AT;
	struct ss_ip src = { .family = 4 }, dst = { .family = 4 };
	struct ss_csum c = { 0 };

	memcpy(src.b, ip + 12, 4);
	memcpy(dst.b, ip + 16, 4);
	ss_put_be16(tcp + 16, 0);
	ss_csum_pseudo(&c, &src, &dst, 6, n);
	ss_csum_add(&c, tcp, n);
	ss_put_be16(tcp + 16, ss_csum_end(&c));
}

static bool stripped(const struct ss_tcp_sim_wire *w, uint8_t kind)
{
	return (kind == 4 && w->strip_sack) || (kind == 8 && w->strip_ts) || (kind == 3 && w->strip_wscale);
}

static void strip_options(struct ss_tcp_sim *s, struct rte_mbuf *m)
{
	uint32_t n;
	uint8_t *tcp = tcp_of(m, &n);

	if (!tcp || !(tcp[13] & SS_TCP_SYN))
		return;
	uint8_t *p = tcp + 20, *end = tcp + (tcp[12] >> 4) * 4;
	while (p < end && *p) {
		uint32_t len = *p == 1 ? 1 : p[1];
		if (stripped(&s->wire, *p))
			memset(p, 1, len);
		p += len;
	}
	fix_csum(m, tcp, n);
}

static void corrupt(struct ss_tcp_sim *s, struct rte_mbuf *m)
{
	uint32_t n;

	/* ARP has no checksum: only what somebody must notice is flipped. */
	if (tcp_of(m, &n)) {
		uint32_t bit = ss_rng_below(&s->rng, (m->data_len - IP_AT) * 8u);
		rte_pktmbuf_mtod(m, uint8_t *)[IP_AT + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static bool chance(struct ss_tcp_sim *s, uint32_t of_10000)
{
	return of_10000 && ss_rng_chance(&s->rng, of_10000, 10000);
}

static void put_on_wire(struct ss_tcp_sim *s, int to, struct rte_mbuf *m)
{
	if (s->n_flight == SS_TCP_SIM_FLIGHT) {
		rte_pktmbuf_free(m);
		return;
	}
	uint64_t at = s->now + s->wire.delay;
	if (s->wire.jitter)
		at += ss_rng_u64(&s->rng) % s->wire.jitter;
	if (chance(s, s->wire.reorder))
		at += ss_rng_u64(&s->rng) % s->wire.reorder_by;
	else
		at = s->last_at[to] = ss_max_u64(at, s->last_at[to]);
	s->flight[s->n_flight++] =
		(struct ss_tcp_sim_packet){ .at = at, .order = s->order++, .m = m, .to = to };
}

static void transmit(struct ss_tcp_sim *s, int from, struct rte_mbuf *m)
{
	strip_options(s, m);
	if ((s->filter && s->filter(s, from, m)) || chance(s, s->wire.loss)) {
		rte_pktmbuf_free(m);
		return;
	}
	if (chance(s, s->wire.dup)) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(m, s->bufs.mp, 0, UINT32_MAX);
		if (copy)
			put_on_wire(s, !from, copy);
	}
	if (chance(s, s->wire.corrupt))
		corrupt(s, m);
	put_on_wire(s, !from, m);
}

/* Puts what has arrived into the ports, in the order of arrival. */
static void arrive(struct ss_tcp_sim *s)
{
	for (;;) {
		uint32_t best = UINT32_MAX;
		for (uint32_t i = 0; i < s->n_flight; i++) {
			const struct ss_tcp_sim_packet *p = &s->flight[i];
			if (p->at <= s->now &&
			    (best == UINT32_MAX || p->at < s->flight[best].at ||
			     (p->at == s->flight[best].at && p->order < s->flight[best].order)))
				best = i;
		}
		if (best == UINT32_MAX)
			return;
		ss_port_sim_put(s->host[s->flight[best].to].port, s->flight[best].m);
		s->flight[best] = s->flight[--s->n_flight];
	}
}

static void turn(struct ss_tcp_sim *s, int i)
{
	struct ss_tcp_sim_host *h = &s->host[i];
	struct rte_mbuf *m[SS_BURST];
	uint16_t n;

	do {
		n = ss_port_rx(h->port, m);
		ss_net_input(h->net, 0, m, n, s->now, &s->segs);
		ss_tcp_input(h->tcp, &s->segs, s->now, &h->news);
	} while (n == SS_BURST);
	ss_net_expire(h->net, s->now);
	ss_tcp_expire(h->tcp, s->now, &h->news);
	if (h->app)
		h->app(s, i);
	ss_tcp_flush(h->tcp, s->now);
	ss_port_tx(h->port);
	ss_tcp_bury(h->tcp);
	while ((m[0] = ss_port_sim_take(h->port)))
		transmit(s, i, m[0]);
}

bool ss_tcp_sim_step(struct ss_tcp_sim *s)
{
	uint64_t next = SS_NEVER;

	for (uint32_t i = 0; i < s->n_flight; i++)
		next = ss_min_u64(next, s->flight[i].at);
	for (int i = 0; i < 2; i++) {
		const struct ss_tcp_sim_host *h = &s->host[i];
		next = ss_min_u64(next, ss_min_u64(ss_tcp_next(h->tcp), h->app_at));
		if (ss_net_held(h->net))
			next = ss_min_u64(next, ss_net_next(h->net));
	}
	if (next == SS_NEVER)
		return false;
	s->now = ss_max_u64(s->now, next);
	arrive(s);
	turn(s, 0);
	turn(s, 1);
	return true;
}
