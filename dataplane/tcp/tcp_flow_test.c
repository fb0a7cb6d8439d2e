/* tcp_flow_test.c - an open connection, segment by segment: windows, ACKs, buffers, time stamps. */
#include "tcp/tcp_flow_bed.h"

static void second_full_segment_is_acked_at_once(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A, 1, 1, 1000);
	bench_none(&b);
	IN(&b, A, 1001, 1, 1000);
	bench_expect(&b, A, 1, 2001, 0);
	check_rx(1, 2000);
}

static void lone_segment_is_acked_after_40_ms(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A | P, 1, 1, 100);
	bench_wait(&b, 39 * MS);
	bench_none(&b);
	bench_wait(&b, 3 * MS);
	bench_expect(&b, A, 1, 101, 0);
	bench_wait(&b, 1 * SEC);
	bench_none(&b);
}

static void answer_carries_the_ack(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A | P, 1, 1, 100);
	bench_send(&b, 50);
	bench_expect(&b, A | P, 1, 101, 50);
	bench_wait(&b, 100 * MS);
	bench_none(&b); /* and no pure ACK follows */
}

static void bytes_split_at_the_mss(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 2500);
	bench_expect(&b, A, 1, 1, 1000);
	bench_expect(&b, A, 1001, 1, 1000);
	bench_expect(&b, A | P, 2001, 1, 500);
	assert_int_equal(ss_tcp_unacked(b.c), 2500);
	IN(&b, A, 1, 2001, 0);
	assert_int_equal(ss_tcp_unacked(b.c), 500);
}

static void timestamps_take_room_and_are_echoed(void **s)
{
	bench_accept(&b, (struct ss_tcphdr){.has_ts = true, .ts_val = 70});
	bench_send(&b, 1500);
	bench_expect(&b, A, 1, 1, 988);
	bench_expect(&b, A | P, 989, 1, 512);
	b.ts = 71;
	IN(&b, A, 1, 1, 1000);
	IN(&b, A, 1001, 1, 1000);
	struct bench_out o = bench_next(&b);
	assert_true(o.h.has_ts);
	assert_int_equal(o.h.ts_ecr, 71);
}

static void small_announced_mss_has_a_floor(void **s)
{
	bench_accept(&b, (struct ss_tcphdr){.mss = 1});
	bench_send(&b, 100);
	bench_expect(&b, A, 1, 1, SS_TCP_MSS_MIN);
	bench_expect(&b, A | P, 65, 1, 36);
}

static void scaled_window_is_used(void **s)
{
	bench_accept(&b, (struct ss_tcphdr){.has_wscale = true, .wscale = 4});
	INW(&b, A, 1, 1, 0, 100); /* 1600 bytes */
	bench_send(&b, 3000);
	bench_expect(&b, A, 1, 1, 1000);
	bench_none(&b); /* 600 of a window of once 60000 are not worth a segment */
	INW(&b, A, 1, 1001, 0, 200);
	bench_expect(&b, A, 1001, 1, 1000);
	bench_expect(&b, A | P, 2001, 1, 1000);
}

/* Byte streams pass 2^32 on both sides: the peer starts 512 before it, we just before it too. */
static void sequence_numbers_wrap_around(void **s)
{
	struct ss_tuple u = {ss_ip4(US), ss_ip4(PEER), OUR_PORT, PEER_PORT};

	b.now = 0;
	b.t->now = 0;
	b.now = (uint64_t)(uint32_t)(0xfffffc00u - ss_tcp_isn(b.t, &u)) * 4 * SS_NS_PER_US;
	bench_turn(&b);
	bench_accept(&b, with_sack);
	assert_int_equal(b.iss, 0xfffffc00u);
	for (uint32_t i = 0; i < 5; i++) {
		IN(&b, A | P, 1 + i * 300, 1 + i * 700, 300);
		bench_send(&b, 700);
		bench_expect(&b, A | P, 1 + i * 700, 1 + (i + 1) * 300, 700);
	}
	check_rx(1, 1500);
	IN(&b, A, 1501, 3501, 0);
	assert_int_equal(ss_tcp_unacked(b.c), 0);
	IN(&b, F | A, 1501, 3501, 0);
	bench_expect(&b, A, 3501, 1502, 0);
}

