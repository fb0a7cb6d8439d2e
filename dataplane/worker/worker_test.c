/*
 * A whole worker on an in-memory port, and a second TCP stack as its client. Time stands still but for
 * the lab's steps: a clock whose multiplier is zero shows its base. The stage ledger alone is tested on real
 * time; "--requests N SAMPLING" is that work by itself, for counting instructions (docs/stages.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <string.h>

#include "buf/testpool.h"
#include "contract/route_index.h"
#include "worker/worker_int.h"

#define LISTENER 7
#define STEP_NS (100 * SS_NS_PER_US)

struct lab {
	struct ss_clock clock;
	struct ss_snapshot_box box;
	struct ss_ep_table *endpoints;
	struct ss_counters *counters, *peer_counters;
	struct ss_mailbox *mail;
	struct ss_event_ring *events;
	struct ss_port_q *wire, *peer_wire;
	struct ss_worker *w;
	/* the client */
	struct ss_bufpool bufs;
	struct ss_net *net;
	struct ss_tcp *tcp;
	struct ss_segs segs;
	struct ss_list news;
	struct ss_tcp_conn *conn;
	uint32_t events_seen, sampling;
	char got[4096];
	uint32_t n_got;
};

static struct lab lab;

static const struct ss_route route = { .name = 3, .action = SS_ACTION_DIRECT, .direct_status = 200,
				       .direct_body = { (const uint8_t *)"hello\n", 6 },
				       .direct_type = { (const uint8_t *)"text/plain", 10 },
				       .timeout_ns = SS_NS_PER_SEC };
static const uint32_t first_id[1] = { 0 };
static const struct ss_route_index route_index = { .any = { .ids = first_id, .n = 1 } };
static const struct ss_virtual_host host = { .name = 2, .n_routes = 1, .routes = &route,
					     .index = &route_index };
static const struct ss_host_pattern any_host = { .kind = 2 };
static const struct ss_host_table hosts = { .n_hosts = 1, .n_patterns = 1, .hosts = &host,
					    .patterns = &any_host };
static const struct ss_tls_server plain = { .mode = SS_TLS_DISABLE };
static const struct ss_authz allow_all;
static struct ss_listener listener = {
	.name = LISTENER, .protocol = SS_PROTO_AUTO, .max_connections = 100, .tls = &plain, .hosts = &hosts,
	.authz = &allow_all,
	.http = { .max_header_bytes = 60000, .max_headers = 100, .max_streams = 100, .stream_window = 65535,
		  .conn_window = 1 << 20, .hpack_table = 4096, .idle_timeout_ns = 60 * SS_NS_PER_SEC,
		  .request_head_timeout_ns = 10 * SS_NS_PER_SEC,
		  .settings_timeout_ns = 10 * SS_NS_PER_SEC } };
static struct ss_snapshot with_listener = { .generation = 1, .n_workers = 1, .n_listeners = 1,
					    .listeners = &listener };
static struct ss_snapshot without_listener = { .generation = 2, .n_workers = 1 };

static struct ss_counters *new_counters(void)
{
	struct ss_counters *c = aligned_alloc(SS_CACHE_LINE, sizeof(*c));
	memset(c, 0, sizeof(*c));
	return c;
}

static void open_worker(void)
{
	static const struct ss_worker_if ifs[1] = {
		{ .name = "sim", .n_addrs = 1, .addrs = { { { 4, { 10, 0, 0, 1 } }, 24 } } }
	};
	struct ss_worker_port port = { .q = lab.wire, .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1500 };
	struct ss_worker_conf conf = { .n_workers = 1, .n_ifs = 1, .ifs = ifs, .mbufs = 2047, .conns = 64,
				       .streams = 64, .exchanges = 64, .half_open = 64, .arena_small = 64,
				       .arena_large = 4, .neighbours = 16, .rcv_buf = 65535, .snd_buf = 65535,
				       .time_wait_ns = SS_NS_PER_SEC, .user_timeout_ns = 30 * SS_NS_PER_SEC,
				       .stage_sampling = lab.sampling, .clock = &lab.clock, .box = &lab.box, .endpoints = lab.endpoints,
				       .counters = lab.counters, .mail = lab.mail, .events = lab.events };
	char err[200];
	if (ss_worker_create_on(&lab.w, &conf, &port, err, sizeof(err)) < 0)
		fail_msg("%s", err);
}

