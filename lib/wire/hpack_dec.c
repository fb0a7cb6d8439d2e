/*
 * Decoding header blocks (RFC 7541 3, 6). A block is always decoded to its end unless it is broken
 * itself: the dynamic table must stay in step with the peer's even when the message is refused.
 */
#include "base/err.h"
#include "wire/chars.h"
#include "wire/hpack_int.h"

/* An entry's name or value broke RFC 9113 8.2.1; every use of it makes a message malformed. */
#define BAD_FIELD 0x8000

struct field {
	struct ss_span name, value;
	uint16_t tok;
};

void ss_hpack_dec_init(struct ss_hpack_dec *d, uint32_t limit)
{
	d->limit = ss_min_u32(limit, SS_HPACK_TABLE);
	d->must_resize = false;
	ss_hpack_dyn_init(&d->dyn, d->limit);
}

void ss_hpack_dec_limit(struct ss_hpack_dec *d, uint32_t limit)
{
	d->limit = ss_min_u32(limit, SS_HPACK_TABLE);
	/* RFC 7541 4.2: a lowered limit must be confirmed at the start of the next block. */
	d->must_resize = d->dyn.max > d->limit;
}

/* -- what becomes of a decoded field -- */

static int status_value(struct ss_hdrs *h, struct ss_span v)
{
	if (v.n != 3 || !ss_chars_all(v, SS_CH_DIGIT) || v.p[0] < '1' || v.p[0] > '5')
		return SS_ERR_BAD_STREAM;
	h->status = (uint16_t)((v.p[0] - '0') * 100 + (v.p[1] - '0') * 10 + (v.p[2] - '0'));
	return 0;
}

/* Where a pseudo-header field's value goes; 0 for :status, which is a number. */
static const uint16_t pseudo_member[SS_HP_END - SS_HP_AUTHORITY] = {
	[SS_HP_AUTHORITY - SS_HP_AUTHORITY] = offsetof(struct ss_hdrs, authority),
	[SS_HP_METHOD - SS_HP_AUTHORITY] = offsetof(struct ss_hdrs, method),
	[SS_HP_PATH - SS_HP_AUTHORITY] = offsetof(struct ss_hdrs, path),
	[SS_HP_SCHEME - SS_HP_AUTHORITY] = offsetof(struct ss_hdrs, scheme),
	[SS_HP_PROTOCOL - SS_HP_AUTHORITY] = offsetof(struct ss_hdrs, protocol),
};

/* RFC 9113 8.3: pseudo-header fields stand before all others, each at most once. */
static int give_pseudo(struct ss_hpack_run *r, const struct field *f)
{
	uint8_t bit = (uint8_t)(1u << (f->tok - SS_HP_AUTHORITY));

	if (r->regular || (r->pseudo & bit))
		return SS_ERR_BAD_STREAM;
	r->pseudo |= bit;
	if (f->tok == SS_HP_STATUS)
		return status_value(r->h, f->value);
	*(struct ss_span *)((char *)r->h + pseudo_member[f->tok - SS_HP_AUTHORITY]) = f->value;
	return 0;
}

static inline void give(struct ss_hpack_run *r, const struct field *f, uint16_t flags)
{
	struct ss_hdrs *h = r->h;

	if (ss_unlikely(r->err))
		return;
	/* max_bytes is compared before the sum can wrap: a field's bytes fit the block. */
	h->bytes += f->name.n + f->value.n + 32;
	if (ss_unlikely(h->bytes > r->max_bytes)) {
		r->err = SS_ERR_LIMIT;
	} else if (f->tok >= SS_HP_AUTHORITY) {
		r->err = f->tok & BAD_FIELD ? SS_ERR_BAD_STREAM : give_pseudo(r, f);
	} else if (ss_unlikely(h->n == h->cap)) {
		r->err = SS_ERR_LIMIT;
	} else {
		h->v[h->n++] = (struct ss_hdr){ f->name, f->value, f->tok, flags };
		r->regular = true;
	}
}

/* -- pieces of a field -- */

