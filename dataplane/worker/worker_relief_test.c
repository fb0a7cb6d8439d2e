#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "buf/testpool.h"
#include "worker/worker_int.h"

#define PORT_BUFS 64
#define OWN_BUFS 40

static struct rte_mbuf *frame(struct ss_bufpool *bp, uint16_t n, uint8_t mark)
{
	struct rte_mbuf *m = ss_buf_alloc(bp);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, n), mark, n);
	m->port = 3;
	return m;
}

/* As at a burst at which the pools are counted. */
static uint16_t looked(struct ss_worker *w, struct rte_mbuf **m, uint16_t n)
{
	w->bursts[1] = 0;
	return ss_worker_relieve(w, 1, m, n);
}

static void a_low_pool_is_relieved(void **state)
{
	struct ss_bufpool port = ss_testpool_create("relief_port", PORT_BUFS);
	struct ss_worker *w = calloc(1, sizeof(*w));
	struct rte_mbuf *held[PORT_BUFS], *own[OWN_BUFS], *m[3];
	uint32_t n_held = 0, n_own = 0;

	struct ss_tcp_conf tcp = {.max_conns = 1,
				  .max_half_open = 1,
				  .rcv_buf = 65535,
				  .snd_buf = 65535,
				  .port_low = 1000,
				  .port_high = 2000,
				  .n_workers = 1};

	w->counters = calloc(1, sizeof(*w->counters));
	tcp.counters = w->counters;
	assert_int_equal(ss_tcp_create(&w->tcp, &tcp, 0), 0);
	w->bufs = ss_testpool_create("relief_own", OWN_BUFS);

	/* Enough is free: nothing is touched. */
	m[0] = frame(&port, 1000, 1);
	assert_int_equal(looked(w, m, 1), 1);
	assert_ptr_equal(m[0]->pool, port.mp);
	rte_pktmbuf_free(m[0]);

	/* Slow readers hold most of it: payload moves into our own, what is small stays. */
	while (n_held < PORT_BUFS * 4 / 5)
		held[n_held++] = frame(&port, 10, 0);
	m[0] = frame(&port, 1000, 1);
	m[1] = frame(&port, 60, 2);
	m[2] = frame(&port, 1400, 3);
	assert_int_equal(looked(w, m, 3), 3);
	assert_ptr_equal(m[0]->pool, w->bufs.mp);
	assert_ptr_equal(m[1]->pool, port.mp);
	assert_ptr_equal(m[2]->pool, w->bufs.mp);
	assert_int_equal(m[2]->pkt_len, 1400);
	assert_int_equal(*rte_pktmbuf_mtod_offset(m[2], uint8_t *, 1399), 3);
	assert_int_equal(m[2]->port, 3);
	assert_int_equal(ss_testpool_used(&port), n_held + 1);
	for (int i = 0; i < 3; i++)
		rte_pktmbuf_free(m[i]);

	/* Ours are low too: payload is dropped by name, acknowledgements still come through. */
	while (n_own < OWN_BUFS * 4 / 5)
		own[n_own++] = frame(&w->bufs, 10, 0);
	m[0] = frame(&port, 1000, 1);
	m[1] = frame(&port, 60, 2);
	assert_int_equal(looked(w, m, 2), 1);
	assert_int_equal(m[0]->pkt_len, 60);
	assert_int_equal(w->counters->drops[SS_DROP_MBUF_EMPTY], 1);
	assert_int_equal(ss_testpool_used(&port), n_held + 1);
	rte_pktmbuf_free(m[0]);

	while (n_held)
		rte_pktmbuf_free(held[--n_held]);
	while (n_own)
		rte_pktmbuf_free(own[--n_own]);
	assert_int_equal(ss_testpool_used(&port), 0);
	assert_int_equal(ss_testpool_used(&w->bufs), 0);
	ss_testpool_free(&port);
	ss_testpool_free(&w->bufs);
	ss_tcp_free(w->tcp);
	free(w->counters);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_low_pool_is_relieved)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