static void open_client(void)
{
	struct ss_net_if_conf nif = { .name = "peer", .mac = { 2, 0, 0, 0, 0, 2 }, .mtu = 1500, .n_addrs = 1,
				      .addrs = { { { 4, { 10, 0, 0, 2 } }, 24 } }, .port = lab.peer_wire,
				      .answers = true };
	struct ss_net_conf net = { .n_ifs = 1, .ifs = &nif, .max_neighbours = 16, .bufs = &lab.bufs,
				   .counters = lab.peer_counters };
	struct ss_tcp_conf tcp = { .max_conns = 16, .max_half_open = 16, .rcv_buf = 65535, .snd_buf = 65535,
				   .time_wait_ns = SS_NS_PER_SEC, .connect_timeout_ns = SS_NS_PER_SEC,
				   .user_timeout_ns = SS_NS_PER_SEC, .port_low = 20000, .port_high = 30000,
				   .n_workers = 1, .bufs = &lab.bufs, .counters = lab.peer_counters };
	assert_int_equal(ss_net_create(&lab.net, &net, lab.clock.base_ns), 0);
	tcp.net = lab.net;
	assert_int_equal(ss_tcp_create(&lab.tcp, &tcp, lab.clock.base_ns), 0);
	ss_list_init(&lab.news);
	lab.conn = NULL;
	lab.events_seen = lab.n_got = 0;
}

static int open_lab_at(struct ss_clock clock, uint32_t sampling)
{
	lab.clock = clock;
	lab.sampling = sampling;
	listener.addr = (struct ss_addr){ ss_ip4(0x0a000001), 80 };
	assert_int_equal(ss_ep_table_create(&lab.endpoints, 16, 4), 0);
	lab.counters = new_counters();
	lab.peer_counters = new_counters();
	lab.mail = ss_mailbox_create();
	lab.events = ss_event_ring_create(256);
	lab.wire = ss_port_sim_create(lab.counters, false);
	lab.peer_wire = ss_port_sim_create(lab.peer_counters, false);
	size_t n = rte_rcu_qsbr_get_memsize(1);
	lab.box.qsv = aligned_alloc(SS_CACHE_LINE, n);
	rte_rcu_qsbr_init(lab.box.qsv, 1);
	rte_rcu_qsbr_thread_register(lab.box.qsv, 0);
	rte_rcu_qsbr_thread_online(lab.box.qsv, 0);
	atomic_store(&lab.box.current, &with_listener);
	open_worker();
	open_client();
	return 0;
}

static int open_lab(void **state)
{
	return open_lab_at((struct ss_clock){ .base_ns = 5 * SS_NS_PER_SEC }, 0);
}

static int open_lab_in_real_time(void **state)
{
	struct ss_clock clock;
	ss_clock_init(&clock, 0);
	return open_lab_at(clock, 1);
}

static void free_frames(struct ss_port_q *q)
{
	for (struct rte_mbuf *m; (m = ss_port_sim_take(q));)
		rte_pktmbuf_free(m);
	ss_port_sim_free(q);
}

static int close_lab(void **state)
{
	ss_tcp_free(lab.tcp);
	ss_net_free(lab.net);
	ss_port_tx(lab.peer_wire);
	ss_port_tx(lab.wire);
	free_frames(lab.peer_wire);
	free_frames(lab.wire);
	ss_worker_free(lab.w);
	bool clean = ss_testpool_used(&lab.bufs) == 0;
	ss_mailbox_free(lab.mail);
	ss_event_ring_free(lab.events);
	ss_ep_table_free(lab.endpoints);
	free(lab.counters);
	free(lab.peer_counters);
	free(lab.box.qsv);
	return clean ? 0 : -1;
}

static void client_news(void)
{
	for (struct ss_list *n; (n = ss_list_pop(&lab.news));) {
		struct ss_tcp_conn *c = ss_tcp_from_news(n);
		struct ss_bufq *rx = ss_tcp_rx(c);
		uint32_t len = ss_min_u32(rx->len, (uint32_t)sizeof(lab.got) - lab.n_got - 1);
		lab.events_seen |= ss_tcp_events(c);
		ss_bufq_read(rx, 0, lab.got + lab.n_got, len);
		lab.n_got += len;
		lab.got[lab.n_got] = 0;
		ss_bufq_drop(rx, len);
		ss_tcp_consumed(c, len);
	}
}

