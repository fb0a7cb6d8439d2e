/* icmp.c - ICMP messages. */
#include "wire/icmp.h"

#include "wire/ip.h"

/* RFC 792: an error carries the internet header and the first 64 bits of the datagram's data. */
static int quoted(struct ss_icmp *h, const uint8_t *p, uint32_t n)
{
	struct ss_iphdr ip;
	int len = ss_iphdr_parse(&ip, p, n);

	/* A middlebox may have changed the quoted header without its checksum: the tuple is what matters,
	 * and whoever acts on it checks the sequence number (RFC 5927 4.1). Still, refuse what is no IP. */
	if (len < 0)
		return SS_ERR_BAD_PACKET;
	p += len;
	n -= (uint32_t)len;
	if (ip.proto != SS_IP_PROTO_TCP || ip.fragment || n < 8)
		return 0;
	h->has_tuple = true;
	h->tuple = (struct ss_tuple){ .local = ip.src,
				      .remote = ip.dst,
				      .local_port = ss_get_be16(p),
				      .remote_port = ss_get_be16(p + 2) };
	h->seq = ss_get_be32(p + 4);
	return 0;
}

int ss_icmp_parse(struct ss_icmp *h, const uint8_t *p, uint32_t n)
{
	if (n < SS_ICMP_LEN)
		return SS_ERR_BAD_PACKET;
	*h = (struct ss_icmp){ .type = p[0], .code = p[1], .csum = ss_get_be16(p + 2) };
	if (h->type == SS_ICMP_UNREACHABLE && h->code == SS_ICMP_FRAG_NEEDED)
		h->mtu = ss_get_be16(p + 6);
	if (h->type == SS_ICMP_UNREACHABLE || h->type == SS_ICMP_TIME_EXCEEDED) {
		int rc = quoted(h, p + SS_ICMP_LEN, n - SS_ICMP_LEN);
		if (rc < 0)
			return rc;
	}
	return SS_ICMP_LEN;
}
