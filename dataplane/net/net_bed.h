/*
 * net_bed.h - for tests: the room over two ports made of memory. The test is the peers: it makes frames, and reads those sent.
 */
#ifndef SS_NET_BED_H
#define SS_NET_BED_H

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

static SS_UNUSED const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static SS_UNUSED const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static SS_UNUSED const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct bench {
	struct ss_bufpool bp;
	struct ss_counters c;
	struct ss_port_q *port[2];
	struct ss_net *net;
	struct ss_segs segs;
};

static SS_UNUSED void build(struct bench *b, bool announce, bool answers, uint32_t max_neighbours)
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

static SS_UNUSED void destroy(struct bench *b)
{
	for (uint16_t i = 0; i < b->segs.n; i++)
		rte_pktmbuf_free(b->segs.v[i].m);
	ss_net_free(b->net);
	ss_port_sim_free(b->port[0]);
	ss_port_sim_free(b->port[1]);
}

static SS_UNUSED struct bench *bench_new(bool announce, bool answers, uint32_t max_neighbours)
{
	static struct bench b;

	memset(&b, 0, sizeof(b));
	b.bp = ss_testpool_create("net-test", 2047);
	build(&b, announce, answers, max_neighbours);
	return &b;
}

static SS_UNUSED void bench_free(struct bench *b)
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

static SS_UNUSED void eth(struct frame *f, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	struct ss_eth h = { .type = type, .vlan = SS_ETH_NO_VLAN };
	memcpy(h.dst, dst, 6);
	memcpy(h.src, src, 6);
	f->n = ss_eth_emit(&h, f->b);
}

static SS_UNUSED struct frame arp(uint16_t op, uint32_t sender, uint32_t target)
{
	struct frame f;
	struct ss_arp a = { .op = op, .sender = ss_ip4(sender), .target = ss_ip4(target) };

	memcpy(a.sender_mac, peer_mac, 6);
	eth(&f, op == SS_ARP_REQUEST ? broadcast : our_mac, peer_mac, SS_ETH_ARP);
	f.n += ss_arp_emit(&a, f.b + f.n);
	return f;
}

static SS_UNUSED struct frame datagram(uint8_t proto, uint32_t src, uint32_t dst, const void *payload, uint32_t n)
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
static SS_UNUSED struct frame segment(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t n)
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

static SS_UNUSED struct rte_mbuf *mbuf_of(struct bench *b, const void *p, uint32_t n)
{
	struct rte_mbuf *m = ss_buf_alloc(&b->bp);
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), p, n);
	return m;
}

static SS_UNUSED void put(struct bench *b, const struct frame *f, uint64_t now)
{
	struct rte_mbuf *m = mbuf_of(b, f->b, f->n);
	ss_net_input(b->net, 0, &m, 1, now, &b->segs);
}

/* The next frame sent on interface i; n is 0 without one. */
static SS_UNUSED struct frame sent(struct bench *b, int i)
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

static SS_UNUSED void assert_silent(struct bench *b)
{
	assert_int_equal(sent(b, 0).n, 0);
	assert_int_equal(sent(b, 1).n, 0);
}

static SS_UNUSED void assert_arp(const struct frame *f, const uint8_t *dst, uint16_t op, uint32_t sender, uint32_t target)
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
static SS_UNUSED void output(struct bench *b, uint32_t dst, uint32_t n, uint32_t piece, uint64_t now)
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

static SS_UNUSED void assert_segment(const struct frame *f, const uint8_t *mac, uint32_t dst, uint32_t n)
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

/* Makes the peer known at `now`. */
static SS_UNUSED void learn(struct bench *b, uint64_t now)
{
	struct frame f = arp(SS_ARP_REQUEST, PEER, US);
	put(b, &f, now);
	while (sent(b, 0).n)
		;
}

#endif