static void out_of_order_bytes_wait_and_are_sacked(void **s)
{
	bench_accept(&b, with_sack);
	IN(&b, A, 1001, 1, 1000);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.ack, b.irs + 1);
	assert_int_equal(o.h.n_sacks, 1);
	assert_int_equal(o.h.sack[0].left, b.irs + 1001);
	assert_int_equal(o.h.sack[0].right, b.irs + 2001);
	IN(&b, A, 3001, 1, 1000);
	o = bench_next(&b);
	assert_int_equal(o.h.n_sacks, 2);
	assert_int_equal(o.h.sack[0].left, b.irs + 3001); /* the newest comes first */
	assert_int_equal(ss_tcp_rx(b.c)->len, 0);
	assert_int_equal(bench_events(&b), 0);
	IN(&b, A, 1, 1, 1000);
	bench_expect(&b, A, 1, 2001, 0);
	check_rx(1, 2000);
	IN(&b, A, 1501, 1, 1600); /* overlaps both neighbours */
	bench_expect(&b, A, 1, 4001, 0);
	check_rx(1, 4000);
	assert_null(b.c->reasm);
}

static void early_fin_waits_for_its_bytes(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, F | A, 101, 1, 50);
	assert_int_equal(bench_events(&b), 0);
	bench_expect(&b, A, 1, 1, 0);
	IN(&b, A, 1, 1, 100);
	assert_int_equal(bench_events(&b), SS_TCP_EV_READ | SS_TCP_EV_EOF);
	bench_expect(&b, A, 1, 152, 0);
	check_rx(1, 150);
}

static void too_many_holes_are_refused(void **s)
{
	bench_accept(&b, with_sack);
	for (uint32_t i = 0; i < SS_TCP_RANGES + 3; i++)
		IN(&b, A, 101 + i * 200, 1, 100);
	assert_int_equal(drops(SS_DROP_TCP_REASM_FULL), 3);
	IN(&b, A, 1, 1, 100);
	check_rx(1, 200);
}

static void bytes_outside_the_window_are_refused(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A, 1 + 20000, 1, 10); /* at the edge */
	bench_expect(&b, A, 1, 1, 0);
	IN(&b, A, 1u - 100, 1, 50); /* before the stream */
	bench_expect(&b, A, 1, 1, 0);
	assert_int_equal(drops(SS_DROP_TCP_SEQ), 2);
	assert_int_equal(bench_events(&b), 0);
	IN(&b, A, 1u - 10, 1, 30); /* half old, half new */
	check_rx(1, 20);
}

static void bytes_past_the_edge_are_cut(void **s)
{
	bench_accept(&b, no_opts);
	for (uint32_t i = 0; i < 19; i++)
		IN(&b, A, 1 + i * 1000, 1, 1000);
	IN(&b, F | A, 19001, 1, 1400);
	assert_int_equal(ss_tcp_rx(b.c)->len, 20000);
	assert_false(b.c->fin_rcvd); /* its FIN lay outside */
	check_rx(1, 20000);
}

static void window_closes_and_opens_in_a_large_step(void **s)
{
	struct bench_out o;

	bench_accept(&b, no_opts);
	for (uint32_t i = 0; i < 20; i++)
		IN(&b, A, 1 + i * 1000, 1, 1000);
	while (b.at != b.n_out)
		o = bench_next(&b);
	assert_int_equal(o.h.window, 0);
	IN(&b, A, 20001, 1, 1); /* a probe */
	o = bench_next(&b);
	assert_int_equal(o.h.ack, b.irs + 20001);
	assert_int_equal(o.h.window, 0);
	consume(500);
	bench_none(&b); /* a silly window is not announced */
	consume(3000);
	o = bench_next(&b);
	assert_int_equal(o.h.window, 3500);
	bench_none(&b);
	IN(&b, A, 20001, 1, 1000);
	consume(16501);
	o = bench_next(&b);
	assert_true(o.h.window >= 10000);
}

