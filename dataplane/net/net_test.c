/* net_test.c - frames in, frames out, on in-memory ports; every refusal by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "buf/testpool.h"
#include "net/net.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define SEC SS_NS_PER_SEC
#define US 0x0a000001u     /* 10.0.0.1/24 on interface 0 */
#define US2 0x0a010001u    /* 10.1.0.1/16 on interface 1 */
#define PEER 0x0a000002u
#define GATEWAY 0x0a0000feu
#define FAR 0xc6336401u

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct bench {
	struct ss_bufpool bp;
	struct ss_counters c;
	struct ss_port_q *port[2];
	struct ss_net *net;
	struct ss_segs segs;
};

static void build(struct bench *b, bool announce, bool answers, uint32_t max_neighbours)
{
	struct ss_net_if_conf ifs[2] = {
		{ .name = "a", .mtu = 1500, .n_addrs = 1, .addrs = { { ss_ip4(US), 24 } },
		  .gateway = ss_ip4(GATEWAY), .announce = announce, .answers = answers },
		{ .name = "b", .mtu = 1400, .n_addrs = 1, .addrs = { { ss_ip4(US2), 16 } }, .answers = answers },
	};

	for (int i = 0; i < 2; i++) {
		b->port[i] = ss_port_sim_create(&b->c, true);
		ifs[i].port = b->port[i];
		memcpy(ifs[i].mac, our_mac, 6);
	}
	struct ss_net_conf conf = { .n_ifs = 2, .ifs = ifs, .max_neighbours = max_neighbours, .bufs = &b->bp,
				    .counters = &b->c };
	assert_int_equal(ss_net_create(&b->net, &conf, 0), 0);
}

static void destroy(struct bench *b)
{
	for (uint16_t i = 0; i < b->segs.n; i++)
		rte_pktmbuf_free(b->segs.v[i].m);
	ss_net_free(b->net);
	ss_port_sim_free(b->port[0]);
	ss_port_sim_free(b->port[1]);
}

static struct bench *bench_new(bool announce, bool answers, uint32_t max_neighbours)
{
	static struct bench b;

	memset(&b, 0, sizeof(b));
	b.bp = ss_testpool_create("net-test", 2047);
	build(&b, announce, answers, max_neighbours);
	return &b;
}

static void bench_free(struct bench *b)
{
	destroy(b);
	assert_int_equal(ss_testpool_used(&b->bp), 0);
	ss_testpool_free(&b->bp);
}

/* One frame in a buffer of the test. */
struct frame {
	uint32_t n;
	uint8_t b[1600];
};

static void eth(struct frame *f, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	struct ss_eth h = { .type = type, .vlan = SS_ETH_NO_VLAN };
	memcpy(h.dst, dst, 6);
	memcpy(h.src, src, 6);
	f->n = ss_eth_emit(&h, f->b);
}

static struct frame arp(uint16_t op, uint32_t sender, uint32_t target)
{
	struct frame f;
	struct ss_arp a = { .op = op, .sender = ss_ip4(sender), .target = ss_ip4(target) };

	memcpy(a.sender_mac, peer_mac, 6);
	eth(&f, op == SS_ARP_REQUEST ? broadcast : our_mac, peer_mac, SS_ETH_ARP);
	f.n += ss_arp_emit(&a, f.b + f.n);
	return f;
}

static struct frame datagram(uint8_t proto, uint32_t src, uint32_t dst, const void *payload, uint32_t n)
{
	struct frame f;
	struct ss_iphdr ip = { .src = ss_ip4(src), .dst = ss_ip4(dst), .proto = proto, .ttl = 64, .payload = n };

	eth(&f, our_mac, peer_mac, SS_ETH_IP4);
	f.n += ss_iphdr_emit(&ip, f.b + f.n);
	memcpy(f.b + f.n, payload, n);
	f.n += n;
	return f;
}

/* A checksummed TCP segment with n bytes 0, 1, 2, ... */
static struct frame segment(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t n)
{
	uint8_t b[1500] = { 0 };
	struct ss_tcphdr h = { .src_port = sport, .dst_port = dport, .seq = 1000, .flags = SS_TCP_ACK };
	uint32_t len = ss_tcphdr_emit(&h, b);
	struct ss_ip s = ss_ip4(src), d = ss_ip4(dst);
	struct ss_csum c = { 0 };

