/* port_test.c - bursts, copies, rings between workers and refusals, on sim, net_ring and net_null. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf/testpool.h"
#include "port/port_int.h"

static struct ss_counters counters[SS_MAX_WORKERS];
static struct ss_bufpool bp;

static int set_up(void **state)
{
	memset(counters, 0, sizeof(counters));
	bp = ss_testpool_create("port-test", 4095);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(ss_testpool_used(&bp), 0);
	ss_testpool_free(&bp);
	return 0;
}

/* A packet of n bytes in `segs` buffers; byte i is seed + i. */
static struct rte_mbuf *packet(uint32_t n, uint32_t segs, uint8_t seed)
{
	struct rte_mbuf *head = ss_buf_alloc(&bp), *m = head;
	uint32_t each = (n + segs - 1) / segs;

	for (uint32_t i = 0; i < n; i++) {
		if (i && i % each == 0) {
			m->next = ss_buf_alloc(&bp);
			m = m->next;
			head->nb_segs++;
		}
		((uint8_t *)m->buf_addr)[m->data_off + m->data_len++] = (uint8_t)(seed + i);
	}
	head->pkt_len = n;
	return head;
}

static void assert_packet(struct rte_mbuf *m, uint32_t n, uint32_t segs, uint8_t seed)
{
	uint32_t i = 0;

	assert_non_null(m);
	assert_int_equal(m->pkt_len, n);
	assert_int_equal(m->nb_segs, segs);
	for (struct rte_mbuf *s = m; s; s = s->next)
		for (uint32_t k = 0; k < s->data_len; k++, i++)
			assert_int_equal(rte_pktmbuf_mtod(s, uint8_t *)[k], (uint8_t)(seed + i));
	assert_int_equal(i, n);
	rte_pktmbuf_free(m);
}

static void sim_passes_packets_both_ways(void **state)
{
	struct ss_port_q *q = ss_port_sim_create(&counters[0], true);
	struct rte_mbuf *m[SS_BURST];

	ss_port_push(q, packet(60, 1, 1));
	assert_null(ss_port_sim_take(q)); /* it leaves with tx */
	assert_true(ss_port_pending(q));
	assert_int_equal(ss_port_tx(q), 0);
	assert_false(ss_port_pending(q));
	assert_packet(ss_port_sim_take(q), 60, 1, 1);
	for (int i = 0; i < SS_BURST + 6; i++)
		ss_port_sim_put(q, packet(100, 1, (uint8_t)i));
	assert_true(ss_port_pending(q));
	assert_int_equal(ss_port_rx(q, m), SS_BURST);
	for (int i = 0; i < SS_BURST; i++)
		assert_packet(m[i], 100, 1, (uint8_t)i);
	assert_int_equal(ss_port_rx(q, m), 6);
	for (int i = 0; i < 6; i++)
		assert_packet(m[i], 100, 1, (uint8_t)(SS_BURST + i));
	assert_int_equal(counters[0].v[SS_C_RX_PACKETS], SS_BURST + 6);
	assert_int_equal(counters[0].v[SS_C_RX_BYTES], 100 * (SS_BURST + 6));
	assert_int_equal(counters[0].v[SS_C_TX_PACKETS], 1);
	assert_int_equal(counters[0].v[SS_C_TX_BYTES], 60);
	assert_int_equal(ss_port_fd(q), -1);
	ss_port_sim_free(q);
}

static void chains_are_copied_where_one_segment_is_all(void **state)
{
	struct ss_port_q *q = ss_port_sim_create(&counters[0], false);

	for (uint32_t segs = 1; segs <= 8; segs++) {
		ss_port_push(q, packet(1514, segs, (uint8_t)segs));
		ss_port_tx(q);
		assert_packet(ss_port_sim_take(q), 1514, 1, (uint8_t)segs);
		assert_int_equal(counters[0].v[SS_C_TX_LINEARIZED], segs - 1);
	}
	ss_port_sim_free(q);
	q = ss_port_sim_create(&counters[1], true);
	ss_port_push(q, packet(1514, 5, 9));
	ss_port_tx(q);
	assert_packet(ss_port_sim_take(q), 1514, 5, 9);
	assert_int_equal(counters[1].v[SS_C_TX_LINEARIZED], 0);
	ss_port_sim_free(q);
}

