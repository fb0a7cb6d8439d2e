/* tcp_open_test.c - opening and closing, segment by segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "tcp/tcp_bench.h"

static struct bench b;
static const struct ss_tcphdr no_opts;

static int setup(void **s)
{
	struct ss_tcp_conf f = bench_conf();
	bench_open(&b, &f);
	return 0;
}

static int teardown(void **s)
{
	bench_close(&b);
	return 0;
}

static uint64_t drops(enum ss_drop d)
{
	return b.counters.drops[d];
}

static void listen_here(uint32_t max)
{
	struct ss_addr at = { ss_ip4(US), OUR_PORT };
	assert_int_equal(ss_tcp_listen(b.t, &at, 7, max), 0);
}

static void syn_options_are_answered_in_kind(void **s)
{
	listen_here(4);
	bench_in(&b,
		 (struct ss_tcphdr){.flags = S,
				    .seq = b.irs,
				    .window = 1000,
				    .has_mss = true,
				    .mss = 1400,
				    .has_wscale = true,
				    .wscale = 7,
				    .has_sack_ok = true,
				    .has_ts = true,
				    .ts_val = 55},
		 0);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.flags, S | A);
	assert_true(o.h.has_mss && o.h.has_wscale && o.h.has_sack_ok && o.h.has_ts);
	assert_int_equal(o.h.mss, 1460);
	assert_int_equal(o.h.ts_ecr, 55);
	assert_int_equal(o.h.window, 20000);

	b.port++;
	bench_in(&b, (struct ss_tcphdr){ .flags = S, .seq = b.irs, .window = 1000 }, 0);
	o = bench_next(&b);
	assert_int_equal(o.h.flags, S | A);
	assert_false(o.h.has_wscale || o.h.has_sack_ok || o.h.has_ts);
	bench_none(&b);
}

static void accepts_on_the_last_ack_only(void **s)
{
	bench_accept(&b, no_opts);
	assert_int_equal(ss_tcp_cookie(b.c), 7);
	assert_int_equal(ss_tcp_listener_conns(b.t, 7), 1);
	assert_int_equal(ss_tcp_tuple(b.c)->remote_port, PEER_PORT);
	assert_int_equal(b.counters.v[SS_C_TCP_ACCEPTED], 1);
}

static void handshake_ack_with_bytes_delivers_them(void **s)
{
	listen_here(4);
	IN(&b, S, 0, 0, 0);
	b.iss = bench_next(&b).h.seq;
	IN(&b, A | P, 1, 1, 100);
	assert_int_equal(bench_events(&b), SS_TCP_EV_ACCEPTED | SS_TCP_EV_READ);
	assert_int_equal(ss_tcp_rx(b.c)->len, 100);
}

static void wrong_last_ack_is_reset(void **s)
{
	listen_here(4);
	IN(&b, S, 0, 0, 0);
	b.iss = bench_next(&b).h.seq;
	IN(&b, A, 1, 2, 0);
	bench_expect(&b, R, 2, 0, 0);
	assert_int_equal(b.accepted, 0);
}

static void syn_ack_is_repeated_then_given_up(void **s)
{
	listen_here(4);
	IN(&b, S, 0, 0, 0);
	b.iss = bench_next(&b).h.seq;
	IN(&b, S, 0, 0, 0); /* the SYN once more: our answer was lost */
	bench_expect(&b, S | A, 0, 1, 0);
	bench_wait(&b, 200 * SEC);
	for (int i = 2; i < SS_TCP_SYN_TRIES; i++)
		bench_expect(&b, S | A, 0, 1, 0);
	bench_none(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

static void half_open_connections_are_limited(void **s)
{
	listen_here(4);
	for (int i = 0; i < 4; i++, b.port++)
		IN(&b, S, 0, 0, 0);
	assert_int_equal(bench_next(&b).h.flags, S | A);
	assert_int_equal(bench_next(&b).h.flags, S | A);
	bench_none(&b); /* a flood is not answered */
	assert_int_equal(drops(SS_DROP_TCP_SYN_FLOOD), 2);
	assert_int_equal(ss_tcp_conns(b.t), 2);
	/* A reset from the peer makes room again. */
	b.port = PEER_PORT;
	IN(&b, R, 1, 0, 0);
	assert_int_equal(ss_tcp_conns(b.t), 1);
	b.port = PEER_PORT + 9;
	IN(&b, S, 0, 0, 0);
	assert_int_equal(bench_next(&b).h.flags, S | A);
	assert_int_equal(b.accepted, 0);
}

static void full_listener_refuses_by_reset(void **s)
{
	listen_here(1);
	IN(&b, S, 0, 0, 0);
	b.iss = bench_next(&b).h.seq;
	IN(&b, A, 1, 1, 0);
	b.port++;
	IN(&b, S, 0, 0, 0);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.flags, R | A);
	assert_int_equal(o.h.ack, b.irs + 1);
	assert_int_equal(drops(SS_DROP_TCP_LISTEN_FULL), 1);
}