static void client_turn(void)
{
	struct rte_mbuf *m[SS_BURST];
	uint64_t now = ss_clock_ns(&lab.clock);
	uint16_t n = ss_port_rx(lab.peer_wire, m);
	ss_net_input(lab.net, 0, m, n, now, &lab.segs);
	ss_tcp_input(lab.tcp, &lab.segs, now, &lab.news);
	ss_tcp_expire(lab.tcp, now, &lab.news);
	lab.segs.n = 0;
	client_news();
	ss_tcp_flush(lab.tcp, now);
	ss_port_tx(lab.peer_wire);
	ss_tcp_bury(lab.tcp);
}

/* The frame as the other side's memory sees it: each side frees only into its own pool. */
static void carry(struct ss_port_q *from, struct ss_port_q *to, struct rte_mempool *pool)
{
	for (struct rte_mbuf *m; (m = ss_port_sim_take(from));) {
		ss_port_sim_put(to, rte_pktmbuf_copy(m, pool, 0, UINT32_MAX));
		rte_pktmbuf_free(m);
	}
}

static void step(void)
{
	ss_worker_turn(lab.w);
	carry(lab.wire, lab.peer_wire, lab.bufs.mp);
	client_turn();
	carry(lab.peer_wire, lab.wire, lab.w->bufs.mp);
}

static void run(uint64_t ns)
{
	for (uint64_t end = lab.clock.base_ns + ns; lab.clock.base_ns < end; lab.clock.base_ns += STEP_NS)
		step();
}

static void connect_client(void)
{
	struct ss_addr to = { ss_ip4(0x0a000001), 80 };
	assert_int_equal(ss_tcp_connect(lab.tcp, &to, lab.clock.base_ns, &lab.conn), 0);
	run(10 * SS_NS_PER_MS);
}

static void send_request(void)
{
	static const char text[] = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
	struct ss_bufq q;
	ss_bufq_init(&q);
	assert_int_equal(ss_bufq_append(&q, &lab.bufs, text, sizeof(text) - 1), 0);
	assert_int_equal(ss_tcp_send(lab.conn, &q), 0);
	lab.n_got = 0;
}

static void request(void)
{
	send_request();
	run(10 * SS_NS_PER_MS);
}

/* One after another, each as soon as the one before is answered; in real time. */
static void requests(uint32_t n)
{
	struct ss_addr to = { ss_ip4(0x0a000001), 80 };
	assert_int_equal(ss_tcp_connect(lab.tcp, &to, ss_clock_ns(&lab.clock), &lab.conn), 0);
	while (!(lab.events_seen & SS_TCP_EV_CONNECTED))
		step();
	while (n--) {
		send_request();
		client_turn();
		carry(lab.peer_wire, lab.wire, lab.w->bufs.mp);
		step();
		assert_true(lab.n_got);
	}
	ss_tcp_release(lab.conn);
}

static void assert_nothing_held(void)
{
	struct ss_worker_holdings h;
	ss_worker_holdings(lab.w, &h);
	assert_int_equal(h.conns, 0);
	assert_int_equal(h.tls_conns, 0);
	assert_int_equal(h.http_conns, 0);
	assert_int_equal(h.streams, 0);
	assert_int_equal(h.exchanges, 0);
	assert_int_equal(h.arenas, 0);
	assert_int_equal(h.mbufs, 0);
}

static bool answered(uint32_t kind, uint64_t a)
{
	struct ss_mail mail;
	while (ss_mailbox_take_answer(lab.mail, &mail))
		if (mail.kind == kind && mail.a == a)
			return true;
	return false;
}

static void answers_a_request(void **state)
{
	connect_client();
	assert_true(lab.events_seen & SS_TCP_EV_CONNECTED);
	for (int i = 0; i < 3; i++) {
		request();
		assert_non_null(strstr(lab.got, "HTTP/1.1 200"));
		assert_non_null(strstr(lab.got, "\r\n\r\nhello\n"));
	}
	assert_int_equal(ss_counter_read(lab.counters, SS_C_REQUESTS), 3);
	ss_tcp_release(lab.conn);
	run(3 * SS_NS_PER_SEC);
	assert_nothing_held();
}

static void stop_leaves_nothing(void **state)
{
	connect_client();
	request();
	assert_int_equal(ss_mailbox_send(lab.mail, (struct ss_mail){ .kind = SS_MAIL_STOP }), 0);
	run(20 * SS_NS_PER_MS);
	assert_true(lab.w->stopped);
	assert_true(lab.events_seen & SS_TCP_EV_FAILED); /* the client sees a reset */
	ss_tcp_release(lab.conn);
	assert_nothing_held();
}