static void copies_that_cannot_be_made_are_counted(void **state)
{
	struct ss_port_q *q = ss_port_sim_create(&counters[0], false);
	struct rte_mbuf *all[4096];
	uint32_t n = 0;

	ss_port_push(q, packet(2049, 2, 0)); /* a buffer has room for 2048 */
	assert_int_equal(counters[0].drops[SS_DROP_PORT_TX_LONG], 1);
	struct rte_mbuf *m = packet(100, 2, 0);
	while ((all[n] = rte_pktmbuf_alloc(bp.mp)))
		n++;
	ss_port_push(q, m);
	assert_int_equal(counters[0].drops[SS_DROP_MBUF_EMPTY], 1);
	ss_port_tx(q);
	assert_null(ss_port_sim_take(q));
	while (n)
		rte_pktmbuf_free(all[--n]);
	ss_port_sim_free(q);
}

static struct ss_port *open_port(const char *device, uint16_t queues, uint16_t workers)
{
	struct ss_port_conf conf = { .name = "t", .device = device, .queues = queues, .n_workers = workers,
				     .mtu = 1500, .rx_descriptors = 512, .tx_descriptors = 512, .mbufs = 1023 };
	struct ss_port *p = NULL;
	char err[256] = "";

	int rc = ss_port_open(&p, &conf, err, sizeof(err));
	if (rc < 0)
		print_error("%s\n", err);
	assert_int_equal(rc, 0);
	for (uint16_t w = 0; w < workers; w++)
		assert_ptr_equal(ss_port_queue(p, w, &counters[w]), &p->q[w]);
	assert_null(ss_port_queue(p, workers, &counters[0]));
	return p;
}

static void a_device_can_be_closed_and_opened_again(void **state)
{
	for (int round = 0; round < 3; round++) {
		struct ss_port *p = open_port("net_ring0", 1, 1);
		struct ss_port_info info;
		struct rte_mbuf *m[SS_BURST];

		ss_port_info(p, &info);
		assert_string_equal(info.driver, "net_ring");
		assert_string_equal(ss_port_name(p), "t");
		assert_int_equal(info.queues, 1);
		assert_int_equal(info.pool_size, 1023);
		assert_int_equal(info.pool_used, info.pool_held);
		assert_int_equal(info.mac[0] & 3, 2); /* made up: locally administered */
		assert_true(info.link_up);
		ss_port_push(&p->q[0], packet(64, 1, 5)); /* net_ring receives what it sends */
		ss_port_tx(&p->q[0]);
		assert_int_equal(ss_port_rx(&p->q[0], m), 1);
		assert_packet(m[0], 64, 1, 5);
		ss_port_close(p);
	}
}

static void workers_without_a_queue_send_through_the_owner(void **state)
{
	struct ss_port *p = open_port("net_ring0", 1, 3);
	struct rte_mbuf *m[SS_BURST];

	ss_port_push(&p->q[1], packet(64, 1, 1));
	ss_port_push(&p->q[2], packet(64, 1, 2));
	ss_port_push(&p->q[2], packet(64, 1, 3));
	assert_false(ss_port_pending(&p->q[0]));
	assert_int_equal(ss_port_tx(&p->q[1]), 1); /* wake worker 0 */
	assert_int_equal(ss_port_tx(&p->q[2]), 1);
	assert_int_equal(ss_port_tx(&p->q[2]), 0); /* nothing new: no reason to wake it */
	assert_int_equal(ss_port_rx(&p->q[1], m), 0);
	assert_true(ss_port_pending(&p->q[0]));
	assert_int_equal(ss_port_tx(&p->q[0]), 0);
	assert_false(ss_port_pending(&p->q[0]));
	assert_int_equal(ss_port_rx(&p->q[0], m), 3);
	for (uint8_t i = 0; i < 3; i++)
		assert_packet(m[i], 64, 1, (uint8_t)(i + 1));
	assert_int_equal(counters[2].v[SS_C_HANDOVER_PACKETS], 2);
	assert_int_equal(counters[0].v[SS_C_TX_PACKETS], 3);
	/* what waits in a ring is freed with the port */
	ss_port_push(&p->q[1], packet(64, 1, 1));
	ss_port_tx(&p->q[1]);
	ss_port_push(&p->q[2], packet(64, 1, 1));
	ss_port_close(p);
}

