/*
 * Huffman coding (RFC 7541 5.2). Decoding looks at twelve bits at a time, which hold two of the
 * common symbols; the rare codes that are longer are found by their length, since the code is canonical.
 */
#include "base/err.h"
#include "wire/hpack_int.h"

#define EOS 256
#define LONGEST 30 /* bits of a code */

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

/* Where little room is left: no symbol is written that does not fit. */
static int slow_decode(const uint8_t *p, uint32_t n, uint8_t *dst, uint32_t room)
{
	struct bits b = { 0, 0, p, p + n };
	uint8_t *out = dst;
	int r = 1;

	while (r > 0) {
		refill(&b);
		r = one_symbol(&b, &out, dst + room);
	}
	return r < 0 ? r : (int)(out - dst);
}

#define WORD 8
#define TAIL 32 /* the rest of the input, less than a word, and as many ones as may be looked at */

/*
 * A word at a time, without a look at either end. Behind the bits that we have, acc holds more of the input,
 * which the next refill lays over itself. The rest of the input that fills no word is read from a copy that
 * ones follow: padding is ones, the beginning of EOS (5.2), and as they are no symbol of twelve bits or less,
 * the end shows by a look that finds none. Writes less than eight bytes more than there are symbols.
 */
static int quick_decode(const uint8_t *p, uint32_t n, uint8_t *dst)
{
	const uint8_t *end = p + n, *last = n < WORD ? NULL : end - WORD; /* where words may begin */
	uint8_t tail[TAIL], *out = dst;
	uint64_t acc = 0;
	unsigned have = 0;

	for (;;) {
		uint32_t e;
		if (ss_unlikely(p > last)) {
			if (last == tail + TAIL - WORD)
				return SS_ERR_BAD_HPACK;
			memset(tail, 0xff, TAIL);
			memcpy(tail, p, (size_t)(end - p));
			end = tail + (end - p);
			p = tail;
			last = tail + TAIL - WORD;
		}
		acc |= load_be64(p) >> have;
		p += (63 - have) >> 3;
		have |= 56;
		for (int i = 0; i < 4; i++) {
			e = ss_hpack_huff_step[acc >> (64 - SS_HPACK_STEP)];
			out[0] = (uint8_t)e;
			out[1] = (uint8_t)(e >> 8);
			out += e >> 24;
			acc <<= (e >> 16) & 0xff;
			have -= (e >> 16) & 0xff;
		}
		if (ss_likely(e != 0))
			continue;
		/* Nothing was taken since the look that found 0: a long code, or the end. */
		int64_t left = (end - p) * 8 + (int64_t)have;
		unsigned sym, len;
		if (left < 8) /* at most seven bits of padding, all ones */
			return left >= 0 && acc >> 56 >> (8 - left) == (1u << left) - 1 ? (int)(out - dst) :
											  SS_ERR_BAD_HPACK;
		if (have < LONGEST)
			continue; /* it comes up again after a refill */
		sym = long_symbol(acc, &len);
		if (len > left || sym == EOS)
			return SS_ERR_BAD_HPACK;
		*out++ = (uint8_t)sym;
		acc <<= len;
		have -= len;
	}
}

int ss_hpack_huff_decode(const uint8_t *p, uint32_t n, uint8_t *dst, uint32_t room)
{
	/* No code has less than five bits. */
	return (uint64_t)n * 8 / 5 + 8 <= room ? quick_decode(p, n, dst) : slow_decode(p, n, dst, room);
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