/* A listener that a generation lacks takes no new connection; what it has accepted lives on. */
static void adopts_generations(void **state)
{
	connect_client();
	assert_true(answered(SS_MAIL_ADOPTED, 1));
	atomic_store(&lab.box.current, &without_listener);
	run(10 * SS_NS_PER_MS);
	assert_true(answered(SS_MAIL_ADOPTED, 2));
	struct ss_tcp_conn *first = lab.conn;
	lab.events_seen = 0;
	connect_client();
	assert_true(lab.events_seen & SS_TCP_EV_FAILED);
	ss_tcp_release(lab.conn);
	with_listener.generation = 3;
	atomic_store(&lab.box.current, &with_listener);
	lab.events_seen = 0;
	connect_client();
	assert_true(lab.events_seen & SS_TCP_EV_CONNECTED);
	request();
	assert_non_null(strstr(lab.got, "hello\n"));
	with_listener.generation = 1;
	ss_tcp_release(lab.conn);
	ss_tcp_release(first);
	run(3 * SS_NS_PER_SEC);
	assert_nothing_held();
}

/* What control must hear is said until there is room for it. */
static void says_it_again(void **state)
{
	struct ss_mail mail;
	connect_client();
	while (ss_mailbox_answer(lab.mail, (struct ss_mail){ .kind = SS_MAIL_NONE }) == 0)
		;
	atomic_store(&lab.box.current, &without_listener);
	assert_int_equal(ss_mailbox_send(lab.mail, (struct ss_mail){ .kind = SS_MAIL_DRAIN }), 0);
	run(20 * SS_NS_PER_MS);
	ss_tcp_release(lab.conn);
	run(3 * SS_NS_PER_SEC);
	assert_false(answered(SS_MAIL_ADOPTED, 2)); /* this empties the ring */
	run(20 * SS_NS_PER_MS);
	assert_true(ss_mailbox_take_answer(lab.mail, &mail));
	assert_int_equal(mail.kind, SS_MAIL_ADOPTED);
	assert_int_equal(mail.a, 2);
	assert_true(answered(SS_MAIL_DRAINED, 0));
}

static void drains(void **state)
{
	connect_client();
	request();
	assert_int_equal(ss_mailbox_send(lab.mail, (struct ss_mail){ .kind = SS_MAIL_DRAIN }), 0);
	run(20 * SS_NS_PER_MS);
	assert_true(lab.events_seen & SS_TCP_EV_EOF); /* the idle connection is closed politely */
	ss_tcp_release(lab.conn);
	run(3 * SS_NS_PER_SEC);
	assert_true(answered(SS_MAIL_DRAINED, 0));
	lab.events_seen = 0;
	connect_client();
	assert_true(lab.events_seen & SS_TCP_EV_FAILED);
	ss_tcp_release(lab.conn);
	run(20 * SS_NS_PER_MS);
	assert_nothing_held();
}

/* Idle is a matter of time without packets; a waiting letter ends the sleep at once and is read next. */
static void sleeps_until_mail(void **state)
{
	lab.w->conf.idle_sleep_ns = SS_NS_PER_MS;
	connect_client();
	ss_worker_turn(lab.w);
	ss_tcp_release(lab.conn);
	run(5 * SS_NS_PER_SEC);
	assert_true(ss_worker_idle(lab.w));
	lab.w->conf.busy_poll = SS_POLL_ALWAYS;
	assert_false(ss_worker_idle(lab.w));
	lab.w->mail_in = 20;
	uint64_t sleeps = ss_counter_read(lab.counters, SS_C_SLEEPS);
	assert_int_equal(ss_mailbox_send(lab.mail, (struct ss_mail){ .kind = SS_MAIL_STOP }), 0);
	ss_worker_sleep(lab.w); /* would last until the next timer of ARP, seconds away */
	assert_int_equal(ss_counter_read(lab.counters, SS_C_SLEEPS), sleeps + 1);
	assert_int_equal(lab.w->mail_in, 0);
	ss_worker_turn(lab.w);
	assert_true(lab.w->stopping);
}

/* A request is taken, and the turn that took it lasts for so long. */
static void long_turn(uint64_t ns)
{
	send_request();
	step();
	step();
	lab.clock.base_ns += ns;
	lab.w->mail_in = 0; /* the next turn looks, as after a sleep */
}

