/* tcp_flow_bed.h - for tests: a stack on the bench whose connection is open. */
#ifndef SS_TCP_FLOW_BED_H
#define SS_TCP_FLOW_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "tcp/tcp_bench.h"

static struct bench b;
static SS_UNUSED const struct ss_tcphdr no_opts;
static SS_UNUSED const struct ss_tcphdr with_sack = {.has_sack_ok = true};

static SS_UNUSED int setup(void **s)
{
	struct ss_tcp_conf f = bench_conf();
	bench_open(&b, &f);
	return 0;
}

static SS_UNUSED int teardown(void **s)
{
	bench_close(&b);
	return 0;
}

static SS_UNUSED uint64_t drops(enum ss_drop d)
{
	return b.counters.drops[d];
}

static SS_UNUSED void consume(uint32_t n)
{
	ss_bufq_drop(ss_tcp_rx(b.c), n);
	ss_tcp_consumed(b.c, n);
	bench_turn(&b);
}

/* What arrived is the peer's byte pattern from relative sequence number `from` on. */
static SS_UNUSED void check_rx(uint32_t from, uint32_t n)
{
	uint8_t bytes[20000];
	struct ss_bufq *q = ss_tcp_rx(b.c);

	assert_int_equal(q->len, n);
	assert_int_equal(ss_bufq_read(q, 0, bytes, n), n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t seq = b.irs + from + i;
		/* every segment of the bench starts its pattern with its own sequence number */
		assert_int_equal(bytes[i], (uint8_t)seq);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