static void a_full_ring_is_counted(void **state)
{
	struct ss_port *p = open_port("net_ring0", 1, 2);

	for (int i = 0; i < PORT_RING + 100; i++)
		ss_port_push(&p->q[1], packet(64, 1, 1));
	ss_port_tx(&p->q[1]);
	/* a ring of 2^n has 2^n - 1 places */
	assert_int_equal(counters[1].drops[SS_DROP_HANDOVER_FULL], 101);
	ss_port_close(p);
}

static void what_the_device_does_not_take_waits_then_is_dropped(void **state)
{
	struct ss_port *p = open_port("net_ring0", 1, 1);
	struct ss_port_q *q = &p->q[0];
	struct rte_mbuf *m[SS_BURST];
	uint32_t n, got = 0;

	for (int i = 0; i < 1024 + PORT_OUT + 50; i++)
		ss_port_push(q, packet(64, 1, (uint8_t)i));
	ss_port_tx(q);
	uint64_t sent = counters[0].v[SS_C_TX_PACKETS];
	assert_int_equal(counters[0].drops[SS_DROP_PORT_TX_FULL] + sent + q->n_out, 1024 + PORT_OUT + 50);
	assert_int_equal(q->n_out, PORT_OUT);
	assert_true(ss_port_pending(q));
	assert_int_equal(ss_port_rx(q, m), SS_BURST); /* room again: what waited goes, in order */
	for (int i = 0; i < SS_BURST; i++)
		assert_packet(m[i], 64, 1, (uint8_t)i);
	ss_port_tx(q);
	assert_int_equal(counters[0].v[SS_C_TX_PACKETS], sent + SS_BURST);
	uint64_t before = counters[0].drops[SS_DROP_PORT_TX_FULL];
	for (int i = 0; i < PORT_STALL_CALLS + 1; i++)
		ss_port_tx(q);
	assert_false(ss_port_pending(q));
	assert_int_equal(counters[0].drops[SS_DROP_PORT_TX_FULL], before + PORT_OUT - SS_BURST);
	while ((n = ss_port_rx(q, m)))
		for (uint32_t i = 0; i < n; i++, got++)
			rte_pktmbuf_free(m[i]);
	assert_int_equal(got, sent);
	ss_port_close(p);
}

/* A memif whose peer has ended takes nothing any more: at the end those packets must not be held. */
static void settling_leaves_nothing_to_send(void **state)
{
	struct ss_port *p = open_port("net_ring0", 1, 1);
	struct ss_port_q *q = &p->q[0];
	struct rte_mbuf *m[SS_BURST];
	uint32_t n, got = 0;

	for (int i = 0; i < 1024 + PORT_OUT; i++)
		ss_port_push(q, packet(64, 1, (uint8_t)i));
	ss_port_tx(q);
	assert_true(ss_port_pending(q));
	ss_port_settle(p);
	assert_false(ss_port_pending(q));
	while ((n = ss_port_rx(q, m)))
		for (uint32_t i = 0; i < n; i++, got++)
			rte_pktmbuf_free(m[i]);
	assert_int_equal(got, counters[0].v[SS_C_TX_PACKETS]);
	assert_int_equal(counters[0].drops[SS_DROP_PORT_TX_FULL], 1024 + PORT_OUT - got);
	ss_port_close(p);
}

static void a_device_of_several_queues(void **state)
{
	struct ss_port *p = open_port("net_null0", 4, 3);
	struct ss_port_info info;
	struct rte_mbuf *m[SS_BURST];

	ss_port_info(p, &info);
	assert_in_range(info.queues, 1, 3);
	uint16_t n = ss_port_rx(&p->q[0], m); /* net_null makes packets out of our pool */
	assert_int_equal(n, SS_BURST);
	for (uint16_t i = 0; i < n; i++)
		ss_port_push(&p->q[0], m[i]);
	ss_port_tx(&p->q[0]);
	assert_int_equal(counters[0].v[SS_C_TX_PACKETS], SS_BURST);
	ss_port_info(p, &info);
	assert_int_equal(info.pool_used, info.pool_held);
	ss_port_close(p);
}

