/*
 * segment_bench.c - dataplane/tcp: a segment with data comes in and one with data goes out, which also
 * acknowledges; beside 1 and 10,000 connections. The net below is this file's: it answers at once and frees.
 */
#include <stdio.h>
#include <stdlib.h>

#include "buf/testpool.h"
#include "perf/micro/micro.h"
#include "perf/micro/micro_pool.h"
#include "tcp/tcp.h"
#include "wire/tcphdr.h"

#define US 0x0a000001u
#define PEER 0x0a000002u
#define PORT 443
#define ISS 1000u

struct peer {
	struct ss_tcp_conn *c;
	uint32_t seq, ack; /* the peer's next, and what it has of ours */
};

struct lab {
	struct ss_tcp *t;
	struct ss_bufpool bufs;
	struct ss_counters counters;
	struct peer *peer;
	uint32_t n_peers, next, len;
	uint64_t now;
	struct ss_tcphdr last; /* of the segment that left last */
	uint32_t left;         /* segments that left */
};

/* The stub below knows its lab by this, for want of a net to carry it. */
static struct lab *lab;

void ss_net_output_tcp(struct ss_net *n, struct rte_mbuf *m, const struct ss_ip *src, const struct ss_ip *dst,
		       uint64_t now)
{
	ss_tcphdr_parse(&lab->last, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	lab->left++;
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

static void input(struct lab *k, uint32_t who, uint8_t flags, uint32_t len, struct ss_list *news)
{
	static struct ss_segs segs;
	struct peer *p = &k->peer[who];
	struct rte_mbuf *m = ss_buf_alloc(&k->bufs);

	assert(m);
	if (len)
		rte_pktmbuf_append(m, (uint16_t)len);
	segs.n = 1;
	segs.v[0] = (struct ss_seg){
		.m = m,
		.payload = (uint16_t)len,
		.tuple = {ss_ip4(US), ss_ip4(PEER + who / 50000), PORT, (uint16_t)(1024 + who % 50000)},
		.h = {.flags = flags,
		      .seq = p->seq,
		      .ack = p->ack,
		      .window = 60000,
		      .dst_port = PORT,
		      .src_port = (uint16_t)(1024 + who % 50000),
		      .has_mss = flags & SS_TCP_SYN,
		      .mss = 1460}};
	ss_tcp_input(k->t, &segs, k->now, news);
	p->seq += len + !!(flags & SS_TCP_SYN);
}

static void end_turn(struct lab *k)
{
	ss_tcp_flush(k->t, k->now);
	ss_tcp_bury(k->t);
	k->now += SS_NS_PER_US;
}

/* Request in, answer out: the same number of bytes. */
static void echo(void *at, uint32_t n)
{
	struct lab *k = at;
	struct ss_list news;

	lab = k;
	ss_list_init(&news);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t who = k->next;
		k->next = k->next + 1 == k->n_peers ? 0 : k->next + 1;
		input(k, who, SS_TCP_ACK | SS_TCP_PSH, k->len, &news);
		while (!ss_list_empty(&news)) {
			struct ss_tcp_conn *c = ss_tcp_from_news(ss_list_pop(&news));
			struct ss_bufq q;
			ss_tcp_events(c);
			ss_bufq_init(&q);
			ss_bufq_move(&q, ss_tcp_rx(c));
			ss_tcp_consumed(c, q.len);
			ss_tcp_send(c, &q);
		}
		end_turn(k);
		assert(k->last.seq == k->peer[who].ack);
		k->peer[who].ack += k->len;
	}
}

static void open_all(struct lab *k)
{
	struct ss_list news;

	ss_list_init(&news);
	lab = k;
	for (uint32_t i = 0; i < k->n_peers; i++) {
		k->peer[i].seq = ISS;
		input(k, i, SS_TCP_SYN, 0, &news);
		end_turn(k);
		k->peer[i].ack = k->last.seq + 1;
		input(k, i, SS_TCP_ACK, 0, &news);
		assert(!ss_list_empty(&news));
		k->peer[i].c = ss_tcp_from_news(ss_list_pop(&news));
		ss_tcp_events(k->peer[i].c);
		end_turn(k);
	}
}

static void make(struct lab *k, uint32_t conns)
{
	struct ss_addr at = {ss_ip4(US), PORT};
	struct ss_tcp_conf conf = {.max_conns = conns * 2,
				   .max_half_open = 64,
				   .rcv_buf = 65536,
				   .snd_buf = 65536,
				   .time_wait_ns = SS_NS_PER_SEC,
				   .connect_timeout_ns = SS_NS_PER_SEC,
				   .user_timeout_ns = 10 * SS_NS_PER_SEC,
				   .port_low = 40000,
				   .port_high = 50000,
				   .n_workers = 1,
				   .secret = {1, 2},
				   .bufs = &k->bufs,
				   .counters = &k->counters};

	k->now = 1000 * SS_NS_PER_SEC;
	k->n_peers = conns;
	k->peer = calloc(conns, sizeof(*k->peer));
	if (ss_tcp_create(&k->t, &conf, k->now) < 0 || ss_tcp_listen(k->t, &at, 1, conns * 2) < 0)
		abort();
	open_all(k);
}

void micro_items(struct micro *m)
{
	static const uint32_t conns[] = {1, 10000}, lens[] = {64, 1400};
	struct ss_bufpool bufs = micro_pool("micro-tcp", 12287);
	char name[48];

	for (uint32_t i = 0; i < SS_ARRAY_LEN(conns); i++) {
		static struct lab k;
		k = (struct lab){.bufs = bufs};
		make(&k, conns[i]);
		for (uint32_t l = 0; l < SS_ARRAY_LEN(lens); l++) {
			snprintf(name, sizeof(name), "tcp.in_out.%u.conns_%u", lens[l], conns[i]);
			k.len = lens[l];
			micro_run(m, name, echo, &k);
		}
		ss_tcp_free(k.t);
		free(k.peer);
	}
	ss_testpool_free(&bufs);
}
