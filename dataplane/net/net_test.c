/* net_test.c - frames in, frames out, on in-memory ports; every refusal by its name. */
#include "net/net_bed.h"

static void routes(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct ss_ip dst = ss_ip4(FAR), src, six = { .family = 6 };
	struct frame f;

	assert_int_equal(ss_net_source(b->net, &dst, &src), 0);
	assert_int_equal(ss_ip4_u32(&src), US);
	assert_int_equal(ss_net_mss(b->net, &dst), 1460);
	output(b, FAR, 1, 0, SEC);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, GATEWAY);
	dst = ss_ip4(0x0a01ff07);
	assert_int_equal(ss_net_source(b->net, &dst, &src), 0);
	assert_int_equal(ss_ip4_u32(&src), US2);
	assert_int_equal(ss_net_mss(b->net, &dst), 1360);
	output(b, 0x0a01ff07, 1, 0, SEC);
	f = sent(b, 1);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US2, 0x0a01ff07);
	assert_int_equal(ss_net_source(b->net, &six, &src), SS_ERR_NOT_FOUND);
	output(b, US2, 1, 0, SEC); /* to ourselves: no wire leads there */
	assert_int_equal(b->c.drops[SS_DROP_NO_ROUTE], 1);
	output(b, PEER, 1461, 0, SEC);
	assert_int_equal(b->c.drops[SS_DROP_PORT_TX_LONG], 1);
	dst = ss_ip4(US2);
	assert_true(ss_net_is_local(b->net, &dst));
	dst = ss_ip4(PEER);
	assert_false(ss_net_is_local(b->net, &dst));
	bench_free(b);
}

static void checksums_over_chains(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f;

	learn(b, 1);
	for (uint32_t n = 0; n < 120; n++)
		for (uint32_t piece = 1; piece < 8; piece++) {
			output(b, PEER, n, piece, SEC);
			f = sent(b, 0);
			assert_segment(&f, peer_mac, PEER, n);
		}
	output(b, PEER, 1460, 0, SEC);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1460);
	bench_free(b);
}

static void echo_is_answered_at_a_bounded_rate(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint8_t p[64] = { SS_ICMP_ECHO, 0, 0, 0, 0x12, 0x34, 0, 1 };
	struct ss_iphdr ip;
	struct frame f, r;

	for (int i = 8; i < 64; i++)
		p[i] = (uint8_t)i;
	ss_put_be16(p + 2, ss_csum(p, sizeof(p)));
	f = datagram(SS_IP_PROTO_ICMP, PEER, US, p, sizeof(p));
	put(b, &f, SEC);
	r = sent(b, 0);
	assert_int_equal(r.n, f.n);
	assert_memory_equal(r.b, peer_mac, 6);
	assert_memory_equal(r.b + 6, our_mac, 6);
	assert_int_equal(ss_iphdr_parse(&ip, r.b + 14, r.n - 14), 20);
	assert_int_equal(ss_ip4_u32(&ip.src), US);
	assert_int_equal(ss_ip4_u32(&ip.dst), PEER);
	assert_int_equal(r.b[34], SS_ICMP_ECHO_REPLY);
	assert_int_equal(ss_csum(r.b + 34, 64), 0);
	assert_memory_equal(r.b + 38, p + 4, 60);

	int answered = 1;
	for (int i = 0; i < 300; i++) {
		put(b, &f, SEC);
		answered += sent(b, 0).n > 0;
	}
	assert_int_equal(answered, 200);
	assert_int_equal(b->c.drops[SS_DROP_ICMP_RATE], 101);
	put(b, &f, SEC + SS_NS_PER_MS); /* one more a millisecond later */
	put(b, &f, SEC + SS_NS_PER_MS);
	assert_int_not_equal(sent(b, 0).n, 0);
	assert_silent(b);
	bench_free(b);
}

