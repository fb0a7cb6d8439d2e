/*
 * tcp_sim_test.c - whole conversations over a wire that loses, repeats, reorders and damages packets.
 *
 * tcp_sim_test [runs]       that many seeded runs (300)
 * tcp_sim_test --seed N     one run, with what it was
 *
 * Each run: every byte arrives both ways, both ends see EOF and no failure, both close cleanly (in a tenth of
 * the runs one end aborts instead), and no connection, TIME-WAIT entry or mbuf is left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf/testpool.h"
#include "tcp/tcp_sim.h"

#define STEPS_MAX 400000
#define MBUFS 8191

struct end {
	struct ss_tcp_conn *c;
	uint64_t key;            /* what this end sends */
	uint64_t to_send, sent;
	uint64_t expect, got;    /* of the other end */
	bool opened, eof, shut, released, lazy;
	uint64_t wake;
	const char *wrong;
};

struct run {
	struct ss_rng rng;
	struct end end[2];
	bool starves;            /* packet buffers run out now and then */
	int rude;                /* this end aborts after so many bytes; -1: neither */
	uint64_t rude_after, give_up_at;
	uint32_t n_hoard;
	struct rte_mbuf *hoard[MBUFS];
};

/* The byte at a position: any loss, swap or repetition shows. */
static uint8_t byte_at(uint64_t key, uint64_t pos)
{
	uint64_t x = (pos + key) * 0x9e3779b97f4a7c15ull;
	return (uint8_t)(x >> 56 ^ x >> 29);
}

static void wrong(struct end *e, const char *what)
{
	if (!e->wrong)
		e->wrong = what;
}

static void read_some(struct ss_tcp_sim *s, struct run *r, int host)
{
	struct end *e = &r->end[host], *other = &r->end[!host];
	struct ss_bufq *q = ss_tcp_rx(e->c);
	uint8_t b[4096];
	uint32_t max = e->lazy ? ss_rng_below(&r->rng, 3000) : UINT32_MAX, took = 0;

	while (q->len && took < max) {
		uint32_t n = ss_bufq_read(q, 0, b, ss_min_u32(sizeof(b), max - took));
		for (uint32_t i = 0; i < n; i++)
			if (b[i] != byte_at(other->key, e->got + i))
				wrong(e, "a byte differs");
		ss_bufq_drop(q, n);
		e->got += n;
		took += n;
	}
	if (took)
		ss_tcp_consumed(e->c, took);
	if (e->got > e->expect)
		wrong(e, "more bytes than were sent");
	if (q->len)
		e->wake = s->now + ss_rng_below(&r->rng, 30) * SS_NS_PER_MS;
}

static void write_some(struct ss_tcp_sim *s, struct run *r, int host)
{
	struct end *e = &r->end[host];
	uint8_t b[4096];

	while (e->sent < e->to_send) {
		uint32_t n = (uint32_t)ss_min_u64(1 + ss_rng_below(&r->rng, sizeof(b)), e->to_send - e->sent);
		n = ss_min_u32(n, ss_tcp_room(e->c));
		if (n == 0)
			return;
		for (uint32_t i = 0; i < n; i++)
			b[i] = byte_at(e->key, e->sent + i);
		struct ss_bufq q;
		ss_bufq_init(&q);
		if (ss_bufq_append(&q, &s->bufs, b, n)) {
			if (!r->starves)
				wrong(e, "no mbuf");
			e->wake = s->now + 5 * SS_NS_PER_MS;
			return;
		}
		if (ss_tcp_send(e->c, &q))
			wrong(e, "send refused");
		e->sent += n;
		if (e->lazy && ss_rng_chance(&r->rng, 1, 3)) {
			e->wake = s->now + ss_rng_below(&r->rng, 100) * SS_NS_PER_MS;
			return;
		}
	}
	if (!e->shut) {
		e->shut = true;
		ss_tcp_shutdown(e->c);
	}
}

static void let_go(struct end *e)
{
	e->released = true;
	ss_tcp_release(e->c);
}

/* One end resets in the middle. The other hears of it, or (the RST was lost and it has nothing to send) gives
 * up on its own: what counts is that nothing stays behind. */
