/* l3_test.c - Ethernet, ARP, IPv4 and ICMP headers: known bytes, both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

static void eth_plain_and_tagged(void **state)
{
	uint8_t b[SS_ETH_VLAN_LEN];
	struct ss_eth in = { .dst = { 2, 0, 0, 0, 0, 1 },
			     .src = { 2, 0, 0, 0, 0, 2 },
			     .type = SS_ETH_IP4,
			     .vlan = SS_ETH_NO_VLAN };
	struct ss_eth out;

	assert_int_equal(ss_eth_emit(&in, b), 14);
	assert_int_equal(ss_eth_parse(&out, b, 14), 14);
	assert_memory_equal(out.dst, in.dst, 6);
	assert_memory_equal(out.src, in.src, 6);
	assert_int_equal(out.type, SS_ETH_IP4);
	assert_int_equal(out.vlan, SS_ETH_NO_VLAN);
	assert_int_equal(ss_eth_parse(&out, b, 13), SS_ERR_BAD_PACKET);

	in.vlan = 123;
	assert_int_equal(ss_eth_emit(&in, b), 18);
	b[14] |= 0xe0; /* a priority is no part of the VLAN id */
	assert_int_equal(ss_eth_parse(&out, b, 18), 18);
	assert_int_equal(out.vlan, 123);
	assert_int_equal(out.type, SS_ETH_IP4);
	assert_int_equal(ss_eth_parse(&out, b, 17), SS_ERR_BAD_PACKET);
}

static void arp_both_ways(void **state)
{
	const uint8_t wire[28] = { 0, 1, 8, 0, 6, 4, 0, 1, 2,  0, 0, 0, 0, 9,
				   10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1 };
	uint8_t b[28];
	struct ss_arp a;

	assert_int_equal(ss_arp_parse(&a, wire, 28), 28);
	assert_int_equal(a.op, SS_ARP_REQUEST);
	assert_int_equal(ss_ip4_u32(&a.sender), 0x0a000009);
	assert_int_equal(ss_ip4_u32(&a.target), 0x0a000001);
	assert_int_equal(a.sender_mac[5], 9);
	assert_int_equal(ss_arp_emit(&a, b), 28);
	assert_memory_equal(b, wire, 28);
	assert_int_equal(ss_arp_parse(&a, wire, 27), SS_ERR_BAD_PACKET);

	const int fixed[] = { 0, 1, 2, 3, 4, 5, 8 }; /* 8: a group address as sender */
	for (size_t i = 0; i < SS_ARRAY_LEN(fixed); i++) {
		memcpy(b, wire, 28);
		b[fixed[i]] ^= 1;
		assert_int_equal(ss_arp_parse(&a, b, 28), SS_ERR_BAD_PACKET);
	}
}

/* A header seen on a wire: 10.9.0.1 to 10.9.0.2, TCP, 60 bytes in all. */
static const uint8_t ip_wire[20] = { 0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06,
				     0x0a, 0x62, 10, 9, 0, 1, 10, 9, 0, 2 };

static void ip_both_ways(void **state)
{
	uint8_t b[20];
	struct ss_iphdr h;

	assert_int_equal(ss_iphdr_parse(&h, ip_wire, 20), 20);
	assert_int_equal(h.payload, 40);
	assert_int_equal(h.proto, SS_IP_PROTO_TCP);
	assert_int_equal(h.ttl, 64);
	assert_true(h.dont_fragment);
	assert_false(h.fragment);
	assert_int_equal(ss_ip4_u32(&h.src), 0x0a090001);
	assert_int_equal(ss_iphdr_emit(&h, b), 20);
	assert_memory_equal(b, ip_wire, 20);
}

static int parse_with(int at, uint8_t value, uint32_t n)
{
	uint8_t b[24] = { 0 };
	struct ss_iphdr h;

	memcpy(b, ip_wire, 20);
	b[at] = value;
	ss_put_be16(b + 10, 0);
	ss_put_be16(b + 10, ss_csum(b, ss_min_u32((b[0] & 15) * 4, 24)));
	int rc = ss_iphdr_parse(&h, b, n);
	return rc < 0 ? rc : h.fragment ? 1 : rc;
}