static void zero_window_is_probed_with_back_off(void **s)
{
	bench_accept(&b, no_opts);
	INW(&b, A, 1, 1, 0, 0);
	bench_send(&b, 3000);
	bench_none(&b);
	uint64_t start = b.now, at[4];
	for (int i = 0; i < 4; i++) {
		while (b.at == b.n_out)
			bench_wait(&b, 10 * MS);
		at[i] = b.now - start;
		bench_expect(&b, A, 1, 1, 1);
		INW(&b, A, 1, 1, 0, 0);
	}
	assert_in_range(at[0], 200 * MS, 1100 * MS);
	assert_true(at[2] - at[1] >= 2 * (at[1] - at[0]) - 20 * MS);
	assert_true(at[3] - at[2] >= 2 * (at[2] - at[1]) - 20 * MS);
	INW(&b, A, 1, 1, 0, 60000);
	bench_expect(&b, A, 1, 1, 1000);
	bench_expect(&b, A, 1001, 1, 1000);
	bench_expect(&b, A | P, 2001, 1, 1000);
	assert_int_equal(b.counters.v[SS_C_TCP_RTO], 0);
}

static void accepted_probe_byte_is_not_sent_again(void **s)
{
	bench_accept(&b, no_opts);
	INW(&b, A, 1, 1, 0, 0);
	bench_send(&b, 500);
	bench_wait(&b, 300 * MS);
	bench_expect(&b, A, 1, 1, 1);
	INW(&b, A, 1, 2, 0, 5000);
	bench_expect(&b, A | P, 2, 1, 499);
}

static void small_window_is_used_after_a_while(void **s)
{
	bench_accept(&b, no_opts);
	INW(&b, A, 1, 1, 0, 300);
	bench_send(&b, 3000);
	bench_none(&b);
	bench_wait(&b, 300 * MS);
	bench_expect(&b, A, 1, 1, 300);
	bench_none(&b);
}

static void probes_that_are_answered_keep_the_connection(void **s)
{
	bench_accept(&b, no_opts);
	INW(&b, A, 1, 1, 0, 0);
	bench_send(&b, 100);
	for (int i = 0; i < 300; i++) {
		bench_wait(&b, 2 * SEC);
		INW(&b, A, 1, 1, 0, 0);
	}
	assert_int_equal(bench_events(&b), 0);
	bench_wait(&b, 200 * SEC); /* now the peer is gone */
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
	assert_int_equal(ss_tcp_reason(b.c), SS_DROP_TCP_TIMEOUT);
}

static void room_comes_back_as_news(void **s)
{
	bench_accept(&b, no_opts);
	assert_int_equal(ss_tcp_room(b.c), 20000);
	bench_send(&b, 20000);
	assert_int_equal(ss_tcp_room(b.c), 0);
	IN(&b, A, 1, 1001, 0);
	assert_int_equal(bench_events(&b), 0); /* not worth a visit yet */
	IN(&b, A, 1, 8001, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_ROOM);
	assert_int_equal(ss_tcp_room(b.c), 8000);
}

/* Buffers hold 20000; with the limit they hold 16384, and what was offered before stays offered. */
static void a_limit_bounds_both_directions(void **s)
{
	struct bench_out o;

	bench_accept(&b, no_opts);
	ss_tcp_limit(b.t, 1);
	assert_int_equal(ss_tcp_room(b.c), SS_TCP_LIMIT_MIN);
	for (uint32_t i = 0; i < 20; i++)
		IN(&b, A, 1 + i * 1000, 1, 1000);
	while (b.at != b.n_out)
		o = bench_next(&b);
	assert_int_equal(o.h.ack, b.irs + 20001);
	assert_int_equal(o.h.window, 0);
	consume(20000);
	o = bench_next(&b);
	assert_int_equal(o.h.window, SS_TCP_LIMIT_MIN);
}

