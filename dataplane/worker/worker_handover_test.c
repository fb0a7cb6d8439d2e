#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "buf/testpool.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "worker/worker_int.h"

#define WORKERS 3
#define POOL 8191

/* Workers with nothing but what the hand-over touches. */
struct lab {
	struct ss_bufpool pool;
	struct ss_handover *h;
	struct ss_worker *w[WORKERS];
	struct ss_counters *c[WORKERS];
	struct ss_mailbox *mail[WORKERS];
};

static struct lab lab;

static int start(void **state)
{
	lab.pool = ss_testpool_create("handover_test", POOL);
	assert_int_equal(ss_handover_create(&lab.h, WORKERS), 0);
	for (uint16_t i = 0; i < WORKERS; i++) {
		lab.w[i] = calloc(1, sizeof(*lab.w[i]));
		lab.c[i] = aligned_alloc(SS_CACHE_LINE, sizeof(*lab.c[i]));
		memset(lab.c[i], 0, sizeof(*lab.c[i]));
		lab.mail[i] = ss_mailbox_create();
		lab.w[i]->index = i;
		lab.w[i]->n_workers = lab.w[i]->conf.n_workers = WORKERS;
		lab.w[i]->conf.handover = lab.h;
		lab.w[i]->counters = lab.c[i];
		lab.w[i]->bufs = lab.pool;
		ss_handover_join(lab.h, i, lab.mail[i]);
	}
	return 0;
}

static int stop(void **state)
{
	ss_handover_free(lab.h);
	for (int i = 0; i < WORKERS; i++) {
		free(lab.w[i]);
		free(lab.c[i]);
		ss_mailbox_free(lab.mail[i]);
	}
	bool clean = ss_testpool_used(&lab.pool) == 0;
	ss_testpool_free(&lab.pool);
	return clean ? 0 : -1;
}

static struct rte_mbuf *frame(uint16_t type, uint16_t src_port)
{
	struct rte_mbuf *m = ss_buf_alloc(&lab.pool);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct ss_eth eth = { .type = type, .vlan = SS_ETH_NO_VLAN };
	struct ss_iphdr ip = { .src = ss_ip4(0x0a000002), .dst = ss_ip4(0x0a000001), .proto = SS_IP_PROTO_TCP,
			       .ttl = 64, .payload = 20 };

	assert_non_null(rte_pktmbuf_append(m, 64));
	memset(p, 0, 64);
	p += ss_eth_emit(&eth, p);
	if (type == SS_ETH_IP4) {
		p += ss_iphdr_emit(&ip, p);
		ss_put_be16(p, src_port);
		ss_put_be16(p + 2, 443);
	}
	return m;
}

static bool woken(int i)
{
	struct pollfd p = { .fd = ss_mailbox_fd(lab.mail[i]), .events = POLLIN };
	uint64_t n;
	return poll(&p, 1, 0) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n);
}

/* Each frame comes out at the worker that net names, with its interface, once. */
static void frames_reach_their_worker(void **state)
{
	uint32_t sent[WORKERS] = { 0 }, got[WORKERS] = { 0 };

	for (uint16_t round = 0; round < 20; round++) {
		uint16_t at = round % WORKERS;
		struct ss_worker *w = lab.w[at];
		for (uint16_t i = 0; i < SS_BURST; i++) {
			w->pkts[i] = frame(SS_ETH_IP4, (uint16_t)(round * 1000 + i));
			sent[ss_net_steer(w->pkts[i], WORKERS)]++;
		}
		uint16_t kept = ss_worker_sort(w, 5, SS_BURST);
		for (uint16_t i = 0; i < kept; i++) {
			assert_int_equal(ss_net_steer(w->pkts[i], WORKERS), at);
			rte_pktmbuf_free(w->pkts[i]);
		}
		got[at] += kept;
		for (uint16_t to = 0; to < WORKERS; to++) {
			uint16_t n = ss_worker_take(lab.w[to], at);
			for (uint16_t i = 0; i < n; i++) {
				assert_int_equal(ss_net_steer(lab.w[to]->pkts[i], WORKERS), to);
				assert_int_equal(lab.w[to]->pkts[i]->port, 5);
				rte_pktmbuf_free(lab.w[to]->pkts[i]);
			}
			got[to] += n;
		}
	}
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(got[i], sent[i]);
		assert_true(got[i] > 100); /* the hash spreads */
	}
	assert_int_equal(ss_testpool_used(&lab.pool), 0);
}