/* Of four connections clients get three, or what is not kept for endpoints by configuration. */
static void what_is_kept_for_endpoints_is_not_accepted(void **s)
{
	for (uint32_t kept = 0; kept <= 2; kept += 2) {
		struct ss_tcp_conf f = bench_conf();

		bench_close(&b);
		f.kept_conns = kept;
		bench_open(&b, &f);
		listen_here(4);
		for (uint32_t i = 0; i < 4; i++, b.port++) {
			bool taken = i < (kept ? 2 : 3);

			IN(&b, S, 0, 0, 0);
			struct bench_out o = bench_next(&b);
			assert_int_equal(o.h.flags, taken ? S | A : R | A);
			b.iss = o.h.seq;
			if (taken)
				IN(&b, A, 1, 1, 0);
		}
		assert_int_equal(ss_tcp_conns(b.t), kept ? 2 : 3);
		assert_int_equal(drops(SS_DROP_TCP_CONNS_FULL), kept ? 2 : 1);
	}
}

static void unlisten_keeps_established_connections(void **s)
{
	struct ss_addr at = { ss_ip4(US), OUR_PORT };

	bench_accept(&b, no_opts);
	b.port++;
	IN(&b, S, 0, 0, 0);
	uint32_t half = bench_next(&b).h.seq;
	assert_int_equal(ss_tcp_listen(b.t, &at, 8, 1), SS_ERR_REFUSED);
	ss_tcp_unlisten(b.t, &at);
	bench_in(&b, (struct ss_tcphdr){ .flags = A, .seq = b.irs + 1, .ack = half + 1 }, 0);
	assert_int_equal(bench_next(&b).h.flags, R); /* half open: too late */
	b.port--;
	IN(&b, A | P, 1, 1, 5);
	assert_int_equal(bench_events(&b), SS_TCP_EV_READ);
	assert_int_equal(ss_tcp_listener_conns(b.t, 7), 1);
	assert_int_equal(ss_tcp_listen(b.t, &at, 8, 1), 0);
}

static void strangers_are_answered_with_reset(void **s)
{
	IN(&b, A, 5, 77, 10);
	bench_expect(&b, R, 77, 0, 0); /* its sequence number is what was acknowledged */
	IN(&b, S, 5, 0, 0);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.flags, R | A);
	assert_int_equal(o.h.ack, b.irs + 6);
	assert_int_equal(o.h.seq, 0);
	IN(&b, F | P, 5, 0, 10);
	assert_int_equal(bench_next(&b).h.ack, b.irs + 16);
	IN(&b, R, 5, 0, 0);
	IN(&b, R | A, 5, 1, 0);
	bench_none(&b);
	assert_int_equal(drops(SS_DROP_TCP_NO_CONN), 3);
}

static void connect_announces_and_opens(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_turn(&b);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.flags, S);
	assert_true(o.h.has_mss && o.h.has_wscale && o.h.has_sack_ok && o.h.has_ts);
	assert_in_range(o.h.src_port, 40000, 40009);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);

	bench_connect(&b, no_opts);
	assert_int_equal(b.counters.v[SS_C_TCP_CONNECTED], 1);
}