/* A string literal (RFC 7541 5.2) into out. SS_ERR_FULL when it does not fit: *p is behind it even so. */
static int string(struct ss_hpack_run *r, const uint8_t **p, struct ss_span *s)
{
	struct ss_out *out = &r->out;
	uint32_t n;

	if (*p == r->end)
		return SS_ERR_BAD_HPACK;
	bool huffman = **p & 0x80;
	int e = ss_hpack_int_decode(p, r->end, 7, &n);
	if (e < 0)
		return e;
	if (n > (size_t)(r->end - *p))
		return SS_ERR_BAD_HPACK;
	const uint8_t *src = *p;
	*p += n;
	*s = ss_span(out->p, n);
	if (huffman) {
		e = ss_hpack_huff_decode(src, n, out->p, (uint32_t)ss_out_room(out));
		if (e < 0)
			return e;
		s->n = (uint32_t)e;
	} else if (n > ss_out_room(out)) {
		return SS_ERR_FULL;
	} else if (n) {
		memcpy(out->p, src, n);
	}
	out->p += s->n;
	return 0;
}

/* n bytes of the dynamic table into out. */
static inline int copy_out(struct ss_hpack_run *r, uint32_t off, uint32_t n, struct ss_span *s)
{
	struct ss_out *out = &r->out;

	*s = ss_span(out->p, n);
	off %= SS_HPACK_TABLE;
	if (ss_likely(ss_out_room(out) >= n + 16u)) {
		ss_hpack_dyn_read(&r->d->dyn, off, n, out->p);
	} else if (n > ss_out_room(out)) {
		return SS_ERR_FULL;
	} else {
		for (uint32_t i = 0; i < n; i++)
			out->p[i] = r->d->dyn.bytes[(off + i) % SS_HPACK_TABLE];
	}
	out->p += n;
	return 0;
}

/* An entry's name: known ones stand in constant tables, and only others are copied. */
static inline int entry_name(struct ss_hpack_run *r, const struct ss_hpack_entry *e, struct ss_span *name)
{
	if (ss_likely(e->tok && e->tok < SS_H_COUNT)) {
		*name = ss_hdr_known[ss_hdr_slot[e->tok]].name;
		return 0;
	}
	return copy_out(r, e->off, e->nlen, name);
}

/* The field, or only the name, at an index of the two tables (RFC 7541 2.3.3). */
static int indexed(struct ss_hpack_run *r, uint32_t index, bool with_value, struct field *f)
{
	if (ss_unlikely(index == 0))
		return SS_ERR_BAD_HPACK;
	if (index <= SS_HPACK_STATIC) {
		const struct ss_hpack_static *s = &ss_hpack_static[index];
		*f = (struct field){ s->name, s->value, s->tok };
		return 0;
	}
	index -= SS_HPACK_STATIC + 1;
	if (ss_unlikely(index >= r->d->dyn.n))
		return SS_ERR_BAD_HPACK;
	const struct ss_hpack_entry *e = ss_hpack_dyn_get(&r->d->dyn, index);
	int err = entry_name(r, e, &f->name);
	if (ss_likely(err == 0) && with_value)
		err = copy_out(r, (uint32_t)e->off + e->nlen, e->vlen, &f->value);
	if (ss_unlikely(err < 0))
		return err; /* f's spans may point at room that is not there */
	/* A bad value does not make the name bad; a bad name is found again. */
	f->tok = e->tok;
	return 0;
}

/* RFC 9113 8.2.1: a name is a lower-case token, with a colon in front only when it is a pseudo-header's. */
static uint16_t name_token(struct ss_span name)
{
	const struct ss_hdr_known *k = ss_hdr_lookup(name);

	if (k)
		return k->tok;
	uint8_t seen = 0;
	bool token = name.n > 0;
	for (uint32_t i = 0; i < name.n; i++) {
		token &= ss_ch(name.p[i], SS_CH_TOKEN);
		seen |= ss_chars[name.p[i]];
	}
	return token && !(seen & SS_CH_UPPER) ? SS_H_OTHER : BAD_FIELD;
}

