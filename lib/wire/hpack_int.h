/*
 * hpack_int.h - what HPACK's files share: generated tables, the dynamic table, integers.
 *
 * Takes:   as hpack.h.
 * Gives:   as hpack.h.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_HPACK_INT_H
#define SS_HPACK_INT_H

#include "wire/hdr_int.h"
#include "wire/hpack.h"

#define SS_HPACK_STATIC 61u
#define SS_HPACK_STEP 12
#define SS_HPACK_LONGS 14
#define SS_HPACK_LONG_SYMS 173

struct ss_hpack_static {
	struct ss_span name, value;
	uint16_t tok;
};

/* Codes of one length above SS_HPACK_STEP. */
struct ss_hpack_long {
	uint64_t end;    /* left-aligned in 32 bits: the first value above these codes */
	uint32_t first;
	uint8_t bits;
	uint8_t sym;     /* place of first's symbol in ss_hpack_long_sym */
};

extern const struct ss_hpack_static ss_hpack_static[SS_HPACK_STATIC + 1];
extern const uint32_t ss_hpack_huff_code[256];
extern const uint8_t ss_hpack_huff_bits[256];
/* symbol 1, symbol 2 << 8, bits of both << 16, number of symbols << 24; 0 for a longer code */
extern const uint32_t ss_hpack_huff_step[1 << SS_HPACK_STEP];
extern const struct ss_hpack_long ss_hpack_long[SS_HPACK_LONGS];
extern const uint16_t ss_hpack_long_sym[SS_HPACK_LONG_SYMS];

void ss_hpack_dyn_init(struct ss_hpack_dyn *d, uint32_t max);
/* Evicts until the table fits max. */
void ss_hpack_dyn_resize(struct ss_hpack_dyn *d, uint32_t max);
void ss_hpack_dyn_clear(struct ss_hpack_dyn *d);
/* Makes room and inserts; an entry larger than the table empties it (RFC 7541 4.4) and gives NULL. */
struct ss_hpack_entry *ss_hpack_dyn_insert(struct ss_hpack_dyn *d, struct ss_span name,
					   struct ss_span value, uint16_t tok);
/* Do the n bytes at off equal s? */
bool ss_hpack_dyn_eq(const struct ss_hpack_dyn *d, uint16_t off, struct ss_span s);

/* The entry `back` insertions before the newest one (0 is the newest); back < d->n. */
static inline const struct ss_hpack_entry *ss_hpack_dyn_get(const struct ss_hpack_dyn *d, uint32_t back)
{
	return &d->e[(uint16_t)(d->inserted - 1 - back) % SS_HPACK_ENTRIES];
}

/* Copies n bytes from the ring; dst has 16 bytes of slack behind them. */
static inline void ss_hpack_dyn_read(const struct ss_hpack_dyn *d, uint32_t off, uint32_t n, uint8_t *dst)
{
	uint32_t first = SS_HPACK_TABLE - off;

	if (ss_unlikely(n > first)) {
		memcpy(dst, d->bytes + off, first);
		memcpy(dst + first, d->bytes, n - first);
		return;
	}
	for (uint32_t i = 0; i < n; i += 16)
		memcpy(dst + i, d->bytes + off + i, 16);
}

/* RFC 7541 5.1: the value of an integer of `bits` prefix bits, at *p; SS_ERR_BAD_HPACK past end or 2^28. */
int ss_hpack_int_decode(const uint8_t **p, const uint8_t *end, unsigned bits, uint32_t *v);
/* Writes v behind the opcode bits in `first`; returns the end. At most 6 bytes. */
uint8_t *ss_hpack_long_int(uint8_t *p, uint8_t first, unsigned bits, uint32_t v);
static inline uint8_t *ss_hpack_int_encode(uint8_t *p, uint8_t first, unsigned bits, uint32_t v)
{
	if (ss_unlikely(v >= (1u << bits) - 1))
		return ss_hpack_long_int(p, first, bits, v);
	*p = (uint8_t)(first | v);
	return p + 1;
}

#endif