static void connect_without_route_or_port_fails(void **s)
{
	struct ss_addr far = { ss_ip4(0x0b000001), 1 }, to = { ss_ip4(PEER), PEER_PORT };
	struct ss_tcp_conn *c;

	assert_int_equal(ss_tcp_connect(b.t, &far, b.now, &c), SS_ERR_NOT_FOUND);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &c), 0);
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &c), SS_ERR_NO_MEM);
	bench_close(&b);

	struct ss_tcp_conf f = bench_conf();
	f.port_high = 40005;
	f.n_workers = 2;
	f.worker = 1;
	bench_open(&b, &f);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &c), 0);
		assert_int_equal(ss_tcp_steer(ss_tcp_tuple(c), 2), 1);
	}
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &c), SS_ERR_FULL);
	assert_int_equal(drops(SS_DROP_TCP_PORTS_FULL), 1);
}

static void syn_is_repeated_until_the_connect_timeout(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_turn(&b);
	b.iss = bench_next(&b).h.seq;
	uint64_t start = b.now;
	for (int i = 0; i < 3; i++) { /* after 1, 3 and 7 s */
		while (b.n_out == b.at)
			bench_wait(&b, 100 * MS);
		assert_int_equal((b.now - start) / SEC, (2 << i) - 1);
		assert_int_equal(bench_next(&b).h.flags, S);
	}
	bench_wait(&b, 4 * SEC);
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
	assert_int_equal(ss_tcp_reason(b.c), SS_DROP_TCP_TIMEOUT);
	bench_none(&b);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

static void refused_connect_fails_at_once(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_turn(&b);
	struct bench_out o = bench_next(&b);
	b.iss = o.h.seq;
	b.our_port = o.h.src_port;
	IN(&b, R | A, 0, 500, 0); /* acknowledges what was not sent: nothing of ours */
	assert_int_equal(bench_events(&b), 0);
	IN(&b, R, 0, 0, 0); /* without ACK: "drop the segment" */
	assert_int_equal(bench_events(&b), 0);
	IN(&b, R | A, 0, 1, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
	assert_int_equal(ss_tcp_reason(b.c), SS_DROP_TCP_RESET);
	bench_none(&b);
}

static void old_syn_ack_is_reset(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_turn(&b);
	struct bench_out o = bench_next(&b);
	b.iss = o.h.seq;
	b.our_port = o.h.src_port;
	IN(&b, S | A, 0, 3, 0);
	bench_expect(&b, R, 3, 0, 0);
	IN(&b, S | A, 0, 1, 0);
	bench_expect(&b, A, 1, 1, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_CONNECTED);
}

static void simultaneous_open_connects(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_turn(&b);
	struct bench_out o = bench_next(&b);
	b.iss = o.h.seq;
	b.our_port = o.h.src_port;
	IN(&b, S, 0, 0, 0);
	bench_expect(&b, S | A, 0, 1, 0);
	assert_int_equal(b.c->state, SS_TCP_SYN_RCVD);
	IN(&b, S | A, 0, 1, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_CONNECTED);
	bench_expect(&b, A, 1, 1, 0);
	IN(&b, A | P, 1, 1, 9);
	assert_int_equal(bench_events(&b), SS_TCP_EV_READ);
}

static void bytes_sent_before_the_answer_leave_with_it(void **s)
{
	struct ss_addr to = { ss_ip4(PEER), PEER_PORT };
	assert_int_equal(ss_tcp_connect(b.t, &to, b.now, &b.c), 0);
	bench_send(&b, 10);
	ss_tcp_shutdown(b.c);
	bench_turn(&b);
	struct bench_out o = bench_next(&b);
	b.iss = o.h.seq;
	b.our_port = o.h.src_port;
	bench_none(&b);
	IN(&b, S | A, 0, 1, 0);
	bench_expect(&b, F | P | A, 1, 1, 10);
	assert_int_equal(b.c->state, SS_TCP_FIN_WAIT_1);
}

static void half_close_keeps_our_direction(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, F | A, 1, 1, 10);
	assert_int_equal(bench_events(&b), SS_TCP_EV_READ | SS_TCP_EV_EOF);
	bench_expect(&b, A, 1, 12, 0);
	bench_send(&b, 20);
	bench_expect(&b, A | P, 1, 12, 20);
	IN(&b, A, 12, 21, 0);
	ss_tcp_shutdown(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 21, 12, 0);
	assert_int_equal(b.c->state, SS_TCP_LAST_ACK);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 1);
	IN(&b, A, 12, 22, 0);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	assert_int_equal(ss_tcp_time_waits(b.t), 0);
	bench_none(&b);
}

