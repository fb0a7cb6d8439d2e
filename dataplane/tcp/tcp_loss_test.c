/* tcp_loss_test.c - an open connection that loses segments: timeouts, SACK, duplicate ACKs, giving up. */
#include "tcp/tcp_flow_bed.h"

static void initial_window_bounds_the_first_flight(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 20000);
	for (uint32_t i = 0; i < 10; i++)
		bench_expect(&b, A, 1 + i * 1000, 1, 1000);
	bench_none(&b);
	IN(&b, A, 1, 2001, 0); /* slow start: two acknowledged, four more */
	for (uint32_t i = 10; i < 14; i++)
		bench_expect(&b, A, 1 + i * 1000, 1, 1000);
	bench_none(&b);
}

static void timeout_repeats_the_first_segment_with_back_off(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 3000);
	for (int i = 0; i < 3; i++)
		bench_next(&b);
	uint64_t start = b.now, last = 0, gap = 0;
	for (int i = 0; i < 4; i++) {
		while (b.at == b.n_out)
			bench_wait(&b, 10 * MS);
		bench_expect(&b, A, 1, 1, 1000);
		bench_none(&b);
		uint64_t at = b.now - start;
		if (i == 0)
			assert_in_range(at, 200 * MS, 220 * MS);
		if (i > 1)
			assert_in_range((at - last) / MS, 2 * gap / MS - 20, 2 * gap / MS + 20);
		gap = at - last;
		last = at;
	}
	assert_int_equal(b.c->cwnd, 1000);
	assert_int_equal(b.c->ssthresh, 2000);
	IN(&b, A, 1, 1001, 0);
	bench_expect(&b, A, 1001, 1, 1000);
	bench_expect(&b, A | P, 2001, 1, 1000);
	IN(&b, A, 1, 3001, 0);
	bench_wait(&b, 10 * SEC);
	bench_none(&b);
}

static void silent_peer_is_given_up(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 100);
	bench_wait(&b, 99 * SEC);
	assert_int_equal(bench_events(&b), 0);
	bench_wait(&b, 2 * SEC);
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
	assert_int_equal(ss_tcp_reason(b.c), SS_DROP_TCP_TIMEOUT);
	struct ss_bufq q;
	ss_bufq_init(&q);
	assert_int_equal(ss_tcp_send(b.c, &q), SS_ERR_CLOSED);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

static void sack_in(uint32_t ack, uint32_t left, uint32_t right)
{
	IN(&b, A, 1, ack, 0, .n_sacks = 1, .sack = {{b.iss + left, b.iss + right}});
}

/* RFC 6675: the hole goes again, nothing else does. */
static void sack_recovery_fills_the_hole(void **s)
{
	bench_accept(&b, with_sack);
	bench_send(&b, 10000);
	for (int i = 0; i < 10; i++)
		bench_next(&b);
	sack_in(2001, 3001, 4001); /* the third is missing */
	sack_in(2001, 3001, 5001);
	bench_none(&b);
	sack_in(2001, 3001, 6001);
	bench_expect(&b, A, 2001, 1, 1000);
	bench_none(&b);
	assert_true(b.c->in_recovery);
	assert_int_equal(b.c->cwnd, 4000);
	assert_int_equal(b.counters.v[SS_C_TCP_FAST_RETRANS], 1);
	IN(&b, A, 1, 10001, 0);
	assert_false(b.c->in_recovery);
	assert_null(b.c->board);
	bench_wait(&b, 5 * SEC);
	bench_none(&b);
	assert_int_equal(b.counters.v[SS_C_TCP_RTO], 0);
}

static void sack_recovery_fills_two_holes_in_one_round(void **s)
{
	bench_accept(&b, with_sack);
	bench_send(&b, 10000);
	for (int i = 0; i < 10; i++)
		bench_next(&b);
	IN(&b, A, 1, 1, 0, .n_sacks = 2,
	   .sack = {{b.iss + 5001, b.iss + 10001}, {b.iss + 1001, b.iss + 4001}});
	bench_expect(&b, A, 1, 1, 1000);
	bench_expect(&b, A, 4001, 1, 1000);
	bench_none(&b);
	IN(&b, A, 1, 4001, 0, .n_sacks = 1, .sack = {{b.iss + 5001, b.iss + 10001}});
	bench_none(&b); /* its hole has gone again already */
	IN(&b, A, 1, 10001, 0);
	bench_none(&b);
	assert_false(b.c->in_recovery);
}

static void sack_blocks_that_lie_are_ignored(void **s)
{
	bench_accept(&b, with_sack);
	bench_send(&b, 2000);
	bench_next(&b);
	bench_next(&b);
	sack_in(1, 5001, 9001);
	sack_in(1, 1001, 1001);
	sack_in(1, 1001, 501);
	sack_in(1, 1u - 50, 1);
	assert_null(b.c->board);
}

/* Without SACK: RFC 3042 lets two new segments out, the third duplicate repeats the first. */
static void third_duplicate_ack_repeats_without_sack(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 18000);
	for (int i = 0; i < 10; i++)
		bench_next(&b);
	IN(&b, A, 1, 1, 0);
	bench_expect(&b, A, 10001, 1, 1000);
	IN(&b, A, 1, 1, 0);
	bench_expect(&b, A, 11001, 1, 1000);
	IN(&b, A, 1, 1, 0);
	bench_expect(&b, A, 1, 1, 1000);
	bench_none(&b);
	assert_true(b.c->in_recovery);
	assert_int_equal(b.c->ssthresh, 6000);
	IN(&b, A, 1, 4001, 0); /* partial: the next one is missing too (RFC 6582) */
	bench_expect(&b, A, 4001, 1, 1000);
	while (b.at != b.n_out)
		assert_true(bench_next(&b).h.seq - b.iss > 12000);
	IN(&b, A, 1, 12001, 0);
	assert_false(b.c->in_recovery);
	assert_true(b.c->cwnd <= 6000);
}

static void duplicates_without_sack_are_acked_one_by_one(void **s)
{
	static struct ss_segs segs;
	struct ss_list news;

	bench_accept(&b, no_opts);
	ss_list_init(&news);
	for (uint32_t i = 0; i < 3; i++) {
		struct rte_mbuf *m = ss_buf_alloc(&b.bufs);
		rte_pktmbuf_append(m, 500);
		segs.v[segs.n++] = (struct ss_seg){
			.m = m,
			.payload = 500,
			.tuple = *ss_tcp_tuple(b.c),
			.h = {.flags = A, .seq = b.irs + 501 + i * 500, .ack = b.iss + 1, .window = 60000}};
	}
	ss_tcp_input(b.t, &segs, b.now, &news);
	ss_tcp_flush(b.t, b.now);
	for (int i = 0; i < 3; i++)
		bench_expect(&b, A, 1, 1, 0);
	bench_none(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(initial_window_bounds_the_first_flight),
		T(timeout_repeats_the_first_segment_with_back_off),
		T(silent_peer_is_given_up),
		T(sack_recovery_fills_the_hole),
		T(sack_recovery_fills_two_holes_in_one_round),
		T(sack_blocks_that_lie_are_ignored),
		T(third_duplicate_ack_repeats_without_sack),
		T(duplicates_without_sack_are_acked_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
