/* l3_fuzz.c - a frame from a stranger through Ethernet, ARP, IPv4 and ICMP, as net walks it. */
#include <stdlib.h>

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size);

/* What was parsed must come out of emit as the same values. */
static void again(const struct ss_iphdr *h)
{
	uint8_t b[SS_IP4_LEN];
	struct ss_iphdr back;

	if (h->payload + SS_IP4_LEN > UINT16_MAX || h->fragment)
		return;
	ss_iphdr_emit(h, b);
	if (ss_iphdr_parse(&back, b, sizeof(b)) != SS_IP4_LEN || back.payload != h->payload ||
	    !ss_ip_eq(&back.src, &h->src) || back.proto != h->proto)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	struct ss_eth eth;
	struct ss_arp arp;
	struct ss_iphdr ip;
	struct ss_icmp icmp;
	uint32_t n = (uint32_t)size;

	int l2 = ss_eth_parse(&eth, p, n);
	if (l2 < 0)
		return 0;
	p += l2;
	n -= (uint32_t)l2;
	if (eth.type == SS_ETH_ARP)
		return ss_arp_parse(&arp, p, n) < -1000000;
	int l3 = ss_iphdr_parse(&ip, p, n);
	if (l3 < 0)
		return 0;
	if ((uint32_t)l3 > n)
		abort();
	again(&ip);
	ss_icmp_parse(&icmp, p + l3, ss_min_u32(n - (uint32_t)l3, ip.payload));
	return 0;
}