	for (uint32_t i = 0; i < n; i++)
		b[len + i] = (uint8_t)i;
	ss_csum_pseudo(&c, &s, &d, 6, len + n);
	ss_csum_add(&c, b, len + n);
	ss_put_be16(b + 16, ss_csum_end(&c));
	return datagram(6, src, dst, b, len + n);
}

static struct rte_mbuf *mbuf_of(struct bench *b, const void *p, uint32_t n)
{
	struct rte_mbuf *m = ss_buf_alloc(&b->bp);
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), p, n);
	return m;
}

static void put(struct bench *b, const struct frame *f, uint64_t now)
{
	struct rte_mbuf *m = mbuf_of(b, f->b, f->n);
	ss_net_input(b->net, 0, &m, 1, now, &b->segs);
}

/* The next frame sent on interface i; n is 0 without one. */
static struct frame sent(struct bench *b, int i)
{
	struct frame f = { 0 };

	ss_port_tx(b->port[i]);
	struct rte_mbuf *m = ss_port_sim_take(b->port[i]);
	if (!m)
		return f;
	for (struct rte_mbuf *s = m; s; s = s->next) {
		memcpy(f.b + f.n, rte_pktmbuf_mtod(s, void *), s->data_len);
		f.n += s->data_len;
	}
	rte_pktmbuf_free(m);
	return f;
}

static void assert_silent(struct bench *b)
{
	assert_int_equal(sent(b, 0).n, 0);
	assert_int_equal(sent(b, 1).n, 0);
}

static void assert_arp(const struct frame *f, const uint8_t *dst, uint16_t op, uint32_t sender, uint32_t target)
{
	struct ss_arp a;

	assert_int_equal(f->n, SS_ETH_LEN + SS_ARP_LEN);
	assert_memory_equal(f->b, dst, 6);
	assert_memory_equal(f->b + 6, our_mac, 6);
	assert_int_equal(ss_get_be16(f->b + 12), SS_ETH_ARP);
	assert_int_equal(ss_arp_parse(&a, f->b + 14, f->n - 14), SS_ARP_LEN);
	assert_int_equal(a.op, op);
	assert_memory_equal(a.sender_mac, our_mac, 6);
	assert_int_equal(ss_ip4_u32(&a.sender), sender);
	assert_int_equal(ss_ip4_u32(&a.target), target);
}

/* Sends a segment with n bytes, cut into pieces of at most `piece` bytes (0: one buffer). */
static void output(struct bench *b, uint32_t dst, uint32_t n, uint32_t piece, uint64_t now)
{
	struct ss_tcphdr h = { .src_port = 80, .dst_port = 40000, .seq = 7, .flags = SS_TCP_ACK };
	struct ss_ip s = ss_ip4(US), d = ss_ip4(dst);
	uint8_t p[SS_TCPHDR_MAX];
	uint32_t len = ss_tcphdr_emit(&h, p);
	struct rte_mbuf *m = mbuf_of(b, p, len), *tail = m;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(i * 7);
		if (piece && i % piece == 0) {
			tail->next = ss_buf_alloc(&b->bp);
			tail = tail->next;
			m->nb_segs++;
		}
		*(uint8_t *)(tail->buf_addr + tail->data_off + tail->data_len++) = byte;
		m->pkt_len += piece ? 1 : 0;
	}
	if (!piece)
		m->pkt_len = m->data_len;
	ss_net_output_tcp(b->net, m, &s, &d, now);
}