static void our_half_close_still_reads(void **s)
{
	bench_accept(&b, no_opts);
	ss_tcp_shutdown(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 1, 1, 0);
	IN(&b, A, 1, 2, 0);
	assert_int_equal(b.c->state, SS_TCP_FIN_WAIT_2);
	IN(&b, A | P, 1, 2, 50);
	assert_int_equal(bench_events(&b), SS_TCP_EV_READ);
	struct ss_bufq q;
	ss_bufq_init(&q);
	assert_int_equal(ss_tcp_send(b.c, &q), SS_ERR_CLOSED);
	IN(&b, F | A, 51, 2, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_EOF);
	bench_expect(&b, A, 2, 52, 0);
	assert_int_equal(ss_tcp_rx(b.c)->len, 50); /* stays readable although TIME-WAIT has the tuple */
	assert_int_equal(ss_tcp_time_waits(b.t), 1);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	bench_wait(&b, 61 * SEC);
	assert_int_equal(ss_tcp_time_waits(b.t), 0);
}

static void simultaneous_close_ends_in_time_wait(void **s)
{
	bench_accept(&b, no_opts);
	ss_tcp_shutdown(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 1, 1, 0);
	IN(&b, F | A, 1, 1, 0); /* sent before ours arrived */
	assert_int_equal(b.c->state, SS_TCP_CLOSING);
	bench_expect(&b, A, 2, 2, 0);
	IN(&b, A, 2, 2, 0);
	assert_int_equal(ss_tcp_time_waits(b.t), 1);
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	bench_none(&b);
}

static void lost_fin_is_repeated(void **s)
{
	bench_accept(&b, no_opts);
	bench_send(&b, 10);
	bench_expect(&b, A | P, 1, 1, 10);
	IN(&b, A, 1, 11, 0);
	ss_tcp_release(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 11, 1, 0);
	bench_wait(&b, 300 * MS);
	bench_expect(&b, F | A, 11, 1, 0);
	IN(&b, F | A, 1, 12, 0);
	bench_expect(&b, A, 12, 2, 0);
	assert_int_equal(ss_tcp_time_waits(b.t), 1);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	IN(&b, F | A, 1, 12, 0); /* our ACK was lost */
	bench_expect(&b, A, 12, 2, 0);
}

static void released_fin_wait_2_does_not_last_for_ever(void **s)
{
	bench_accept(&b, no_opts);
	ss_tcp_release(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 1, 1, 0);
	IN(&b, A, 1, 2, 0);
	assert_int_equal(ss_tcp_conns(b.t), 1);
	bench_wait(&b, 61 * SEC);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	bench_none(&b);
}

