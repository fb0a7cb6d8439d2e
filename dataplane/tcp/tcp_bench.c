/*
 * tcp_bench.c - see tcp_bench.h.
 */
#include "tcp/tcp_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "buf/testpool.h"

struct bench *bench;

/* The net of the bench: catches what the stack sends. */
void ss_net_output_tcp(struct ss_net *n, struct rte_mbuf *m, const struct ss_ip *src, const struct ss_ip *dst,
		       uint64_t now)
{
	struct bench *b = bench;
	struct bench_out *o = &b->out[b->n_out % SS_ARRAY_LEN(b->out)];
	int r = ss_tcphdr_parse(&o->h, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);

	assert_true(r > 0);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	o->len = m->data_len - (uint32_t)r;
	o->first = o->len ? rte_pktmbuf_mtod(m, uint8_t *)[r] : 0;
	o->tuple = (struct ss_tuple){ *src, *dst, o->h.src_port, o->h.dst_port };
	b->n_out++;
	rte_pktmbuf_free(m);
}

int ss_net_source(const struct ss_net *n, const struct ss_ip *dst, struct ss_ip *src)
{
	if (dst->b[0] != 10)
		return SS_ERR_NOT_FOUND;
	*src = ss_ip4(US);
	return 0;
}

uint16_t ss_net_mss(const struct ss_net *n, const struct ss_ip *dst)
{
	return 1460;
}

uint16_t ss_net_steer_tuple(const struct ss_tuple *t, uint16_t n_workers)
{
	return n_workers <= 1 ? 0 : t->local_port % n_workers;
}

struct ss_tcp_conf bench_conf(void)
{
	return (struct ss_tcp_conf){
		.max_conns = 4,
		.max_half_open = 2,
		.rcv_buf = 20000,
		.snd_buf = 20000,
		.time_wait_ns = 60 * SEC,
		.connect_timeout_ns = 10 * SEC,
		.user_timeout_ns = 100 * SEC,
		.port_low = 40000,
		.port_high = 40009,
		.n_workers = 1,
		.secret = { 1, 2 },
	};
}

void bench_open(struct bench *b, const struct ss_tcp_conf *conf)
{
	struct ss_tcp_conf f = *conf;

	memset(b, 0, sizeof(*b));
	bench = b;
	b->bufs = ss_testpool_create("tcp-bench", 1023);
	b->now = 1000 * SEC;
	b->irs = 0xfffffe00u; /* the peer wraps around early */
	b->port = PEER_PORT;
	b->our_port = OUR_PORT;
	f.bufs = &b->bufs;
	f.counters = &b->counters;
	assert_int_equal(ss_tcp_create(&b->t, &f, b->now), 0);
}

void bench_close(struct bench *b)
{
	ss_tcp_free(b->t);
	assert_int_equal(b->counters.v[SS_C_TCP_CONNS], 0);
	assert_int_equal(ss_testpool_used(&b->bufs), 0);
	ss_testpool_free(&b->bufs);
}

static void take_news(struct bench *b, struct ss_list *news)
{
	struct ss_list *n;

	while ((n = ss_list_pop(news))) {
		struct ss_tcp_conn *c = ss_tcp_from_news(n);
		uint32_t ev = ss_tcp_events(c);
		assert_int_not_equal(ev, 0);
		if (ev & SS_TCP_EV_ACCEPTED) {
			b->accepted++;
			b->c = c;
		}
		if (c == b->c)
			b->events |= ev;
	}
}

static void turn(struct bench *b, struct ss_segs *segs)
{
	struct ss_list news;

	ss_list_init(&news);
	ss_tcp_input(b->t, segs, b->now, &news);
	ss_tcp_expire(b->t, b->now, &news);
	take_news(b, &news);
	ss_tcp_flush(b->t, b->now);
	ss_tcp_bury(b->t);
}

void bench_turn(struct bench *b)
{
	struct ss_segs none = { .n = 0 };
	turn(b, &none);
}