static void ip_refused(void **state)
{
	uint8_t b[20];
	struct ss_iphdr h;

	assert_int_equal(ss_iphdr_parse(&h, ip_wire, 19), SS_ERR_BAD_PACKET);
	for (int bit = 0; bit < 160; bit++) { /* one flipped bit never passes */
		memcpy(b, ip_wire, 20);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(ss_iphdr_parse(&h, b, 20) < 0);
	}
	assert_int_equal(parse_with(0, 0x65, 20), SS_ERR_BAD_PACKET); /* version 6 */
	assert_int_equal(parse_with(0, 0x44, 20), SS_ERR_BAD_PACKET); /* header of 16 bytes */
	assert_int_equal(parse_with(0, 0x46, 20), SS_ERR_BAD_PACKET); /* options past the end */
	assert_int_equal(parse_with(0, 0x46, 24), 24);
	assert_int_equal(parse_with(3, 19, 20), SS_ERR_BAD_PACKET);   /* total below the header */
	assert_int_equal(parse_with(6, 0x20, 20), 1);                 /* more fragments */
	assert_int_equal(parse_with(7, 0x01, 20), 1);                 /* an offset */
	assert_int_equal(parse_with(8, 1, 20), 20);
}

static void ip_sources(void **state)
{
	static const struct {
		uint32_t ip;
		bool ok;
	} v[] = { { 0x0a000001, true },  { 0, false },          { 0x7f000001, false }, { 0xe0000001, false },
		  { 0xdfffffff, true }, { 0xffffffff, false }, { 0xf0000001, false }, { 0x00000001, false } };

	for (size_t i = 0; i < SS_ARRAY_LEN(v); i++) {
		struct ss_ip ip = ss_ip4(v[i].ip);
		assert_int_equal(ss_ip_is_host(&ip), v[i].ok);
	}
}

static void icmp_echo_and_errors(void **state)
{
	uint8_t b[8 + 20 + 8] = { SS_ICMP_ECHO, 0, 0x12, 0x34 };
	struct ss_icmp h;

	assert_int_equal(ss_icmp_parse(&h, b, 8), 8);
	assert_int_equal(h.type, SS_ICMP_ECHO);
	assert_int_equal(h.csum, 0x1234);
	assert_int_equal(ss_icmp_parse(&h, b, 7), SS_ERR_BAD_PACKET);

	b[0] = SS_ICMP_UNREACHABLE;
	b[1] = SS_ICMP_FRAG_NEEDED;
	ss_put_be16(b + 6, 1400);
	assert_int_equal(ss_icmp_parse(&h, b, 8), SS_ERR_BAD_PACKET); /* quotes nothing */
	memcpy(b + 8, ip_wire, 20);
	ss_put_be16(b + 28, 8080);
	ss_put_be16(b + 30, 40000);
	ss_put_be32(b + 32, 77);
	assert_int_equal(ss_icmp_parse(&h, b, sizeof(b)), 8);
	assert_int_equal(h.mtu, 1400);
	assert_true(h.has_tuple);
	assert_int_equal(ss_ip4_u32(&h.tuple.local), 0x0a090001);
	assert_int_equal(h.tuple.local_port, 8080);
	assert_int_equal(h.tuple.remote_port, 40000);
	assert_int_equal(h.seq, 77);
	assert_int_equal(ss_icmp_parse(&h, b, sizeof(b) - 1), 8); /* a short quote names no connection */
	assert_false(h.has_tuple);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eth_plain_and_tagged), cmocka_unit_test(arp_both_ways),
		cmocka_unit_test(ip_both_ways),		cmocka_unit_test(ip_refused),
		cmocka_unit_test(ip_sources),		cmocka_unit_test(icmp_echo_and_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