static void arp_reaches_everyone(void **state)
{
	lab.w[1]->pkts[0] = frame(SS_ETH_ARP, 0);
	assert_int_equal(ss_worker_sort(lab.w[1], 0, 1), 1);
	rte_pktmbuf_free(lab.w[1]->pkts[0]);
	for (uint16_t to = 0; to < WORKERS; to += 2) {
		assert_int_equal(ss_worker_take(lab.w[to], 1), 1);
		rte_pktmbuf_free(lab.w[to]->pkts[0]);
	}
	assert_int_equal(ss_testpool_used(&lab.pool), 0);
}

static void a_full_ring_drops_and_counts(void **state)
{
	uint64_t before = lab.c[0]->drops[SS_DROP_HANDOVER_FULL];
	uint32_t handed = 0, got = 0;

	for (uint16_t i = 0; i < 80; i++) {
		for (uint16_t k = 0; k < SS_BURST; k++)
			lab.w[0]->pkts[k] = frame(SS_ETH_IP4, (uint16_t)(i * SS_BURST + k));
		uint16_t kept = ss_worker_sort(lab.w[0], 0, SS_BURST);
		handed += SS_BURST - kept;
		rte_pktmbuf_free_bulk(lab.w[0]->pkts, kept);
	}
	for (uint16_t to = 1; to < WORKERS; to++) {
		for (uint16_t n; (n = ss_worker_take(lab.w[to], 0)); got += n)
			rte_pktmbuf_free_bulk(lab.w[to]->pkts, n);
	}
	uint64_t dropped = lab.c[0]->drops[SS_DROP_HANDOVER_FULL] - before;
	assert_true(dropped > 0);
	assert_int_equal(got + dropped, handed);
	assert_int_equal(ss_testpool_used(&lab.pool), 0);
}

/* The eventfd is written only for a worker that said it sleeps; and nobody sleeps on a full ring. */
static void wakes_only_sleepers(void **state)
{
	lab.w[0]->wake = 0;
	lab.w[1]->n_ifs = lab.w[2]->n_ifs = 0;
	assert_true(ss_worker_set_asleep(lab.w[1]));
	lab.w[0]->pkts[0] = frame(SS_ETH_ARP, 0);
	ss_worker_sort(lab.w[0], 0, 1);
	rte_pktmbuf_free(lab.w[0]->pkts[0]);
	assert_int_equal(lab.w[0]->wake, 6);
	ss_worker_wake_others(lab.w[0]);
	assert_int_equal(lab.w[0]->wake, 0);
	assert_true(woken(1));
	assert_false(woken(2));
	assert_false(ss_worker_set_asleep(lab.w[2])); /* its ring has the copy */
	for (uint16_t to = 1; to < WORKERS; to++) {
		ss_worker_set_awake(lab.w[to]);
		assert_int_equal(ss_worker_take(lab.w[to], 0), 1);
		rte_pktmbuf_free(lab.w[to]->pkts[0]);
	}
	lab.w[0]->wake = 6;
	ss_worker_wake_others(lab.w[0]);
	assert_false(woken(1) || woken(2));
}

/* A worker alone has no rings: sorting and taking are free of charge. */
static void one_worker_hands_nothing(void **state)
{
	struct ss_worker *w = calloc(1, sizeof(*w));

	w->n_workers = 1;
	assert_int_equal(ss_worker_sort(w, 0, 7), 7);
	assert_int_equal(ss_worker_take(w, 0), 0);
	assert_true(ss_worker_set_asleep(w));
	ss_worker_set_awake(w);
	free(w);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(frames_reach_their_worker),
					cmocka_unit_test(arp_reaches_everyone),
					cmocka_unit_test(a_full_ring_drops_and_counts),
					cmocka_unit_test(wakes_only_sleepers),
					cmocka_unit_test(one_worker_hands_nothing) };
	return cmocka_run_group_tests(t, start, stop);
}
