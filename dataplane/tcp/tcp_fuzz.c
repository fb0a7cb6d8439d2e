/*
 * tcp_fuzz.c - segments made of any bytes against a live connection, a listener and a connect.
 *
 * Each record of the input is an order: a segment (header fields relative to what the stack expects, or
 * wild), a call from the room above, or time passing. The stack must survive, hold its invariants, and give
 * back everything at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "buf/testpool.h"
#include "tcp/tcp_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define US 0x0a000001u
#define PEER 0x0a000002u

struct fuzz {
	struct ss_tcp *t;
	struct ss_tcp_conn *c; /* of the last news or connect; NULL when released */
	struct ss_counters counters;
	struct ss_bufpool bufs;
	uint64_t now;
	uint32_t last_seq, last_ack; /* of what the stack sent last */
	uint16_t port;
	const uint8_t *p, *end;
};

static struct fuzz z;

/* The net of the fuzzer: what the stack sends must be a TCP segment; its numbers steer the next input. */
void ss_net_output_tcp(struct ss_net *n, struct rte_mbuf *m, const struct ss_ip *src, const struct ss_ip *dst,
		       uint64_t now)
{
	struct ss_tcphdr h;

	if (ss_tcphdr_parse(&h, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len) < SS_TCPHDR_MIN ||
	    m->pkt_len > 1480)
		abort();
	if (!(h.flags & SS_TCP_RST)) {
		z.last_seq = h.seq + !!(h.flags & SS_TCP_SYN) + m->data_len - h.hdr_len;
		z.last_ack = h.ack;
		z.port = h.src_port;
	}
	rte_pktmbuf_free(m);
}

int ss_net_source(const struct ss_net *n, const struct ss_ip *dst, struct ss_ip *src)
{
	*src = ss_ip4(US);
	return 0;
}

uint16_t ss_net_mss(const struct ss_net *n, const struct ss_ip *dst)
{
	return 1460;
}

uint16_t ss_net_steer_tuple(const struct ss_tuple *t, uint16_t n_workers)
{
	return 0;
}

static uint8_t u8(void)
{
	return z.p < z.end ? *z.p++ : 0;
}

static uint32_t u32(void)
{
	uint32_t v = u8();
	v = v << 8 | u8();
	v = v << 8 | u8();
	return v << 8 | u8();
}

/* A number near a base, or anything. */
static uint32_t near(uint32_t base, uint8_t how)
{
	switch (how & 3) {
	case 0:
		return base;
	case 1:
		return base + (uint32_t)(int8_t)u8();
	case 2:
		return base + u8() * 64u;
	default:
		return u32();
	}
}

/* SACK blocks that could be true: offsets from what is not acknowledged yet. */
static void add_sacks(struct ss_tcphdr *h)
{
	uint32_t una = z.c ? z.c->snd_una : z.last_seq;

	h->n_sacks = u8() % (SS_TCP_SACKS + 1);
	for (uint32_t i = 0; i < h->n_sacks; i++) {
		h->sack[i].left = una + u8() * 32u;
		h->sack[i].right = h->sack[i].left + u8() * 16u;
	}
}

/* A header as values whose options come from the input as bytes, by way of the parser. */
static struct ss_tcphdr make_header(uint8_t how)
{
	struct ss_tcphdr h;
	uint8_t b[SS_TCPHDR_MAX] = { 0 };
	uint32_t opts = u8() % 11;

	ss_put_be16(b, 5000);
	ss_put_be16(b + 2, z.port);
	ss_put_be32(b + 4, near(z.last_ack, how));
	ss_put_be32(b + 8, (how >> 2 & 3) == 2 && z.c ? z.c->snd_una : near(z.last_seq, how >> 2));
	b[12] = (uint8_t)((5 + opts) << 4);
	b[13] = how & 0x80 ? u8() : SS_TCP_ACK;
	ss_put_be16(b + 14, (uint16_t)(how & 0x40 ? u8() : 60000));
	for (uint32_t i = 0; i < opts * 4; i++)
		b[20 + i] = u8();
	if (ss_tcphdr_parse(&h, b, 20 + opts * 4) < 0)
		abort();
	if (opts == 1)
		add_sacks(&h);
	return h;
}

static void check(const struct ss_tcp_conn *c)
{
	if (c->state == SS_TCP_CLOSED)
		return;
	if (ss_seq_gt(c->snd_una, c->snd_nxt) || ss_seq_gt(c->snd_nxt, c->snd_max) ||
	    ss_seq_gt(c->snd_max, ss_tcp_data_end(c) + 1) || c->cwnd > 1u << 30 || c->rto < SS_TCP_RTO_MIN)
		abort();
	if (!ss_tcp_is_syncing(c) && (c->cwnd < c->mss || c->mss < 40))
		abort();
	for (uint32_t i = 0; c->reasm && i < c->reasm->n; i++) {
		const struct ss_tcp_range *r = &c->reasm->r[i];
		if (r->right - r->left != r->q.len || ss_seq_le(r->left, c->rcv_nxt) ||
		    ss_seq_gt(r->right, c->rcv_adv) || (i && ss_seq_ge(c->reasm->r[i - 1].right, r->left)))
			abort();
	}
	for (uint32_t i = 0; c->board && i < c->board->n; i++) {
		const struct ss_tcp_sack *r = &c->board->r[i];
		if (ss_seq_ge(r->left, r->right) || ss_seq_le(r->left, c->snd_una) ||
		    ss_seq_gt(r->right, c->snd_max) || (i && ss_seq_ge(c->board->r[i - 1].right, r->left)))
			abort();
	}
}