static bool value_ok(struct ss_span v)
{
	if (v.n && (v.p[0] == ' ' || v.p[0] == '\t' || v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		return false;
	return ss_chars_value(v);
}

/* Name and value of a literal (RFC 7541 6.2); bits is the width of the name's index. */
static int literal_parts(struct ss_hpack_run *r, const uint8_t **p, unsigned bits, struct field *f)
{
	uint32_t index;
	int err = ss_hpack_int_decode(p, r->end, bits, &index);

	if (err < 0)
		return err;
	if (index) {
		err = indexed(r, index, false, f);
		f->tok = f->tok & BAD_FIELD ? name_token(f->name) : f->tok;
	} else {
		err = string(r, p, &f->name);
		if (err == 0)
			f->tok = name_token(f->name);
	}
	if (err < 0 && err != SS_ERR_FULL)
		return err;
	int full = err;
	err = string(r, p, &f->value);
	if (err < 0)
		return err;
	if (!value_ok(f->value))
		f->tok |= BAD_FIELD;
	return full;
}

/* -- the representations of RFC 7541 6. *p moves only when the field is done with. -- */

static int on_literal(struct ss_hpack_run *r, const uint8_t **p, unsigned bits, bool add, uint16_t flags)
{
	struct field f = { .tok = 0 };
	int err = literal_parts(r, p, bits, &f);

	if (err < 0)
		return err;
	if (add)
		ss_hpack_dyn_insert(&r->d->dyn, f.name, f.value, f.tok);
	give(r, &f, flags);
	return 0;
}

static int on_resize(struct ss_hpack_run *r, const uint8_t **p)
{
	uint32_t max;
	int err = ss_hpack_int_decode(p, r->end, 5, &max);

	if (err < 0 || max > r->d->limit) /* 6.3 */
		return SS_ERR_BAD_HPACK;
	ss_hpack_dyn_resize(&r->d->dyn, max);
	r->d->must_resize = false;
	return 0;
}

static int one_field(struct ss_hpack_run *r, const uint8_t **p)
{
	uint8_t b = **p;

	if (b & 0x80) {
		struct field f;
		uint32_t index;
		int err = ss_hpack_int_decode(p, r->end, 7, &index);
		if (err < 0)
			return err;
		/* A byte of input can stand for 4 KB: nothing is copied for a message that is refused. */
		if (ss_unlikely(r->err))
			return index && index <= SS_HPACK_STATIC + r->d->dyn.n ? 0 : SS_ERR_BAD_HPACK;
		err = indexed(r, index, true, &f);
		if (ss_likely(err == 0))
			give(r, &f, 0);
		return err;
	}
	if (b & 0x40)
		return on_literal(r, p, 6, true, 0);
	return on_literal(r, p, 4, false, b & 0x10 ? SS_HDR_NEVER_INDEX : 0);
}

/* An entry of the dynamic table as a field, copied to out without looking for the ring's end or out's. False:
 * one of them is near. */
static inline bool quick_entry(const struct ss_hpack_dyn *d, const struct ss_hpack_entry *e,
			       struct ss_out *out, struct field *f)
{
	bool named = e->tok && !(e->tok & BAD_FIELD);
	uint32_t skip = named ? e->nlen : 0, n = e->nlen - skip + e->vlen, at = e->off + skip;

	if (at + n > SS_HPACK_TABLE || ss_out_room(out) < n + 16u)
		return false;
	for (uint32_t i = 0; i < n; i += 16)
		memcpy(out->p + i, d->bytes + at + i, 16);
	f->tok = e->tok;
	f->name = ss_span(out->p, e->nlen);
	f->value = ss_span(out->p + e->nlen - skip, e->vlen);
	if (e->tok && e->tok < SS_H_COUNT)
		f->name = ss_hdr_known[ss_hdr_slot[e->tok]].name;
	out->p += n;
	return true;
}

/*
 * Most fields of most blocks: one byte that means a good field of either table. Stops in front of anything
 * else, and of what would break a limit; one_field then says what it is.
 */
static void quick_fields(struct ss_hpack_run *r)
{
	const struct ss_hpack_dyn *d = &r->d->dyn;
	struct ss_hdrs *h = r->h;
	struct ss_out out = r->out;
	const uint8_t *p = r->p;
	uint32_t bytes = h->bytes;
	uint16_t n = h->n;

	for (; p < r->end && *p > 0x80 && *p < 0xff; p++) {
		uint32_t index = *p & 0x7f, back = index - SS_HPACK_STATIC - 1;
		struct ss_out next = out;
		struct field f;
		if (index <= SS_HPACK_STATIC)
			f = (struct field){ ss_hpack_static[index].name, ss_hpack_static[index].value,
					    ss_hpack_static[index].tok };
		else if (back >= d->n || !quick_entry(d, ss_hpack_dyn_get(d, back), &next, &f))
			break;
		uint32_t cost = f.name.n + f.value.n + 32;
		if (bytes + cost > r->max_bytes)
			break;
		if (f.tok < SS_H_COUNT) {
			if (n == h->cap)
				break;
			h->v[n++] = (struct ss_hdr){ f.name, f.value, f.tok, 0 };
			r->regular = true;
		} else {
			uint32_t which = (uint32_t)f.tok - SS_HP_AUTHORITY;
			if (f.tok >= SS_HP_END || r->regular || r->pseudo & 1u << which)
				break;
			if (!pseudo_member[which])
				break;
			r->pseudo |= (uint8_t)(1u << which);
			*(struct ss_span *)((char *)h + pseudo_member[which]) = f.value;
		}
		bytes += cost;
		out = next;
	}
	r->p = p;
	r->out = out;
	h->bytes = bytes;
	h->n = n;
}

/* Fields from r->p on; stops in front of one that finds out full. */
static int fields(struct ss_hpack_run *r)
{
	while (r->p < r->end) {
		if (ss_likely(!r->err))
			quick_fields(r);
		if (r->p == r->end)
			break;
		const uint8_t *p = r->p;
		struct ss_out before = r->out;
		if (ss_unlikely((*p & 0xe0) == 0x20))
			return SS_ERR_BAD_HPACK;
		int err = one_field(r, &p);
		if (ss_unlikely(err < 0)) {
			r->out = before;
			return err;
		}
		r->p = p;
	}
	return 0;
}

void ss_hpack_begin(struct ss_hpack_run *r, struct ss_hpack_dec *d, const uint8_t *p, uint32_t n,
		    uint32_t max_bytes, struct ss_hdrs *h)
{
	*r = (struct ss_hpack_run){ .d = d, .p = p, .end = p + n, .h = h, .max_bytes = max_bytes };
}

int ss_hpack_go(struct ss_hpack_run *r, struct ss_out out)
{
	int err = 0;

	r->out = out;
	/* 4.2: size updates stand only at the beginning of a block. */
	while (!r->begun && r->p < r->end && (*r->p & 0xe0) == 0x20 && err == 0)
		err = on_resize(r, &r->p);
	if (err == 0 && r->d->must_resize)
		err = SS_ERR_BAD_HPACK;
	r->begun = true;
	if (err == 0)
		err = fields(r);
	return err < 0 ? err : r->err;
}

int ss_hpack_drain(struct ss_hpack_run *r, int err)
{
	uint8_t scratch[SS_HPACK_TABLE + 16];

	r->err = r->err ? r->err : err;
	while (r->p < r->end) {
		const uint8_t *p = r->p;
		bool add = (*p & 0xc0) == 0x40;
		r->out = ss_out(scratch, sizeof(scratch));
		if ((*p & 0xe0) == 0x20)
			return SS_ERR_BAD_HPACK;
		err = one_field(r, &p);
		if (err < 0 && err != SS_ERR_FULL)
			return err;
		/* What does not fit scratch does not fit the table either, and empties it. */
		if (err == SS_ERR_FULL && add)
			ss_hpack_dyn_clear(&r->d->dyn);
		r->p = p;
	}
	return r->err;
}

int ss_hpack_decode(struct ss_hpack_dec *d, const uint8_t *p, uint32_t n, uint32_t max_bytes,
		    struct ss_out *out, struct ss_hdrs *h)
{
	struct ss_hpack_run r;
	int err;

	ss_hpack_begin(&r, d, p, n, max_bytes, h);
	err = ss_hpack_go(&r, *out);
	*out = r.out;
	return err == SS_ERR_FULL ? ss_hpack_drain(&r, SS_ERR_LIMIT) : err;
}