static void be_rude(struct ss_tcp_sim *s, struct run *r, int host)
{
	struct end *e = &r->end[host];

	if (host == r->rude && e->sent + e->got >= r->rude_after) {
		ss_tcp_abort(e->c);
		let_go(e);
		r->give_up_at = s->now + 500 * SS_NS_PER_SEC;
	} else if (s->now >= r->give_up_at) {
		ss_tcp_abort(e->c);
		let_go(e);
	} else {
		e->wake = ss_min_u64(e->wake, r->give_up_at);
	}
}

static void take_news(struct ss_tcp_sim *s, struct run *r, int host)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&s->host[host].news))) {
		struct ss_tcp_conn *c = ss_tcp_from_news(n);
		struct end *e = &r->end[host];
		uint32_t ev = ss_tcp_events(c);
		if (ev & SS_TCP_EV_ACCEPTED) {
			if (e->c)
				wrong(e, "accepted twice");
			e->c = c;
		}
		if (e->c != c)
			wrong(e, "news of a stranger");
		if (ev & (SS_TCP_EV_ACCEPTED | SS_TCP_EV_CONNECTED))
			e->opened = true;
		if (ev & SS_TCP_EV_EOF)
			e->eof = true;
		if (ev & SS_TCP_EV_FAILED && r->rude >= 0)
			let_go(e);
		else if (ev & SS_TCP_EV_FAILED)
			wrong(e, ss_drop_name(ss_tcp_reason(c)));
	}
}

static void unhoard(struct run *r)
{
	while (r->n_hoard)
		rte_pktmbuf_free(r->hoard[--r->n_hoard]);
}

/* Takes all packet buffers but a few away, for some turns. */
static void starve(struct ss_tcp_sim *s, struct run *r)
{
	if (r->n_hoard && ss_rng_chance(&r->rng, 1, 10)) {
		unhoard(r);
	} else if (!r->n_hoard && ss_rng_chance(&r->rng, 1, 100)) {
		uint32_t leave = ss_rng_below(&r->rng, 8);
		while (rte_mempool_avail_count(s->bufs.mp) > leave)
			r->hoard[r->n_hoard++] = rte_pktmbuf_alloc(s->bufs.mp);
	}
}

static void app(struct ss_tcp_sim *s, int host)
{
	struct run *r = s->user;
	struct end *e = &r->end[host];

	take_news(s, r, host);
	if (r->starves)
		starve(s, r);
	e->wake = SS_NEVER;
	if (e->opened && !e->released) {
		read_some(s, r, host);
		write_some(s, r, host);
		if (e->eof && e->shut && ss_tcp_rx(e->c)->len == 0)
			let_go(e);
		else if (r->rude >= 0)
			be_rude(s, r, host);
	}
	s->host[host].app_at = e->wake;
}

static uint32_t upto(struct ss_rng *r, uint32_t n)
{
	return ss_rng_below(r, n + 1);
}

static struct ss_tcp_sim_wire random_wire(struct ss_rng *r)
{
	struct ss_tcp_sim_wire w = { .delay = (1 + upto(r, 50)) * 20 * SS_NS_PER_US };

	if (ss_rng_chance(r, 1, 4))
		w.delay *= 50;
	if (ss_rng_chance(r, 7, 8)) {
		w.loss = upto(r, 1) ? upto(r, 300) : upto(r, 1500);
		w.dup = upto(r, 1) * upto(r, 500);
		w.corrupt = upto(r, 1) * upto(r, 300);
		w.reorder = upto(r, 1) * upto(r, 2000);
		w.reorder_by = w.delay * 3;
		w.jitter = upto(r, 1) * w.delay;
	}
	w.strip_sack = ss_rng_chance(r, 1, 4);
	w.strip_ts = ss_rng_chance(r, 1, 4);
	w.strip_wscale = ss_rng_chance(r, 1, 6);
	return w;
}