static void segments_come_up_parsed_and_cut(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f = segment(PEER, US, 40000, 80, 5);

	memset(f.b + f.n, 0xee, 60 - f.n % 60); /* Ethernet padding */
	f.n = ss_max_u32(f.n, 60);
	put(b, &f, SEC);
	assert_int_equal(b->segs.n, 1);
	const struct ss_seg *s = &b->segs.v[0];
	assert_int_equal(s->payload, 5);
	assert_int_equal(s->m->pkt_len, 5);
	assert_memory_equal(rte_pktmbuf_mtod(s->m, void *), "\0\1\2\3\4", 5);
	assert_int_equal(ss_ip4_u32(&s->tuple.local), US);
	assert_int_equal(ss_ip4_u32(&s->tuple.remote), PEER);
	assert_int_equal(s->tuple.local_port, 80);
	assert_int_equal(s->tuple.remote_port, 40000);
	assert_int_equal(s->h.seq, 1000);
	assert_int_equal(s->iface, 0);

	f = segment(PEER, US, 40000, 80, 0); /* a bare ACK, padded */
	memset(f.b + f.n, 0, 6);
	f.n = 60;
	put(b, &f, SEC);
	assert_int_equal(b->segs.n, 2);
	assert_int_equal(b->segs.v[1].payload, 0);
	bench_free(b);
}

/* A frame that was changed at one place: what counts it? */
static enum ss_drop drop_of(struct frame *f)
{
	struct bench *b = bench_new(false, true, 16);
	enum ss_drop why = SS_DROP_NONE;
	uint64_t total = 0;

	put(b, f, SEC);
	for (int i = 1; i < SS_DROP_COUNT; i++) {
		total += b->c.drops[i];
		if (b->c.drops[i])
			why = (enum ss_drop)i;
	}
	assert_true(total <= 1);
	assert_int_equal(total, b->segs.n == 0);
	bench_free(b);
	return why;
}

static void recsum(struct frame *f)
{
	ss_put_be16(f->b + 24, 0);
	ss_put_be16(f->b + 24, ss_csum(f->b + 14, (f->b[14] & 15) * 4));
}

static void refusals_by_name(void **state)
{
	const struct frame good = segment(PEER, US, 40000, 80, 30);
	struct frame f = good;

	assert_int_equal(drop_of(&f), SS_DROP_NONE);
	f.n = 13;
	assert_int_equal(drop_of(&f), SS_DROP_ETH_SHORT);
#define WITH(stmt, fix, name)                          \
	do {                                           \
		f = good;                              \
		stmt;                                  \
		if (fix)                               \
			recsum(&f);                    \
		assert_int_equal(drop_of(&f), name);   \
	} while (0)
	WITH(f.b[5] ^= 1, false, SS_DROP_ETH_NOT_US);
	WITH(f.b[13] = 0xff, false, SS_DROP_ETH_TYPE);
	WITH(memcpy(f.b + 12, "\x81\0\0\5\x08\0", 6), false, SS_DROP_ETH_VLAN);
	WITH(f.b[14] = 0x44, true, SS_DROP_IP_BAD);
	WITH(f.b[22] ^= 1, false, SS_DROP_IP_CSUM);
	WITH(f.b[17]++, true, SS_DROP_IP_BAD);           /* says more than there is */
	WITH(f.n = 14 + 19, false, SS_DROP_IP_BAD);
	WITH(f.n -= 1, false, SS_DROP_IP_BAD);
	WITH(f.b[20] = 0x20, true, SS_DROP_IP_FRAGMENT);
	WITH(f.b[21] = 9, true, SS_DROP_IP_FRAGMENT);
	WITH(f.b[23] = SS_IP_PROTO_UDP, true, SS_DROP_IP_PROTO);
	WITH(f.b[26] = 127, true, SS_DROP_IP_SOURCE);
	WITH(f.b[26] = 224, true, SS_DROP_IP_SOURCE);
	WITH(f.b[26] = 0, true, SS_DROP_IP_SOURCE);
	WITH(ss_put_be32(f.b + 26, US2), true, SS_DROP_IP_SOURCE);
	WITH(f.b[33] = 9, true, SS_DROP_IP_NOT_US);
	WITH(memset(f.b, 0xff, 6), false, SS_DROP_IP_NOT_US); /* unicast IP in a broadcast frame */
	WITH(f.b[60] ^= 4, false, SS_DROP_TCP_CSUM);
	WITH(f.b[51] ^= 4, false, SS_DROP_TCP_CSUM);
	f = datagram(SS_IP_PROTO_TCP, PEER, US, "short", 5);
	assert_int_equal(drop_of(&f), SS_DROP_TCP_CSUM);
	f = datagram(SS_IP_PROTO_ICMP, PEER, US, "\x08\0\0", 3);
	assert_int_equal(drop_of(&f), SS_DROP_ICMP_BAD);
	f = arp(SS_ARP_REQUEST, PEER, US);
	f.n--;
	assert_int_equal(drop_of(&f), SS_DROP_ARP_BAD);
	f = arp(7, PEER, US);
	assert_int_equal(drop_of(&f), SS_DROP_ARP_BAD);
#undef WITH
}

