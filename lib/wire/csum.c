/*
 * csum.c - the Internet checksum.
 *
 * The sum is taken over 32-bit loads into a 64-bit accumulator: RFC 1071 2(C) allows wider words, and 2(B)
 * makes the byte order a matter of the last step only. 2^32 additions fit before it could overflow.
 */
#include "wire/csum.h"

static uint16_t fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static uint64_t sum_bytes(const uint8_t *p, size_t n)
{
	uint64_t a = 0, b = 0;
	uint32_t w[4];

	for (; n >= sizeof(w); p += sizeof(w), n -= sizeof(w)) {
		memcpy(w, p, sizeof(w));
		a += (uint64_t)w[0] + w[1];
		b += (uint64_t)w[2] + w[3];
	}
	for (; n >= 2; p += 2, n -= 2) {
		uint16_t h;
		memcpy(&h, p, sizeof(h));
		a += h;
	}
	if (n) { /* RFC 1071 1: padded with a zero byte on the right */
		uint8_t last[2] = { *p, 0 };
		uint16_t h;
		memcpy(&h, last, sizeof(h));
		a += h;
	}
	return a + b;
}

void ss_csum_add(struct ss_csum *c, const void *p, size_t n)
{
	uint64_t s = sum_bytes(p, n);
	if (c->odd) { /* RFC 1071 2(B): a sum over swapped bytes is the swapped sum */
		uint16_t f = fold(s);
		s = (uint16_t)((f << 8) | (f >> 8));
	}
	c->sum += s;
	c->odd ^= n & 1;
}

void ss_csum_pseudo(struct ss_csum *c, const struct ss_ip *src, const struct ss_ip *dst, uint8_t proto,
		    uint32_t len)
{
	uint32_t addr_len = src->family == 6 ? 16 : 4;
	uint8_t tail[8] = { 0 };

	/* IPv4 has a zero byte, the protocol and a 16-bit length; IPv6 a 32-bit length, three zero bytes
	 * and the next header. The words are the same but for zeros. */
	ss_put_be32(tail, len);
	tail[7] = proto;
	ss_csum_add(c, src->b, addr_len);
	ss_csum_add(c, dst->b, addr_len);
	ss_csum_add(c, tail, sizeof(tail));
}

uint16_t ss_csum_end(const struct ss_csum *c)
{
	uint16_t f = (uint16_t)~fold(c->sum);
	uint8_t b[2];

	memcpy(b, &f, sizeof(b));
	return ss_get_be16(b);
}

uint16_t ss_csum(const void *p, size_t n)
{
	struct ss_csum c = { 0 };

	ss_csum_add(&c, p, n);
	return ss_csum_end(&c);
}

uint16_t ss_csum_update(uint16_t old, uint16_t was, uint16_t is)
{
	/* RFC 1624 3: HC' = ~(~HC + ~m + m') */
	uint32_t s = (uint16_t)~old + (uint32_t)(uint16_t)~was + is;
	return (uint16_t)~fold(s);
}