static struct ss_tcp_conf random_conf(struct ss_rng *r)
{
	static const uint32_t sizes[] = { 1000, 4000, 16384, 65536, 262144, 1000000 };
	return (struct ss_tcp_conf){
		.max_conns = 4,
		.max_half_open = 4,
		.rcv_buf = sizes[ss_rng_below(r, SS_ARRAY_LEN(sizes))] + upto(r, 3),
		.snd_buf = sizes[ss_rng_below(r, SS_ARRAY_LEN(sizes))],
		.time_wait_ns = 240 * SS_NS_PER_SEC,
		.connect_timeout_ns = 600 * SS_NS_PER_SEC,
		.user_timeout_ns = 7200 * SS_NS_PER_SEC,
		.port_low = 40000,
		.port_high = 40003,
		.n_workers = 1,
	};
}

static uint64_t random_length(struct ss_rng *r)
{
	switch (ss_rng_below(r, 4)) {
	case 0:
		return upto(r, 1);
	case 1:
		return upto(r, 5000);
	case 2:
		return upto(r, 150000);
	default:
		return upto(r, 600000);
	}
}

static bool over(const struct ss_tcp_sim *s, const struct run *r)
{
	for (int i = 0; i < 2; i++) {
		const struct ss_tcp *t = s->host[i].tcp;
		bool never = r->rude >= 0 && !r->end[i].c; /* aborted before it was accepted */
		if ((!r->end[i].released && !never) || ss_tcp_conns(t) || ss_tcp_time_waits(t))
			return false;
	}
	return true;
}

static const char *verdict(const struct ss_tcp_sim *s, const struct run *r, uint32_t steps)
{
	for (int i = 0; i < 2; i++) {
		const struct end *e = &r->end[i];
		if (e->wrong)
			return e->wrong;
		if (e->released && r->rude < 0 && e->got != e->expect)
			return "bytes are missing";
	}
	if (!over(s, r))
		return steps >= STEPS_MAX ? "no end in sight" : "everything stands still";
	for (int i = 0; i < 2; i++)
		if (ss_tcp_mbufs(s->host[i].tcp))
			return "mbufs left in queues";
	return NULL;
}

static void tell(const struct ss_tcp_sim *s, const struct run *r, const struct ss_tcp_conf *f, uint64_t start)
{
	const struct ss_tcp_sim_wire *w = &s->wire;
	printf("wire: loss %u dup %u corrupt %u reorder %u delay %" PRIu64 "us jitter %" PRIu64 "us%s%s%s\n",
	       w->loss, w->dup, w->corrupt, w->reorder, w->delay / 1000, w->jitter / 1000,
	       w->strip_sack ? " no-sack" : "", w->strip_ts ? " no-ts" : "", w->strip_wscale ? " no-ws" : "");
	printf("rude %d after %" PRIu64 "\n", r->rude, r->rude_after);
	printf("rcv_buf %u snd_buf %u%s, %.3f s\n", f->rcv_buf, f->snd_buf, r->starves ? " starves" : "",
	       (double)(s->now - start) / 1e9);
	for (int i = 0; i < 2; i++) {
		const struct end *e = &r->end[i];
		const struct ss_counters *c = &s->host[i].counters;
		printf("host %d: sent %" PRIu64 "/%" PRIu64 " got %" PRIu64 "/%" PRIu64
		       " eof %d shut %d released %d conns %u; retrans %" PRIu64 " rto %" PRIu64
		       " fast %" PRIu64 "\n",
		       i, e->sent, e->to_send, e->got, e->expect, e->eof, e->shut, e->released,
		       ss_tcp_conns(s->host[i].tcp), c->v[SS_C_TCP_RETRANS], c->v[SS_C_TCP_RTO],
		       c->v[SS_C_TCP_FAST_RETRANS]);
		for (int d = 1; d < SS_DROP_COUNT; d++)
			if (c->drops[d])
				printf("  %s %" PRIu64 "\n", ss_drop_name((enum ss_drop)d), c->drops[d]);
	}
}