static void a_header_that_passes_its_checksum_but_is_wrong(void **state)
{
	struct frame f = segment(PEER, US, 40000, 80, 0);
	uint8_t was = f.b[46];

	f.b[46] = 0x40; /* data offset 4: a header of 16 bytes */
	ss_put_be16(f.b + 50, ss_csum_update(ss_get_be16(f.b + 50), (uint16_t)(was << 8 | f.b[47]),
					     (uint16_t)(0x40 << 8 | f.b[47])));
	assert_int_equal(drop_of(&f), SS_DROP_TCP_BAD);
}

static void random_bytes_do_no_harm(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame good = segment(PEER, US, 40000, 80, 60), f;
	struct ss_rng r;

	ss_rng_seed(&r, 7);
	for (int i = 0; i < 20000; i++) {
		f = good;
		f.n = ss_rng_below(&r, 200);
		for (uint32_t k = ss_rng_below(&r, 6); k > 0; k--)
			f.b[ss_rng_below(&r, 64)] = (uint8_t)ss_rng_u64(&r);
		if (ss_rng_chance(&r, 1, 2) && f.n >= 34)
			recsum(&f);
		put(b, &f, SEC + (uint64_t)i * SS_NS_PER_MS);
		while (b->segs.n)
			rte_pktmbuf_free(b->segs.v[--b->segs.n].m);
		while (sent(b, 0).n)
			;
	}
	bench_free(b);
}

static void workers_agree_on_whose_a_frame_is(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint32_t count[4] = { 0 };

	for (uint16_t port = 1000; port < 3000; port++) {
		struct frame f = segment(PEER, US, port, 443, 1);
		struct ss_tuple t = { ss_ip4(US), ss_ip4(PEER), 443, port };
		struct rte_mbuf *m = mbuf_of(b, f.b, f.n);
		uint16_t w = ss_net_steer(m, 4);
		assert_int_equal(w, ss_net_steer_tuple(&t, 4));
		assert_int_equal(ss_net_steer(m, 1), 0);
		count[w]++;
		rte_pktmbuf_free(m);
	}
	for (int i = 0; i < 4; i++) /* 500 each, give or take */
		assert_in_range(count[i], 400, 600);
	struct frame f = arp(SS_ARP_REQUEST, PEER, US);
	struct rte_mbuf *m = mbuf_of(b, f.b, f.n);
	assert_int_equal(ss_net_steer(m, 4), SS_NET_EVERYONE);
	rte_pktmbuf_free(m);
	f.n = 10;
	m = mbuf_of(b, f.b, f.n);
	assert_int_equal(ss_net_steer(m, 4), 0);
	rte_pktmbuf_free(m);
	bench_free(b);
}

static void a_silly_configuration_is_refused(void **state)
{
	struct ss_counters c = { 0 };
	struct ss_bufpool bp = { 0 };
	struct ss_net_if_conf f = { .n_addrs = 1, .addrs = { { ss_ip4(0xe0000001), 24 } } };
	struct ss_net_conf conf = { .n_ifs = 1, .ifs = &f, .max_neighbours = 4, .bufs = &bp, .counters = &c };
	struct ss_net *n = NULL;

	assert_int_equal(ss_net_create(&n, &conf, 0), SS_ERR_CONFIG);
	f.addrs[0] = (struct ss_net_addr){ ss_ip4(US), 33 };
	assert_int_equal(ss_net_create(&n, &conf, 0), SS_ERR_CONFIG);
	conf.max_neighbours = 0;
	assert_int_equal(ss_net_create(&n, &conf, 0), SS_ERR_CONFIG);
	assert_null(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes),
		cmocka_unit_test(checksums_over_chains),
		cmocka_unit_test(echo_is_answered_at_a_bounded_rate),
		cmocka_unit_test(segments_come_up_parsed_and_cut),
		cmocka_unit_test(refusals_by_name),
		cmocka_unit_test(a_header_that_passes_its_checksum_but_is_wrong),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(workers_agree_on_whose_a_frame_is),
		cmocka_unit_test(a_silly_configuration_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