struct extent {
	uintptr_t low, high;
};

static void widen(struct rte_mempool *mp, void *arg, void *obj, unsigned i)
{
	struct extent *e = arg;
	uintptr_t at = (uintptr_t)obj;

	e->low = !e->low || at < e->low ? at : e->low;
	e->high = at > e->high ? at : e->high;
}

/* AF_XDP registers number times size bytes with the kernel, which refuses frames beyond. */
static void a_pool_has_no_gaps(void **state)
{
	struct ss_port *p = open_port("net_null0", 1, 1);
	struct extent e = { 0 };
	size_t each = p->pool->header_size + p->pool->elt_size + p->pool->trailer_size;

	rte_mempool_obj_iter(p->pool, widen, &e);
	assert_int_equal(p->pool->nb_mem_chunks, 1);
	assert_int_equal(e.high - e.low, (p->pool->size - 1) * each);
	ss_port_close(p);
}

static void what_cannot_be_opened_says_why(void **state)
{
	static const struct {
		const char *device, *word;
		uint16_t mtu, workers;
		uint32_t mbufs;
	} v[] = {
		{ "", "names no device", 1500, 1, 1023 },
		{ "net_nonsense0", "cannot open \"net_nonsense0\"", 1500, 1, 1023 },
		{ "0000:ff:1f.7", "cannot open", 1500, 1, 1023 },
		{ "net_null0", "0 workers", 1500, 0, 1023 },
		{ "net_null0", "17 workers", 1500, 17, 1023 },
		{ "net_null0", "memory", 1500, 1, 400000000 },
		{ "net_af_packet0,iface=pk-none", "cannot open", 1500, 1, 1023 },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(v); i++) {
		struct ss_port_conf conf = { .name = "edge", .device = v[i].device, .queues = 1, .mtu = v[i].mtu,
					     .n_workers = v[i].workers, .rx_descriptors = 512,
					     .tx_descriptors = 512, .mbufs = v[i].mbufs };
		struct ss_port *p = NULL;
		char err[256] = "";
		assert_int_equal(ss_port_open(&p, &conf, err, sizeof(err)), SS_ERR_CONFIG);
		assert_null(p);
		assert_non_null(strstr(err, "port edge: "));
		if (!strstr(err, v[i].word))
			fail_msg("\"%s\" lacks \"%s\"", err, v[i].word);
	}
	struct ss_port *p = open_port("net_null0", 1, 1), *again = NULL;
	struct ss_port_conf conf = { .name = "second", .device = "net_null0", .queues = 1, .n_workers = 1,
				     .mbufs = 1023 };
	char err[256];
	assert_int_equal(ss_port_open(&again, &conf, err, sizeof(err)), SS_ERR_CONFIG);
	assert_string_equal(err, "port second: device name net_null0 is already in use");
	ss_port_close(p);
}