/* Large buffers are for connections that move: 32 KiB at first, twice that when half was taken in 1 ms. */
static void buffers_grow_with_use(void **s)
{
	struct ss_tcp_conf f = bench_conf();

	bench_close(&b);
	f.rcv_buf = f.snd_buf = 200000;
	bench_open(&b, &f);
	bench_accept(&b, (struct ss_tcphdr){.has_wscale = true, .wscale = 4});
	assert_int_equal(ss_tcp_room(b.c), SS_TCP_BUF_START);
	b.c->cwnd = b.c->max_snd_wnd = 60000;
	assert_int_equal(ss_tcp_room(b.c), 120000);
	b.c->cwnd = b.c->max_snd_wnd = 900000;
	assert_int_equal(ss_tcp_room(b.c), 200000);
	for (uint32_t i = 0; i < 16; i++)
		IN(&b, A, 1 + i * 1000, 1, 1000);
	bench_wait(&b, 2 * SS_NS_PER_MS);
	consume(8000); /* slow */
	assert_int_equal(b.c->rcv_buf, SS_TCP_BUF_START);
	for (uint32_t i = 16; i < 34; i++)
		IN(&b, A, 1 + i * 1000, 1, 1000);
	consume(26000);
	assert_int_equal(b.c->rcv_buf, SS_TCP_BUF_START);
	bench_wait(&b, 2 * SS_NS_PER_MS);
	IN(&b, A, 34001, 1, 1000);
	consume(1000); /* the round is over, and 27,000 of 32,768 were taken in it */
	assert_int_equal(b.c->rcv_buf, 2 * SS_TCP_BUF_START);
	while (b.at != b.n_out)
		bench_next(&b);
}

/* What comes on a connection that we opened is an answer: RFC 9293 3.7.4 lets its sender wait for our ACK. */
static void answers_are_acked_soon(void **s)
{
	bench_connect(&b, no_opts);
	IN(&b, A, 1, 1, 100);
	bench_none(&b);
	bench_wait(&b, 3 * SS_NS_PER_MS);
	bench_expect(&b, A, 1, 101, 0);
}

/* RFC 7323 5 */
static void paws_refuses_old_segments(void **s)
{
	bench_accept(&b, (struct ss_tcphdr){.has_ts = true, .ts_val = 5000});
	b.ts = 6000;
	IN(&b, A | P, 1, 1, 10);
	b.ts = 5999;
	IN(&b, A | P, 11, 1, 10);
	bench_expect(&b, A, 1, 11, 0);
	assert_int_equal(drops(SS_DROP_TCP_PAWS), 1);
	assert_int_equal(ss_tcp_rx(b.c)->len, 10);
	IN(&b, R, 11, 1, 0); /* an RST is not held to it */
	assert_true(bench_events(&b) & SS_TCP_EV_FAILED);
}

static void segment_without_its_timestamp_is_dropped(void **s)
{
	bench_accept(&b, (struct ss_tcphdr){.has_ts = true, .ts_val = 5000});
	b.ts = 0;
	IN(&b, A | P, 1, 1, 10);
	bench_none(&b);
	assert_int_equal(drops(SS_DROP_TCP_PAWS), 1);
	assert_int_equal(bench_events(&b), 0);
}

static void idle_time_takes_the_window_back(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 20000);
	for (uint32_t ack = 2001; ack <= 20001; ack += 2000)
		IN(&b, A, 1, ack, 0);
	assert_true(b.c->cwnd > 15000);
	b.at = b.n_out;
	bench_wait(&b, 5 * SEC);
	bench_send(&b, 20000);
	for (uint32_t i = 0; i < 10; i++)
		bench_next(&b);
	bench_none(&b);
}

