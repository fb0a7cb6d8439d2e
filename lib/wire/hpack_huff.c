/*
 * Huffman coding (RFC 7541 5.2). Decoding looks at twelve bits at a time, which hold two of the
 * common symbols; the rare codes that are longer are found by their length, since the code is canonical.
 */
#include "base/err.h"
#include "wire/hpack_int.h"

#define EOS 256

/* Bits not yet decoded, left-aligned; zeros below them. */
struct bits {
	uint64_t acc;
	unsigned n;
	const uint8_t *p, *end;
};

static inline uint64_t load_be64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return __builtin_bswap64(w);
}

static inline void refill(struct bits *b)
{
	if (ss_likely(b->end - b->p >= 8)) {
		unsigned bytes = (63 - b->n) >> 3;
		/* The bits past whole bytes are cut off, or the next refill would add them twice. */
		b->acc |= (load_be64(b->p) >> b->n) & ~(~0ull >> (b->n + bytes * 8));
		b->p += bytes;
		b->n += bytes * 8;
		return;
	}
	while (b->n <= 56 && b->p < b->end) {
		b->acc |= (uint64_t)*b->p++ << (56 - b->n);
		b->n += 8;
	}
}

static inline void consume(struct bits *b, unsigned n)
{
	b->acc <<= n;
	b->n -= n;
}

/* A code longer than SS_HPACK_STEP at the top of acc; *len its bits. */
static unsigned long_symbol(uint64_t acc, unsigned *len)
{
	uint32_t top = (uint32_t)(acc >> 32);
	const struct ss_hpack_long *l = ss_hpack_long;

	while (top >= l->end)
		l++;
	*len = l->bits;
	return ss_hpack_long_sym[l->sym + (top >> (32 - l->bits)) - l->first];
}

/* Symbol by symbol: near the end of the input or of the room, and for long codes. 1 decoded, 0 at the end. */
static int one_symbol(struct bits *b, uint8_t **dst, const uint8_t *dst_end)
{
	if (b->n == 0)
		return 0;
	/* Padding is the beginning of EOS: ones. So missing bits are read as ones. */
	uint64_t acc = b->acc | (b->n < 64 ? ~0ull >> b->n : 0);
	uint32_t e = ss_hpack_huff_step[acc >> (64 - SS_HPACK_STEP)];
	unsigned sym = e & 0xff, len = ss_hpack_huff_bits[sym];

	if (e == 0)
		sym = long_symbol(acc, &len);
	if (len > b->n)
		return b->n < 8 && acc == ~0ull ? 0 : SS_ERR_BAD_HPACK;
	if (sym == EOS)
		return SS_ERR_BAD_HPACK;
	if (*dst == dst_end)
		return SS_ERR_FULL;
	*(*dst)++ = (uint8_t)sym;
	consume(b, len);
	return 1;
}

int ss_hpack_huff_decode(const uint8_t *p, uint32_t n, uint8_t *dst, uint32_t room)
{
	struct bits b = { 0, 0, p, p + n };
	uint8_t *out = dst;
	const uint8_t *out_end = dst + room;
	int r = 1;

	while (r > 0) {
		refill(&b);
		/* Two bytes are written whatever the entry holds. */
		while (b.n >= SS_HPACK_STEP && out_end - out >= 2) {
			uint32_t e = ss_hpack_huff_step[b.acc >> (64 - SS_HPACK_STEP)];
			if (ss_unlikely(e == 0))
				break;
			out[0] = (uint8_t)e;
			out[1] = (uint8_t)(e >> 8);
			out += e >> 24;
			consume(&b, (e >> 16) & 0xff);
		}
		if (b.p < b.end && b.n < SS_HPACK_STEP)
			continue;
		refill(&b);
		r = one_symbol(&b, &out, out_end);
	}
	return r < 0 ? r : (int)(out - dst);
}

uint32_t ss_hpack_huff_len(const uint8_t *p, uint32_t n)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < n; i++)
		bits += ss_hpack_huff_bits[p[i]];
	return (uint32_t)((bits + 7) / 8);
}

uint8_t *ss_hpack_huff_encode(const uint8_t *p, uint32_t n, uint8_t *dst)
{
	uint64_t acc = 0; /* `have` bits at its bottom */
	unsigned have = 0;

	for (uint32_t i = 0; i < n; i++) {
		acc = acc << ss_hpack_huff_bits[p[i]] | ss_hpack_huff_code[p[i]];
		have += ss_hpack_huff_bits[p[i]];
		if (have >= 32) {
			have -= 32;
			ss_put_be32(dst, (uint32_t)(acc >> have));
			dst += 4;
		}
	}
	while (have >= 8) {
		have -= 8;
		*dst++ = (uint8_t)(acc >> have);
	}
	if (have)
		*dst++ = (uint8_t)(acc << (8 - have) | 0xff >> have);
	return dst;
}