static void bytes_for_nobody_make_a_reset(void **s)
{
	bench_accept(&b, no_opts);
	ss_tcp_release(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 1, 1, 0);
	IN(&b, A | P, 1, 2, 7);
	bench_expect(&b, R | A, 2, 1, 0);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

static void abort_resets_and_tells_nobody(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A | P, 1, 1, 7);
	bench_send(&b, 30);
	bench_expect(&b, A | P, 1, 8, 30);
	bench_events(&b);
	ss_tcp_abort(b.c);
	bench_expect(&b, R | A, 31, 8, 0);
	bench_turn(&b);
	assert_int_equal(bench_events(&b), 0);
	assert_int_equal(ss_tcp_mbufs(b.t), 0);
	assert_int_equal(ss_tcp_conns(b.t), 1); /* until release */
	ss_tcp_release(b.c);
	bench_turn(&b);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

static void fail_all_resets_and_tells(void **s)
{
	struct ss_list news;

	bench_accept(&b, no_opts);
	ss_list_init(&news);
	ss_tcp_fail_all(b.t, b.now, &news);
	bench_expect(&b, R | A, 1, 1, 0);
	assert_ptr_equal(ss_tcp_from_news(ss_list_pop(&news)), b.c);
	assert_int_equal(ss_tcp_events(b.c), SS_TCP_EV_FAILED);
	ss_tcp_release(b.c);
	ss_tcp_bury(b.t);
	assert_int_equal(ss_tcp_conns(b.t), 0);
}

/* RFC 5961 3.2 */
static void only_an_exact_reset_ends(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, R, 1 + 20000, 0, 0); /* outside */
	bench_none(&b);
	IN(&b, R, 5, 0, 0); /* inside, not exact */
	bench_expect(&b, A, 1, 1, 0);
	IN(&b, R, 6, 0, 0); /* again: the challenge is rate-limited */
	bench_none(&b);
	assert_int_equal(bench_events(&b), 0);
	assert_int_equal(drops(SS_DROP_TCP_CHALLENGE), 1);
	IN(&b, R, 1, 0, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
	assert_int_equal(ss_tcp_reason(b.c), SS_DROP_TCP_RESET);
	bench_none(&b);
}

/* RFC 5961 4.2 */
static void a_syn_inside_is_challenged(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, S, 1, 0, 0);
	bench_expect(&b, A, 1, 1, 0);
	assert_int_equal(bench_events(&b), 0);
	/* The peer that restarted answers the challenge with an exact RST. */
	IN(&b, R, 1, 0, 0);
	assert_int_equal(bench_events(&b), SS_TCP_EV_FAILED);
}

/* RFC 5961 5.2 */
static void acks_of_the_future_are_challenged(void **s)
{
	bench_accept(&b, no_opts);
	IN(&b, A | P, 1, 1000, 10);
	bench_expect(&b, A, 1, 1, 0);
	assert_int_equal(bench_events(&b), 0);
	assert_int_equal(drops(SS_DROP_TCP_ACK), 1);
}

static void enter_time_wait(struct ss_tcphdr opts)
{
	bench_accept(&b, opts);
	ss_tcp_release(b.c);
	bench_turn(&b);
	bench_expect(&b, F | A, 1, 1, 0);
	IN(&b, F | A, 1, 2, 0);
	bench_expect(&b, A, 2, 2, 0);
	assert_int_equal(ss_tcp_time_waits(b.t), 1);
}

/* RFC 6191 */
static void time_wait_lets_a_newer_syn_in(void **s)
{
	enter_time_wait(no_opts);
	IN(&b, S, 1, 0, 0); /* an old SYN */
	bench_expect(&b, A, 2, 2, 0);
	assert_int_equal(ss_tcp_conns(b.t), 0);
	uint32_t old = b.iss;
	b.irs += 5000;
	IN(&b, S, 0, 0, 0);
	struct bench_out o = bench_next(&b);
	assert_int_equal(o.h.flags, S | A);
	assert_true(ss_seq_gt(o.h.seq, old + 2));
	assert_int_equal(ss_tcp_time_waits(b.t), 0);
	b.iss = o.h.seq;
	IN(&b, A, 1, 1, 0);
	assert_int_equal(b.accepted, 2);
}

static void time_wait_reuse_goes_by_timestamps(void **s)
{
	enter_time_wait((struct ss_tcphdr){ .has_ts = true, .ts_val = 1000 });
	b.irs -= 77777; /* a lower ISN, but a later timestamp */
	b.ts = 999;
	IN(&b, S, 0, 0, 0);
	assert_int_equal(bench_next(&b).h.flags, A);
	b.ts = 1001;
	IN(&b, S, 0, 0, 0);
	assert_int_equal(bench_next(&b).h.flags, S | A);
}

/* RFC 1337 */
static void time_wait_ignores_resets(void **s)
{
	enter_time_wait(no_opts);
	IN(&b, R, 2, 2, 0);
	bench_none(&b);
	assert_int_equal(ss_tcp_time_waits(b.t), 1);
}