/* Nothing is lost when the packet buffers run out: it leaves when there are some again. */
static void empty_buffer_pool_only_delays(void **s)
{
	struct rte_mbuf *all[1024];
	uint32_t n = 0;
	struct ss_bufq q;

	bench_accept(&b, no_opts);
	ss_bufq_init(&q);
	assert_int_equal(ss_bufq_append(&q, &b.bufs, "hello", 5), 0);
	while ((all[n] = rte_pktmbuf_alloc(b.bufs.mp)))
		n++;
	assert_int_equal(ss_tcp_send(b.c, &q), 0);
	bench_turn(&b);
	bench_none(&b);
	assert_true(ss_tcp_next(b.t) <= b.now); /* tries again at once */
	for (uint32_t i = 0; i < n; i++)
		rte_pktmbuf_free(all[i]);
	bench_turn(&b);
	bench_expect(&b, A | P, 1, 1, 5);
}

static void small_segments_share_a_buffer(void **s)
{
	bench_accept(&b, no_opts);
	for (uint32_t i = 0; i < 1000; i++)
		IN(&b, A | P, 1 + i, 1, 1);
	assert_int_equal(ss_tcp_rx(b.c)->len, 1000);
	assert_true(ss_tcp_mbufs(b.t) <= 2);
	check_rx(1, 1000);
}

/* When each end has lost the other's ACKs, old text must still bring its ACK. */
static void ack_of_an_old_segment_counts(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A | P, 1, 1, 100);
	bench_send(&b, 200);
	bench_expect(&b, A | P, 1, 101, 200);
	IN(&b, A | P, 1, 201, 100);
	assert_int_equal(ss_tcp_unacked(b.c), 0);
	bench_expect(&b, A, 201, 101, 0);
}

static void long_queue_leaves_over_several_turns(void **s)
{
	struct ss_tcp_conf f = bench_conf();

	bench_close(&b);
	f.snd_buf = 200000;
	bench_open(&b, &f);
	bench_accept(&b, (struct ss_tcphdr){.has_wscale = true, .wscale = 4});
	b.c->cwnd = 200000;
	bench_send(&b, 150000);
	assert_int_equal(b.n_out - b.at, SS_TCP_CONN_SEGS);
	bench_turn(&b);
	assert_int_equal(b.n_out - b.at, 2 * SS_TCP_CONN_SEGS);
	bench_turn(&b);
	assert_int_equal(b.n_out - b.at, 150);
	bench_turn(&b);
	assert_int_equal(b.n_out - b.at, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(second_full_segment_is_acked_at_once),
		T(lone_segment_is_acked_after_40_ms),
		T(answer_carries_the_ack),
		T(bytes_split_at_the_mss),
		T(timestamps_take_room_and_are_echoed),
		T(small_announced_mss_has_a_floor),
		T(scaled_window_is_used),
		T(sequence_numbers_wrap_around),
		T(out_of_order_bytes_wait_and_are_sacked),
		T(early_fin_waits_for_its_bytes),
		T(too_many_holes_are_refused),
		T(bytes_outside_the_window_are_refused),
		T(bytes_past_the_edge_are_cut),
		T(window_closes_and_opens_in_a_large_step),
		T(zero_window_is_probed_with_back_off),
		T(accepted_probe_byte_is_not_sent_again),
		T(small_window_is_used_after_a_while),
		T(probes_that_are_answered_keep_the_connection),
		T(room_comes_back_as_news),
		T(a_limit_bounds_both_directions),
		T(buffers_grow_with_use),
		T(answers_are_acked_soon),
		T(paws_refuses_old_segments),
		T(segment_without_its_timestamp_is_dropped),
		T(idle_time_takes_the_window_back),
		T(empty_buffer_pool_only_delays),
		T(small_segments_share_a_buffer),
		T(ack_of_an_old_segment_counts),
		T(long_queue_leaves_over_several_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