static void a_driver_that_takes_no_rules_is_quoted(void **state)
{
	struct ss_port *p = open_port("net_null0", 1, 1);
	struct ss_addr a[2] = { { ss_ip4(0x0a000001), 80 }, { ss_ip4(0x0a000001), 443 } };
	char text[512];

	assert_int_equal(ss_port_flows(p, text, sizeof(text)), 0);
	assert_int_equal(ss_port_flows_set(p, a, 2), SS_ERR_REFUSED);
	size_t n = ss_port_flows(p, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_non_null(strstr(text, "t: tcp to 10.0.0.1:80: refused by net_null: Function not implemented\n"));
	assert_non_null(strstr(text, "10.0.0.1:443"));
	assert_int_equal(ss_port_flows(p, text, 20), 19); /* cut, and still a string */
	assert_int_equal(strlen(text), 19);
	ss_port_flows_clear(p);
	assert_int_equal(ss_port_flows(p, text, sizeof(text)), 0);
	ss_port_close(p);
}

static void new_packet_sockets_are_found(void **state)
{
	struct ss_port_fdset before;
	int found[4];
	int other = socket(AF_INET, SOCK_DGRAM, 0);

	ss_port_fds_now(&before);
	assert_int_equal(ss_port_fds_new(&before, found, 4), 0);
	int a = socket(AF_PACKET, SOCK_RAW, 0), b = socket(AF_PACKET, SOCK_RAW, 0);
	if (a < 0) {
		print_message("no right to open packet sockets\n");
		close(other);
		skip();
	}
	assert_int_equal(ss_port_fds_new(&before, found, 4), 2);
	assert_int_equal(found[0], a);
	assert_int_equal(found[1], b);
	close(a);
	close(b);
	close(other);
	assert_int_equal(ss_port_fds_new(&before, found, 4), 0);
}

static void a_descriptor_in_error_is_given_up(void **state)
{
	struct ss_port *p = open_port("net_ring0", 1, 1);
	struct ss_port_q *q = &p->q[0];
	struct rte_mbuf *m[SS_BURST];
	int pair[2];

	assert_int_equal(ss_port_fd(q), -1);
	ss_port_fd_error(q); /* harmless */
	assert_int_equal(pipe(pair), 0);
	q->fd = pair[0]; /* no socket: nothing to collect */
	ss_port_fd_error(q);
	assert_int_equal(ss_port_fd(q), -1);
	close(pair[0]);
	close(pair[1]);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	q->fd = s;
	for (int i = 0; i < 100; i++) { /* packets between: the interface is up again each time */
		ss_port_fd_error(q);
		assert_int_equal(ss_port_fd(q), s);
		ss_port_push(q, packet(64, 1, 1));
		ss_port_tx(q);
		assert_int_equal(ss_port_rx(q, m), 1);
		rte_pktmbuf_free(m[0]);
	}
	for (int i = 0; i < PORT_FD_ERRORS; i++)
		ss_port_fd_error(q);
	assert_int_equal(ss_port_fd(q), -1);
	close(s);
	ss_port_close(p);
}

static void device_arguments(void **state)
{
	char v[16];

	assert_true(ss_port_device_arg("net_af_xdp0,iface=veth0,start_queue=1", "iface", v, sizeof(v)));
	assert_string_equal(v, "veth0");
	assert_true(ss_port_device_arg("net_af_xdp0,iface=veth0,start_queue=1", "start_queue", v, sizeof(v)));
	assert_string_equal(v, "1");
	assert_false(ss_port_device_arg("net_af_xdp0,iface=veth0", "face", v, sizeof(v)));
	assert_false(ss_port_device_arg("net_af_xdp0", "iface", v, sizeof(v)));
	assert_false(ss_port_link_up("pk-none"));
	assert_int_equal(ss_port_link_mtu("pk-none"), 0);
}

static void a_stale_memif_socket_is_removed(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char device[256];
	struct stat st;

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/ss-port-test-%d.sock", (int)getpid());
	snprintf(device, sizeof(device), "net_memif0,role=server,socket-abstract=no,socket=%s", a.sun_path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd); /* as if killed: the file stays, nobody listens */
	assert_int_equal(stat(a.sun_path, &st), 0);
	struct ss_port *p = open_port(device, 1, 1);
	ss_port_close(p);
	unlink(a.sun_path);
	/* one that somebody listens on is not ours to remove */
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	struct ss_port_conf conf = { .name = "m", .device = device, .queues = 1, .n_workers = 1, .mbufs = 1023 };
	char err[256] = "";
	p = NULL;
	assert_int_equal(ss_port_open(&p, &conf, err, sizeof(err)), SS_ERR_CONFIG);
	assert_int_equal(stat(a.sun_path, &st), 0);
	close(fd);
	unlink(a.sun_path);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sim_passes_packets_both_ways),
		T(chains_are_copied_where_one_segment_is_all),
		T(copies_that_cannot_be_made_are_counted),
		T(a_device_can_be_closed_and_opened_again),
		T(workers_without_a_queue_send_through_the_owner),
		T(a_full_ring_is_counted),
		T(what_the_device_does_not_take_waits_then_is_dropped),
		T(settling_leaves_nothing_to_send),
		T(a_device_of_several_queues),
		T(a_pool_has_no_gaps),
		T(what_cannot_be_opened_says_why),
		T(a_driver_that_takes_no_rules_is_quoted),
		T(new_packet_sockets_are_found),
		T(a_descriptor_in_error_is_given_up),
		T(device_arguments),
		T(a_stale_memif_socket_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