/* One long turn is a pause: a host has taken the core away, and nobody is refused for it. Turn after turn it is a queue. */
static void a_pause_is_no_queue(void **state)
{
	lab.w->conf.shed_delay_ns = 100 * SS_NS_PER_MS;
	connect_client();
	lab.clock.base_ns += 20 * SS_NS_PER_MS;
	lab.w->mail_in = 0; /* a look ends here: the next one sees the long turn alone */
	step();
	long_turn(300 * SS_NS_PER_MS);
	request();
	assert_non_null(strstr(lab.got, "HTTP/1.1 200"));
	for (int i = 0; i < 3; i++)
		long_turn(300 * SS_NS_PER_MS);
	request();
	assert_non_null(strstr(lab.got, "HTTP/1.1 503"));
	run(50 * SS_NS_PER_MS);
	request();
	assert_non_null(strstr(lab.got, "HTTP/1.1 200"));
	ss_tcp_release(lab.conn);
	run(3 * SS_NS_PER_SEC);
	assert_nothing_held();
}

/* A connection that is left would send its reset into a wire that is gone. */
static void stop_in_real_time(void)
{
	assert_int_equal(ss_mailbox_send(lab.mail, (struct ss_mail){ .kind = SS_MAIL_STOP }), 0);
	for (int i = 0; i < 10000000 && !lab.w->stopped; i++)
		ss_worker_turn(lab.w);
	assert_true(lab.w->stopped);
}

/*
 * Every busy turn sampled. What the worker's clock says of a turn and what the marks of the rooms add up to
 * are two ways to the same time; every stage that a plaintext request passes has some of it.
 */
static void stages_sum_to_busy_time(void **state)
{
	static const enum ss_stage passed[] = { SS_STAGE_PORT_RX, SS_STAGE_NET_IN, SS_STAGE_TCP_IN, SS_STAGE_TLS_IN,
						SS_STAGE_HTTP_IN, SS_STAGE_ROUTE, SS_STAGE_PROXY, SS_STAGE_HTTP_OUT,
						SS_STAGE_TCP_OUT, SS_STAGE_NET_OUT, SS_STAGE_PORT_TX, SS_STAGE_BURY,
						SS_STAGE_OTHER };
	const struct ss_counters *c = lab.counters;
	requests(2000);
	ss_worker_turn(lab.w); /* ends the last one */
	uint64_t busy = ss_counter_read(c, SS_C_BUSY_NS), sum = ss_counter_read(c, SS_C_SAMPLED_MARKS_NS), shared = 0;
	for (int s = 0; s < SS_STAGE_COUNT; s++) {
		sum += ss_ledger_read(&c->ledger.ns[s]);
		shared += ss_ledger_read(&c->ledger.all_ns[s]);
	}
	print_message("busy %llu us, stages %llu us\n", (unsigned long long)(busy / 1000),
		      (unsigned long long)(sum / 1000));
	assert_in_range(sum, busy - busy / 20, busy + busy / 20);
	assert_in_range(shared, busy * 9 / 10, busy);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_BUSY_NS), busy);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TURNS), ss_counter_read(c, SS_C_BUSY_TURNS));
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_RX_PACKETS), ss_counter_read(c, SS_C_RX_PACKETS));
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_REQUESTS), 2000);
	for (size_t i = 0; i < SS_ARRAY_LEN(passed); i++)
		if (!ss_ledger_read(&c->ledger.ns[passed[i]]))
			fail_msg("nothing was booked under %s", ss_stage_name(passed[i]));
	stop_in_real_time();
}

static int start(void **state)
{
	lab.bufs = ss_testpool_create("worker_test", 2047);
	return 0;
}

static int stop(void **state)
{
	ss_testpool_free(&lab.bufs);
	return 0;
}

#define LAB_TEST(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)

static int only_requests(uint32_t n, uint32_t sampling)
{
	struct ss_clock clock;
	start(NULL);
	ss_clock_init(&clock, 0);
	open_lab_at(clock, sampling);
	requests(n);
	stop_in_real_time();
	close_lab(NULL);
	return stop(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest t[] = { LAB_TEST(answers_a_request), LAB_TEST(stop_leaves_nothing),
					LAB_TEST(adopts_generations), LAB_TEST(says_it_again),
					LAB_TEST(drains),
					LAB_TEST(sleeps_until_mail),
					LAB_TEST(a_pause_is_no_queue),
					cmocka_unit_test_setup_teardown(stages_sum_to_busy_time,
									open_lab_in_real_time, close_lab) };
	if (argc == 4 && !strcmp(argv[1], "--requests"))
		return only_requests((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
	return cmocka_run_group_tests(t, start, stop);
}