static void assert_segment(const struct frame *f, const uint8_t *mac, uint32_t dst, uint32_t n)
{
	struct ss_iphdr ip;
	struct ss_csum c = { 0 };

	assert_int_equal(f->n, 14 + 20 + 20 + n);
	assert_memory_equal(f->b, mac, 6);
	assert_memory_equal(f->b + 6, our_mac, 6);
	assert_int_equal(ss_iphdr_parse(&ip, f->b + 14, f->n - 14), 20);
	assert_int_equal(ss_ip4_u32(&ip.dst), dst);
	assert_int_equal(ip.payload, 20 + n);
	assert_true(ip.dont_fragment);
	ss_csum_pseudo(&c, &ip.src, &ip.dst, 6, ip.payload);
	ss_csum_add(&c, f->b + 34, ip.payload);
	assert_int_equal(ss_csum_end(&c), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(f->b[54 + i], (uint8_t)(i * 7));
}

static void answers_arp(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame q = arp(SS_ARP_REQUEST, PEER, US), r;

	put(b, &q, SEC);
	r = sent(b, 0);
	assert_arp(&r, peer_mac, SS_ARP_REPLY, US, PEER);
	q = arp(SS_ARP_REQUEST, PEER, US + 9); /* not ours */
	put(b, &q, SEC);
	q = arp(SS_ARP_REQUEST, PEER, US2); /* ours, but on the other interface */
	put(b, &q, SEC);
	assert_silent(b);
	/* the request taught us the peer: no question before the first segment (RFC 826) */
	output(b, PEER, 5, 0, SEC);
	r = sent(b, 0);
	assert_segment(&r, peer_mac, PEER, 5);
	bench_free(b);
}

static void only_one_worker_answers(void **state)
{
	struct bench *b = bench_new(false, false, 16);
	struct frame q = arp(SS_ARP_REQUEST, PEER, US), r;

	put(b, &q, SEC);
	assert_silent(b);
	output(b, PEER, 5, 0, SEC); /* but it has learned */
	r = sent(b, 0);
	assert_segment(&r, peer_mac, PEER, 5);
	bench_free(b);
}

static void announces_twice(void **state)
{
	struct bench *b = bench_new(true, true, 16);
	struct frame f = sent(b, 0);

	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, US);
	assert_silent(b);
	assert_int_equal(ss_net_next(b->net), 2 * SEC);
	ss_net_expire(b->net, 2 * SEC);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, US);
	assert_silent(b);
	assert_true(ss_net_next(b->net) == SS_NEVER);
	bench_free(b);
}

static void asks_then_sends_what_waited(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f;

	output(b, PEER, 10, 0, SEC);
	output(b, PEER, 11, 4, SEC);
	assert_int_equal(ss_net_held(b->net), 1 + 4);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
	assert_silent(b); /* one question, not two */
	f = arp(SS_ARP_REPLY, PEER, US);
	put(b, &f, SEC);
	assert_int_equal(ss_net_held(b->net), 0);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 10);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 11);
	ss_net_expire(b->net, ss_net_next(b->net)); /* one look at what is no longer due */
	assert_silent(b);
	assert_true(ss_net_next(b->net) == SS_NEVER); /* nothing keeps an idle worker awake */
	bench_free(b);
}

static void gives_up_after_three_questions(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint64_t now = SEC;
	struct frame f;

	output(b, PEER, 10, 3, now);
	for (int i = 0; i < 3; i++) {
		f = sent(b, 0);
		assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
		assert_silent(b);
		assert_int_equal(ss_net_next(b->net), now + SEC);
		now += SEC;
		ss_net_expire(b->net, now - 1); /* early: nothing */
		assert_silent(b);
		ss_net_expire(b->net, now);
	}
	assert_silent(b);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_DEAD], 1);
	assert_int_equal(ss_net_held(b->net), 0);
	assert_true(ss_net_next(b->net) == SS_NEVER);
	bench_free(b);
}

/* Makes the peer known at `now`. */
static void learn(struct bench *b, uint64_t now)
{
	struct frame f = arp(SS_ARP_REQUEST, PEER, US);
	put(b, &f, now);
	while (sent(b, 0).n)
		;
}

static void a_stale_neighbour_is_probed_and_used(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint64_t now = 31 * SEC + 1;
	struct frame f;

	learn(b, 1);
	output(b, PEER, 1, 0, now);
	f = sent(b, 0);
	assert_arp(&f, peer_mac, SS_ARP_REQUEST, US, PEER); /* unicast */
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	f = arp(SS_ARP_REPLY, PEER, US);
	put(b, &f, now);
	output(b, PEER, 1, 0, now + SEC);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	assert_silent(b);
	/* no answer any more: three probes, then everyone is asked and packets wait, then it is dead */
	now += 40 * SEC;
	output(b, PEER, 1, 0, now);
	for (int i = 0; i < 6; i++) {
		f = sent(b, 0);
		assert_arp(&f, i < 3 ? peer_mac : broadcast, SS_ARP_REQUEST, US, PEER);
		f = sent(b, 0);
		assert_int_equal(f.n != 0, i == 0);
		now += SEC;
		ss_net_expire(b->net, now);
	}
	assert_silent(b);
	output(b, PEER, 1, 0, now);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
	assert_int_equal(ss_net_held(b->net), 1);
	/* A worker that ends does not wait for an answer. */
	ss_net_stop(b->net);
	assert_int_equal(ss_net_held(b->net), 0);
	bench_free(b);
}

