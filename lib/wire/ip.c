/* ip.c - the IPv4 header. */
#include "wire/ip.h"

#include "wire/csum.h"

#define IP4_DF 0x4000
#define IP4_MF_AND_OFFSET 0x3fff

int ss_iphdr_parse(struct ss_iphdr *h, const uint8_t *p, uint32_t n)
{
	if (n < SS_IP4_LEN || p[0] >> 4 != 4)
		return SS_ERR_BAD_PACKET;
	uint32_t len = (p[0] & 15u) * 4;
	uint32_t total = ss_get_be16(p + 2);
	if (len < SS_IP4_LEN || len > n || total < len)
		return SS_ERR_BAD_PACKET;
	/* RFC 1122 3.2.1.2: MUST verify the checksum and silently discard every bad datagram */
	if (ss_csum(p, len) != 0)
		return SS_ERR_BAD_CSUM;
	uint16_t frag = ss_get_be16(p + 6);
	h->dscp = p[1] >> 2;
	h->ecn = p[1] & 3;
	h->id = ss_get_be16(p + 4);
	h->dont_fragment = frag & IP4_DF;
	h->fragment = frag & IP4_MF_AND_OFFSET;
	h->ttl = p[8];
	h->proto = p[9];
	h->src = ss_ip4(ss_get_be32(p + 12));
	h->dst = ss_ip4(ss_get_be32(p + 16));
	h->payload = total - len;
	return (int)len;
}

uint32_t ss_iphdr_emit(const struct ss_iphdr *h, uint8_t *p)
{
	p[0] = 0x45;
	p[1] = (uint8_t)((h->dscp << 2) | h->ecn);
	ss_put_be16(p + 2, (uint16_t)(SS_IP4_LEN + h->payload));
	ss_put_be16(p + 4, h->id);
	ss_put_be16(p + 6, h->dont_fragment ? IP4_DF : 0);
	p[8] = h->ttl;
	p[9] = h->proto;
	ss_put_be16(p + 10, 0);
	memcpy(p + 12, h->src.b, 4);
	memcpy(p + 16, h->dst.b, 4);
	ss_put_be16(p + 10, ss_csum(p, SS_IP4_LEN));
	return SS_IP4_LEN;
}

bool ss_ip_is_host(const struct ss_ip *ip)
{
	/* RFC 1122 3.2.1.3: not { 0, * }, not 127/8, not class D (multicast), not class E nor broadcast */
	return ip->family == 4 && ip->b[0] != 0 && ip->b[0] != 127 && ip->b[0] < 224;
}
