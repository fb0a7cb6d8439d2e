/*
 * foreign.c - see foreign.h. Every field that the static table lacks is inserted once, in order.
 */
#include "perf/micro/foreign.h"

#include "wire/hpack.h"

#define FIRST_DYNAMIC 62u
#define FIELDS_MAX (HEADS_FIELDS + 4)

static uint8_t *put_int(uint8_t *p, uint8_t op, unsigned bits, uint32_t v)
{
	uint32_t max = (1u << bits) - 1;

	if (v < max) {
		*p++ = (uint8_t)(op | v);
		return p;
	}
	*p++ = (uint8_t)(op | max);
	for (v -= max; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
	uint32_t n = (uint32_t)strlen(text), coded = ss_hpack_huff_len((const uint8_t *)text, n);

	if (coded < n)
		return ss_hpack_huff_encode((const uint8_t *)text, n, put_int(p, 0x80, 7, coded));
	p = put_int(p, 0, 7, n);
	memcpy(p, text, n);
	return p + n;
}

/* Pseudo-header fields, then the others. */
static uint32_t all_fields(const struct head *head, struct head_field *f)
{
	uint32_t n = 0;

	if (head->method) {
		f[n++] = (struct head_field){":method", head->method, false};
		f[n++] = (struct head_field){":scheme", "https", false};
		f[n++] = (struct head_field){":authority", head->authority, false};
		f[n++] = (struct head_field){":path", head->path, false};
	}
	for (const struct head_field *i = head->f; i < head->f + HEADS_FIELDS && i->name; i++)
		f[n++] = *i;
	return n;
}

uint32_t foreign_block(const struct head *head, bool first, uint8_t *p)
{
	struct head_field f[FIELDS_MAX];
	uint32_t n = all_fields(head, f);
	const uint8_t *start = p;

	if (head->status)
		*p++ = 0x88; /* :status 200 */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = FIRST_DYNAMIC + n - 1 - i;
		if (first) {
			*p++ = 0x40;
			p = put_text(put_text(p, f[i].name), f[i].value);
		} else if (f[i].fresh) {
			p = put_text(put_int(p, 0, 4, index), f[i].value);
		} else {
			p = put_int(p, 0x80, 7, index);
		}
	}
	return (uint32_t)(p - start);
}