static void time_wait_gives_up_its_oldest(void **s)
{
	for (int i = 0; i < 6; i++) {
		if (i == 0) {
			enter_time_wait(no_opts);
			continue;
		}
		b.port++;
		IN(&b, S, 0, 0, 0);
		b.iss = bench_next(&b).h.seq;
		IN(&b, A, 1, 1, 0);
		ss_tcp_release(b.c);
		bench_turn(&b);
		bench_expect(&b, F | A, 1, 1, 0);
		IN(&b, F | A, 1, 2, 0);
		bench_expect(&b, A, 2, 2, 0);
	}
	assert_int_equal(ss_tcp_time_waits(b.t), 4);
	bench_wait(&b, 61 * SEC);
	assert_int_equal(ss_tcp_time_waits(b.t), 0);
}

static void state_steps_follow_the_picture(void **s)
{
	assert_int_equal(ss_tcp_state_step(SS_TCP_ESTABLISHED, SS_TCP_STEP_CLOSE), SS_TCP_FIN_WAIT_1);
	assert_int_equal(ss_tcp_state_step(SS_TCP_ESTABLISHED, SS_TCP_STEP_FIN), SS_TCP_CLOSE_WAIT);
	assert_int_equal(ss_tcp_state_step(SS_TCP_FIN_WAIT_1, SS_TCP_STEP_FIN), SS_TCP_CLOSING);
	assert_int_equal(ss_tcp_state_step(SS_TCP_FIN_WAIT_1, SS_TCP_STEP_FIN_ACKED), SS_TCP_FIN_WAIT_2);
	assert_int_equal(ss_tcp_state_step(SS_TCP_FIN_WAIT_2, SS_TCP_STEP_FIN), SS_TCP_TIME_WAIT);
	assert_int_equal(ss_tcp_state_step(SS_TCP_CLOSING, SS_TCP_STEP_FIN_ACKED), SS_TCP_TIME_WAIT);
	assert_int_equal(ss_tcp_state_step(SS_TCP_CLOSE_WAIT, SS_TCP_STEP_CLOSE), SS_TCP_LAST_ACK);
	assert_int_equal(ss_tcp_state_step(SS_TCP_LAST_ACK, SS_TCP_STEP_FIN_ACKED), SS_TCP_CLOSED);
	assert_int_equal(ss_tcp_state_step(SS_TCP_SYN_SENT, SS_TCP_STEP_CLOSE), SS_TCP_SYN_SENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(syn_options_are_answered_in_kind),
		T(accepts_on_the_last_ack_only),
		T(handshake_ack_with_bytes_delivers_them),
		T(wrong_last_ack_is_reset),
		T(syn_ack_is_repeated_then_given_up),
		T(half_open_connections_are_limited),
		T(full_listener_refuses_by_reset),
		T(what_is_kept_for_endpoints_is_not_accepted),
		T(unlisten_keeps_established_connections),
		T(strangers_are_answered_with_reset),
		T(connect_announces_and_opens),
		T(connect_without_route_or_port_fails),
		T(syn_is_repeated_until_the_connect_timeout),
		T(refused_connect_fails_at_once),
		T(old_syn_ack_is_reset),
		T(simultaneous_open_connects),
		T(bytes_sent_before_the_answer_leave_with_it),
		T(half_close_keeps_our_direction),
		T(our_half_close_still_reads),
		T(simultaneous_close_ends_in_time_wait),
		T(lost_fin_is_repeated),
		T(released_fin_wait_2_does_not_last_for_ever),
		T(bytes_for_nobody_make_a_reset),
		T(abort_resets_and_tells_nobody),
		T(fail_all_resets_and_tells),
		T(only_an_exact_reset_ends),
		T(a_syn_inside_is_challenged),
		T(acks_of_the_future_are_challenged),
		T(time_wait_lets_a_newer_syn_in),
		T(time_wait_reuse_goes_by_timestamps),
		T(time_wait_ignores_resets),
		T(time_wait_gives_up_its_oldest),
		cmocka_unit_test(state_steps_follow_the_picture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