static void traffic_keeps_a_neighbour_fresh(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame in = segment(PEER, US, 40000, 80, 3), f;

	learn(b, 1);
	for (uint64_t now = 20 * SEC; now < 200 * SEC; now += 20 * SEC) {
		put(b, &in, now);
		output(b, PEER, 1, 0, now + SEC);
		f = sent(b, 0);
		assert_segment(&f, peer_mac, PEER, 1);
		assert_silent(b);
	}
	in.b[11] ^= 0x40; /* another station with the same address confirms nothing */
	put(b, &in, 220 * SEC);
	output(b, PEER, 1, 0, 221 * SEC);
	f = sent(b, 0);
	assert_arp(&f, peer_mac, SS_ARP_REQUEST, US, PEER);
	bench_free(b);
}

static void a_moved_neighbour_is_followed(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	const uint8_t new_mac[6] = { 2, 0, 0, 0, 0, 77 };
	struct frame f = arp(SS_ARP_REQUEST, PEER, PEER); /* its announcement */

	learn(b, 1);
	memcpy(f.b + 14 + 8, new_mac, 6);
	put(b, &f, SEC);
	output(b, PEER, 1, 0, SEC);
	f = sent(b, 0);
	assert_segment(&f, new_mac, PEER, 1);
	/* an announcement of a stranger makes no entry */
	f = arp(SS_ARP_REQUEST, PEER + 1, PEER + 1);
	put(b, &f, SEC);
	output(b, PEER + 1, 1, 0, SEC);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER + 1);
	bench_free(b);
}

static void somebody_else_claims_our_address(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f = arp(SS_ARP_REQUEST, US, US);

	put(b, &f, SEC);
	assert_int_equal(b->c.drops[SS_DROP_ARP_CONFLICT], 1);
	memcpy(f.b + 14 + 8, our_mac, 6); /* our own announcement, looped back */
	put(b, &f, SEC);
	assert_int_equal(b->c.drops[SS_DROP_ARP_CONFLICT], 1);
	assert_silent(b);
	bench_free(b);
}

static void bounded_waiting(void **state)
{
	struct bench *b = bench_new(false, true, 16);

	for (uint32_t i = 0; i < 70; i++)
		output(b, PEER, 1, 0, SEC);
	assert_int_equal(ss_net_held(b->net), 64);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 6);
	for (uint32_t ip = PEER + 1; ip < PEER + 10; ip++)
		for (uint32_t i = 0; i < 64; i++)
			output(b, ip, 1, 0, SEC);
	assert_int_equal(ss_net_held(b->net), 256);
	bench_free(b);
}

static void a_full_table_forgets_the_idlest(void **state)
{
	struct bench *b = bench_new(false, true, 3);
	struct frame f;

	for (uint32_t i = 0; i < 3; i++) {
		f = arp(SS_ARP_REQUEST, PEER + i, US);
		put(b, &f, SEC + i);
		sent(b, 0);
	}
	output(b, PEER, 1, 0, 2 * SEC); /* the second is now the idlest */
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	f = arp(SS_ARP_REQUEST, PEER + 3, US);
	put(b, &f, 3 * SEC);
	sent(b, 0);
	output(b, PEER, 1, 0, 3 * SEC);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	output(b, PEER + 1, 1, 0, 3 * SEC); /* forgotten: asked again, and so others go */
	output(b, PEER + 50, 1, 0, 3 * SEC);
	output(b, PEER + 51, 1, 0, 3 * SEC);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 0);
	output(b, PEER + 52, 1, 0, 3 * SEC); /* all three are being asked for: no room */
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 1);
	bench_free(b);
}

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
		cmocka_unit_test(answers_arp),
		cmocka_unit_test(only_one_worker_answers),
		cmocka_unit_test(announces_twice),
		cmocka_unit_test(asks_then_sends_what_waited),
		cmocka_unit_test(gives_up_after_three_questions),
		cmocka_unit_test(a_stale_neighbour_is_probed_and_used),
		cmocka_unit_test(traffic_keeps_a_neighbour_fresh),
		cmocka_unit_test(a_moved_neighbour_is_followed),
		cmocka_unit_test(somebody_else_claims_our_address),
		cmocka_unit_test(bounded_waiting),
		cmocka_unit_test(a_full_table_forgets_the_idlest),
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