static void prepare(struct ss_tcp_sim *s, struct run *r)
{
	struct ss_addr at = { s->host[1].ip, 80 };

	for (int i = 0; i < 2; i++) {
		struct end *e = &r->end[i];
		e->key = ss_rng_u64(&r->rng);
		e->to_send = random_length(&r->rng);
		e->lazy = ss_rng_chance(&r->rng, 1, 4);
		s->host[i].app = app;
	}
	r->end[0].expect = r->end[1].to_send;
	r->end[1].expect = r->end[0].to_send;
	r->rude = ss_rng_chance(&r->rng, 1, 10) ? (int)upto(&r->rng, 1) : -1;
	r->rude_after = random_length(&r->rng);
	r->give_up_at = SS_NEVER;
	s->user = r;
	if (ss_tcp_listen(s->host[1].tcp, &at, 7, 4) ||
	    ss_tcp_connect(s->host[0].tcp, &at, s->now, &r->end[0].c))
		abort();
}

/* What the wire really did, over all runs: a test in which nothing is lost proves nothing. */
struct totals {
	uint64_t bytes, retrans, rto, fast, bad_csum, closed, no_mbuf;
};

static void add_totals(struct totals *t, const struct ss_tcp_sim *s, const struct run *r)
{
	t->no_mbuf += s->bufs.fails;
	for (int i = 0; i < 2; i++) {
		const struct ss_counters *c = &s->host[i].counters;
		t->bytes += r->end[i].got;
		t->retrans += c->v[SS_C_TCP_RETRANS];
		t->rto += c->v[SS_C_TCP_RTO];
		t->fast += c->v[SS_C_TCP_FAST_RETRANS];
		t->bad_csum += c->drops[SS_DROP_TCP_CSUM] + c->drops[SS_DROP_IP_CSUM];
		t->closed += c->v[SS_C_TCP_CLOSED];
	}
}

static bool run_one(uint64_t seed, const struct ss_bufpool *bufs, bool verbose, struct totals *t)
{
	static struct ss_tcp_sim s;
	static struct run r;
	uint32_t steps = 0;

	memset(&r, 0, sizeof(r));
	ss_rng_seed(&r.rng, seed ^ 0x73696dull);
	r.starves = ss_rng_chance(&r.rng, 1, 8);
	struct ss_tcp_sim_wire wire = random_wire(&r.rng);
	struct ss_tcp_conf conf = random_conf(&r.rng);
	ss_tcp_sim_open(&s, seed, bufs, &conf, &wire);
	uint64_t start = s.now;
	prepare(&s, &r);
	while (steps < STEPS_MAX && !over(&s, &r) && !r.end[0].wrong && !r.end[1].wrong &&
	       ss_tcp_sim_step(&s))
		steps++;
	unhoard(&r);
	const char *bad = verdict(&s, &r, steps);
	if (bad || verbose)
		tell(&s, &r, &conf, start);
	add_totals(t, &s, &r);
	ss_tcp_sim_close(&s);
	if (!bad && ss_testpool_used(bufs))
		bad = "mbufs leaked";
	if (bad)
		printf("FAILED: %s; again with: tcp_sim_test --seed %" PRIu64 "\n", bad, seed);
	else if (verbose)
		printf("good, %u steps\n", steps);
	return !bad;
}

int main(int argc, char **argv)
{
	struct ss_bufpool bufs = ss_testpool_create("tcp-sim", MBUFS);
	uint64_t runs = 300, failed = 0;
	struct totals t = { 0 };

	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		return run_one(strtoull(argv[2], NULL, 0), &bufs, true, &t) ? 0 : 1;
	if (argc == 2)
		runs = strtoull(argv[1], NULL, 0);
	for (uint64_t seed = 1; seed <= runs && failed < 10; seed++)
		failed += !run_one(seed, &bufs, false, &t);
	printf("%" PRIu64 " runs, %" PRIu64 " failed\n", runs, failed);
	printf("%" PRIu64 " bytes, %" PRIu64 " segments again, %" PRIu64 " timeouts, %" PRIu64
	       " fast recoveries, %" PRIu64 " damaged packets found, %" PRIu64 " times no buffer, %" PRIu64
	       " connections closed\n",
	       t.bytes, t.retrans, t.rto, t.fast, t.bad_csum, t.no_mbuf, t.closed);
	bool tried = t.retrans && t.rto && t.fast && t.bad_csum && t.no_mbuf;
	return failed || (runs >= 100 && !tried) ? 1 : 0;
}