void bench_in(struct bench *b, struct ss_tcphdr h, uint32_t len)
{
	static struct ss_segs segs;
	struct rte_mbuf *m = ss_buf_alloc(&b->bufs);

	assert_non_null(m);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(h.seq + i);
	h.src_port = b->port;
	h.dst_port = b->our_port;
	if (b->ts && !h.has_ts) {
		h.has_ts = true;
		h.ts_val = b->ts;
	}
	segs.n = 1;
	segs.v[0] = (struct ss_seg){ .m = m, .h = h, .payload = (uint16_t)len,
				     .tuple = { ss_ip4(US), ss_ip4(PEER), b->our_port, b->port } };
	turn(b, &segs);
}

void bench_wait(struct bench *b, uint64_t ns)
{
	uint64_t end = b->now + ns, next;

	while ((next = ss_tcp_next(b->t)) <= end) {
		b->now = ss_max_u64(b->now, next);
		bench_turn(b);
	}
	b->now = end;
	bench_turn(b);
}

void bench_send(struct bench *b, uint32_t n)
{
	struct ss_bufq q;
	uint8_t bytes[1000];

	ss_bufq_init(&q);
	while (n) {
		uint32_t k = ss_min_u32(n, sizeof(bytes));
		memset(bytes, 'x', k);
		assert_int_equal(ss_bufq_append(&q, &b->bufs, bytes, k), 0);
		n -= k;
	}
	assert_int_equal(ss_tcp_send(b->c, &q), 0);
	bench_turn(b);
}

struct bench_out bench_next(struct bench *b)
{
	if (b->at == b->n_out)
		fail_msg("no segment was sent");
	return b->out[b->at++ % SS_ARRAY_LEN(b->out)];
}

void bench_none(struct bench *b)
{
	if (b->at != b->n_out) {
		struct bench_out o = bench_next(b);
		fail_msg("unexpected segment: flags %02x seq %u ack %u len %u", o.h.flags, o.h.seq - b->iss,
			 o.h.ack - b->irs, o.len);
	}
}

void bench_expect(struct bench *b, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct bench_out o = bench_next(b);

	if (o.h.flags != flags || o.h.seq != b->iss + seq || o.len != len ||
	    ((flags & A) && o.h.ack != b->irs + ack))
		fail_msg("expected flags %02x seq %u ack %u len %u, got %02x %u %u %u", flags, seq, ack, len,
			 o.h.flags, o.h.seq - b->iss, o.h.ack - b->irs, o.len);
	assert_int_equal(o.h.has_ts && !(flags & R), b->ts != 0 && !(flags & R));
}

uint32_t bench_events(struct bench *b)
{
	uint32_t e = b->events;
	b->events = 0;
	return e;
}

void bench_accept(struct bench *b, struct ss_tcphdr opts)
{
	struct ss_addr at = { ss_ip4(US), OUR_PORT };

	assert_int_equal(ss_tcp_listen(b->t, &at, 7, 4), 0);
	opts.flags = S;
	opts.seq = b->irs;
	opts.window = 60000;
	opts.has_mss = true;
	opts.mss = opts.mss ? opts.mss : 1000;
	bench_in(b, opts, 0);
	struct bench_out o = bench_next(b);
	assert_int_equal(o.h.flags, S | A);
	assert_int_equal(o.h.ack, b->irs + 1);
	b->iss = o.h.seq;
	if (opts.has_ts)
		b->ts = opts.ts_val;
	IN(b, A, 1, 1, 0);
	bench_none(b);
	assert_int_equal(bench_events(b), SS_TCP_EV_ACCEPTED);
	assert_int_equal(b->c->state, SS_TCP_ESTABLISHED);
}

void bench_connect(struct bench *b, struct ss_tcphdr opts)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };

	assert_int_equal(ss_tcp_connect(b->t, &to, b->now, &b->c), 0);
	bench_turn(b);
	struct bench_out o = bench_next(b);
	assert_int_equal(o.h.flags, S);
	b->iss = o.h.seq;
	b->our_port = o.h.src_port;
	opts.flags = S | A;
	opts.seq = b->irs;
	opts.ack = b->iss + 1;
	opts.window = 60000;
	opts.has_mss = true;
	opts.mss = opts.mss ? opts.mss : 1000;
	if (opts.has_ts)
		b->ts = opts.ts_val;
	bench_in(b, opts, 0);
	bench_expect(b, A, 1, 1, 0);
	assert_int_equal(bench_events(b), SS_TCP_EV_CONNECTED);
}