static void turn(struct ss_segs *segs)
{
	struct ss_list news, *n;

	ss_list_init(&news);
	ss_tcp_input(z.t, segs, z.now, &news);
	ss_tcp_expire(z.t, z.now, &news);
	while ((n = ss_list_pop(&news))) {
		struct ss_tcp_conn *c = ss_tcp_from_news(n);
		uint32_t ev = ss_tcp_events(c);
		if (z.c && c != z.c)
			ss_tcp_release(z.c);
		z.c = c;
		if (ev & SS_TCP_EV_FAILED) {
			ss_tcp_release(c);
			z.c = NULL;
		}
	}
	ss_tcp_flush(z.t, z.now);
	ss_tcp_bury(z.t);
	ss_list_for(n, &z.t->all)
		check(ss_list_entry(n, struct ss_tcp_conn, all));
}

static void segment(uint8_t how)
{
	static struct ss_segs segs;
	struct rte_mbuf *m = ss_buf_alloc(&z.bufs);

	if (!m)
		return;
	struct ss_tcphdr h = make_header(how);
	uint16_t len = (uint16_t)((how & 0x10 ? u8() : 0) * (how & 0x20 ? 5 : 1));
	memset(rte_pktmbuf_append(m, len), 'p', len);
	segs.n = 1;
	segs.v[0] = (struct ss_seg){ .m = m, .h = h, .payload = len,
				     .tuple = { ss_ip4(US), ss_ip4(PEER), z.port, 5000 } };
	turn(&segs);
}

static void send_some(uint32_t n)
{
	static const uint8_t bytes[4096];
	struct ss_bufq q;

	ss_bufq_init(&q);
	n = ss_min_u32(n, ss_tcp_room(z.c));
	if (n && ss_bufq_append(&q, &z.bufs, bytes, n) == 0)
		ss_tcp_send(z.c, &q);
}

static void call(uint8_t what)
{
	struct ss_addr to = { ss_ip4(PEER), 5000 };

	if (!z.c) {
		if (what & 1)
			ss_tcp_connect(z.t, &to, z.now, &z.c);
		return;
	}
	switch (what % 6) {
	case 0:
		send_some(u8() * 16u);
		break;
	case 1: {
		uint32_t n = ss_min_u32(ss_tcp_rx(z.c)->len, u8() * 16u);
		ss_bufq_drop(ss_tcp_rx(z.c), n);
		ss_tcp_consumed(z.c, n);
		break;
	}
	case 2:
		ss_tcp_shutdown(z.c);
		break;
	case 3:
		ss_tcp_abort(z.c);
		break;
	default:
		ss_tcp_release(z.c);
		z.c = NULL;
	}
}

static void order(void)
{
	static struct ss_segs none;
	uint8_t what = u8();

	switch (what & 7) {
	case 0:
		call(what >> 3);
		break;
	case 1:
		z.now += (what >> 3) * 20 * SS_NS_PER_MS;
		break;
	case 2:
		z.port = 80;
		break;
	default:
		segment(u8());
		return;
	}
	turn(&none);
}

static void start(void)
{
	struct ss_addr at = { ss_ip4(US), 80 };
	struct ss_tcp_conf f = {.max_conns = 4,
				.max_half_open = 2,
				.rcv_buf = 9000,
				.snd_buf = 9000,
				.time_wait_ns = 2 * SS_NS_PER_SEC,
				.connect_timeout_ns = 5 * SS_NS_PER_SEC,
				.user_timeout_ns = 9 * SS_NS_PER_SEC,
				.port_low = 4000,
				.port_high = 4003,
				.n_workers = 1,
				.secret = {3, 4},
				.bufs = &z.bufs,
				.counters = &z.counters};

	if (!z.bufs.mp)
		z.bufs = ss_testpool_create("tcp-fuzz", 511);
	z.c = NULL;
	z.now = 100 * SS_NS_PER_SEC;
	z.port = 80;
	z.last_seq = 0;
	z.last_ack = 0x7ffffff0;
	if (ss_tcp_create(&z.t, &f, z.now) || ss_tcp_listen(z.t, &at, 1, 4))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	z.p = data;
	z.end = data + (size > 4096 ? 4096 : size);
	while (z.p < z.end)
		order();
	ss_tcp_free(z.t);
	if (ss_testpool_used(&z.bufs))
		abort();
	return 0;
}
