/* The dynamic table (RFC 7541 2.3.2, 4) and its integers (5.1). */
#include "base/err.h"
#include "wire/hpack_int.h"

#define MASK (SS_HPACK_TABLE - 1)
#define ENTRY_COST 32u
#define INT_MAX_SHIFT 28

void ss_hpack_dyn_init(struct ss_hpack_dyn *d, uint32_t max)
{
	d->max = max;
	d->size = 0;
	d->head = d->inserted = d->n = 0;
}

static void evict_to(struct ss_hpack_dyn *d, uint32_t room)
{
	while (d->size > room) {
		const struct ss_hpack_entry *e = ss_hpack_dyn_get(d, d->n - 1u);
		d->size -= e->nlen + e->vlen + ENTRY_COST;
		d->n--;
	}
}

void ss_hpack_dyn_resize(struct ss_hpack_dyn *d, uint32_t max)
{
	d->max = max;
	evict_to(d, max);
}

void ss_hpack_dyn_clear(struct ss_hpack_dyn *d)
{
	d->size = 0;
	d->n = 0;
}

static void put(struct ss_hpack_dyn *d, struct ss_span s)
{
	uint32_t first = ss_min_u32(s.n, SS_HPACK_TABLE - d->head);

	if (s.n == 0)
		return;
	memcpy(d->bytes + d->head, s.p, first);
	memcpy(d->bytes, s.p + first, s.n - first);
	d->head = (uint16_t)((d->head + s.n) & MASK);
}

struct ss_hpack_entry *ss_hpack_dyn_insert(struct ss_hpack_dyn *d, struct ss_span name,
					   struct ss_span value, uint16_t tok)
{
	uint64_t cost = (uint64_t)name.n + value.n + ENTRY_COST;

	if (cost > d->max) {
		ss_hpack_dyn_clear(d);
		return NULL;
	}
	evict_to(d, d->max - (uint32_t)cost);
	struct ss_hpack_entry *e = &d->e[d->inserted % SS_HPACK_ENTRIES];
	*e = (struct ss_hpack_entry){ d->head, (uint16_t)name.n, (uint16_t)value.n, tok };
	put(d, name);
	put(d, value);
	d->inserted++;
	d->n++;
	d->size += (uint32_t)cost;
	return e;
}

bool ss_hpack_dyn_eq(const struct ss_hpack_dyn *d, uint16_t off, struct ss_span s)
{
	uint32_t at = off & MASK, first = SS_HPACK_TABLE - at;

	if (ss_likely(s.n <= first))
		return ss_bytes_eq(d->bytes + at, s.p, s.n);
	return memcmp(d->bytes + at, s.p, first) == 0 && memcmp(d->bytes, s.p + first, s.n - first) == 0;
}

int ss_hpack_int_decode(const uint8_t **p, const uint8_t *end, unsigned bits, uint32_t *v)
{
	uint32_t max = (1u << bits) - 1, x = **p & max;

	(*p)++;
	if (x == max) {
		unsigned shift = 0;
		uint8_t b;
		do {
			if (*p == end || shift >= INT_MAX_SHIFT)
				return SS_ERR_BAD_HPACK;
			b = *(*p)++;
			x += (uint32_t)(b & 0x7f) << shift;
			shift += 7;
		} while (b & 0x80);
	}
	*v = x;
	return 0;
}

/* v is no less than the prefix holds. */
uint8_t *ss_hpack_long_int(uint8_t *p, uint8_t first, unsigned bits, uint32_t v)
{
	uint32_t max = (1u << bits) - 1;

	*p++ = (uint8_t)(first | max);
	for (v -= max; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}
