/*
 * Encoding header blocks. A field that was sent before is one or two bytes. What is worth an entry
 * is learnt: names that repeat by nature go in at once, others when the same field comes the second time,
 * so that values used once never push out those that repeat.
 *
 * Only what enters the table is Huffman coded, once for many uses. Elsewhere coding costs some ten cycles
 * per byte here and as many at the other end, and saves a fifth to a quarter of a short string.
 */
#include "base/err.h"
#include "wire/hpack_int.h"

#define OP_INDEXED 0x80
#define OP_INSERT 0x40
#define OP_RESIZE 0x20
#define OP_NEVER 0x10
#define OP_PLAIN 0x00

#define PROXY_AUTHORIZATION 49 /* static index of a name without a token */
#define STATUS_200 8

/* Opcode, name index, and two lengths take no more than this beside the bytes. */
#define FIELD_SLACK 16u
#define BLOCK_SLACK 16u

/* What a name's values are like. Names not listed are LEARN. */
enum policy {
	LEARN,  /* index when the field comes again */
	AT_ONCE, /* few values, used for ever */
	UNIQUE, /* differs each time: not even looked up */
	SECRET, /* RFC 7541 7.1.3: never in any table, on no hop */
};

static const uint8_t policies[SS_HP_END] = {
	[SS_H_AUTHORIZATION] = SECRET, [SS_H_COOKIE] = SECRET, [SS_H_SET_COOKIE] = SECRET,
	[SS_H_X_FORWARDED_CLIENT_CERT] = LEARN,
	[SS_H_CONTENT_TYPE] = AT_ONCE, [SS_H_TE] = AT_ONCE, [SS_H_SERVER] = AT_ONCE,
	[SS_H_USER_AGENT] = AT_ONCE, [SS_H_ACCEPT_ENCODING] = AT_ONCE, [SS_H_GRPC_STATUS] = AT_ONCE,
	[SS_H_X_FORWARDED_PROTO] = AT_ONCE, [SS_HP_AUTHORITY] = AT_ONCE, [SS_HP_STATUS] = AT_ONCE,
	[SS_HP_METHOD] = AT_ONCE, [SS_HP_PROTOCOL] = AT_ONCE,
	[SS_H_X_REQUEST_ID] = UNIQUE, [SS_H_TRACEPARENT] = UNIQUE,
	[SS_H_GRPC_TIMEOUT] = UNIQUE, /* a first try has its route's whole time: */
	[SS_H_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS] = LEARN,
	[SS_H_X_ENVOY_ATTEMPT_COUNT] = AT_ONCE,
};

void ss_hpack_enc_init(struct ss_hpack_enc *e)
{
	memset(e, 0, offsetof(struct ss_hpack_enc, dyn));
	ss_hpack_dyn_init(&e->dyn, SS_HPACK_TABLE);
}

void ss_hpack_enc_limit(struct ss_hpack_enc *e, uint32_t limit)
{
	limit = ss_min_u32(limit, SS_HPACK_TABLE);
	if (limit == e->dyn.max)
		return;
	e->low = e->resized ? ss_min_u32(e->low, limit) : limit;
	e->resized = true;
	ss_hpack_dyn_resize(&e->dyn, limit);
}

uint32_t ss_hpack_bound(const struct ss_hdrs *h)
{
	uint32_t n = BLOCK_SLACK + 6 * FIELD_SLACK + h->method.n + h->scheme.n + h->authority.n + h->path.n +
		     h->protocol.n;

	for (uint16_t i = 0; i < h->n; i++)
		n += h->v[i].name.n + h->v[i].value.n + FIELD_SLACK;
	return n;
}

/* The n bytes at p as one number, the same for the same bytes; n < 8. */
static inline uint64_t few_bytes(const uint8_t *p, uint32_t n)
{
	uint32_t a, b;

	if (n < 4)
		return n ? p[0] | (uint32_t)p[n / 2] << 8 | (uint32_t)p[n - 1] << 16 : 0;
	memcpy(&a, p, 4);
	memcpy(&b, p + n - 4, 4);
	return a | (uint64_t)b << 32;
}

/* Eight bytes at a time; equality is checked afterwards, so a collision only costs bytes. */
static uint32_t hash(struct ss_span s, uint32_t seed)
{
	uint64_t h = (seed + 1ull) * 0x9e3779b97f4a7c15ull ^ s.n, w;

	for (uint32_t i = 0; i + 8 < s.n; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = (h ^ w) * 0x9fb21c651e98df25ull;
		h ^= h >> 32;
	}
	if (s.n < 8)
		w = few_bytes(s.p, s.n);
	else
		memcpy(&w, s.p + s.n - 8, 8);
	h = (h ^ w) * 0x9fb21c651e98df25ull;
	return (uint32_t)(h >> 32 ^ h);
}

/*
 * A name's number. Names known by token come first, then those of the static table; two other names may share
 * a number, and UNKNOWN in it says that the bytes have to be compared.
 */
#define UNKNOWN 0x8000u
#define FIRST_STATIC SS_HP_END
#define FIRST_HASHED (FIRST_STATIC + SS_HPACK_STATIC + 1)
static_assert(FIRST_HASHED + 32 <= SS_HPACK_NAMES, "room for other names");

struct one {
	struct ss_span name, value;
	uint16_t tok;
	uint16_t flags;
	uint16_t number; /* of the name */
	uint16_t stat;   /* first static entry with this name, 0: none */
	uint32_t field_hash;
};

static uint16_t number_of(const struct ss_hdr_known *k, struct ss_span name)
{
	if (!k)
		return (uint16_t)(UNKNOWN | (FIRST_HASHED + hash(name, 0) % (SS_HPACK_NAMES - FIRST_HASHED)));
	return k->tok ? k->tok : (uint16_t)(FIRST_STATIC + k->hpack);
}

uint16_t ss_hpack_name_number(struct ss_span name)
{
	return number_of(ss_hdr_lookup(name), name);
}

static void identify(struct one *f)
{
	const struct ss_hdr_known *k;

	if (f->number && (f->number & UNKNOWN || f->number >= FIRST_STATIC)) {
		f->stat = f->number & UNKNOWN ? 0 : (uint16_t)(f->number - FIRST_STATIC);
		return;
	}
	/* The static name is in the table of known names, whose slot a token knows. */
	k = f->tok && f->tok < SS_H_COUNT ? &ss_hdr_known[ss_hdr_slot[f->tok]] : ss_hdr_lookup(f->name);
	f->stat = k ? k->hpack : 0;
	f->number = number_of(k, f->name);
}

static uint16_t *last_use(struct ss_hpack_enc *e, const struct one *f)
{
	return &e->by_name[f->number & ~UNKNOWN];
}

/* Entry of an insertion remembered as number + 1, if it is there and has f's name; *back: how far back. */
static const struct ss_hpack_entry *entry(const struct ss_hpack_enc *e, uint16_t number1, const struct one *f,
					  uint32_t *back)
{
	const struct ss_hpack_entry *d;

	*back = (uint16_t)(e->dyn.inserted - number1);
	if (*back >= e->dyn.n)
		return NULL;
	d = ss_hpack_dyn_get(&e->dyn, *back);
	if (d->tok != f->number)
		return NULL;
	if (f->number & UNKNOWN && (d->nlen != f->name.n || !ss_hpack_dyn_eq(&e->dyn, d->off, f->name)))
		return NULL;
	return d;
}

static bool has_value(const struct ss_hpack_enc *e, const struct ss_hpack_entry *d, const struct one *f)
{
	return d && d->vlen == f->value.n && ss_hpack_dyn_eq(&e->dyn, (uint16_t)(d->off + d->nlen), f->value);
}

/* The index of the whole field, 0 when it is in neither table: then f->field_hash is set. */
static uint32_t find_field(struct ss_hpack_enc *e, struct one *f)
{
	uint16_t number1;
	uint32_t back;

	/* Entries of one name stand together in the static table. */
	for (uint32_t i = f->stat; i && i <= SS_HPACK_STATIC && ss_hpack_static[i].value.n; i++)
		if (ss_hpack_static[i].tok == f->tok && ss_span_eq(ss_hpack_static[i].value, f->value))
			return i;
	/* Most often a name has the value that it had last. */
	if (has_value(e, entry(e, *last_use(e, f), f, &back), f))
		return SS_HPACK_STATIC + 1 + back;
	f->field_hash = hash(f->value, f->number);
	number1 = e->by_field[f->field_hash % 256];
	if (!has_value(e, entry(e, number1, f, &back), f))
		return 0;
	*last_use(e, f) = number1;
	return SS_HPACK_STATIC + 1 + back;
}

static uint32_t find_name(struct ss_hpack_enc *e, const struct one *f)
{
	uint32_t back;

	return entry(e, *last_use(e, f), f, &back) ? SS_HPACK_STATIC + 1 + back : 0;
}

/* Is the field worth an entry now? */
static bool worth(struct ss_hpack_enc *e, const struct one *f, enum policy policy)
{
	/* Large entries would empty a quarter of the table each. */
	if (f->name.n + f->value.n + 32 > e->dyn.max / 4)
		return false;
	if (policy == AT_ONCE)
		return true;
	uint16_t *tag = &e->seen[(f->field_hash >> 8) % SS_HPACK_SEEN],
		 mine = (uint16_t)(f->field_hash >> 16 | 1);
	bool again = *tag == mine;
	*tag = mine;
	return again;
}

/* A length and the bytes. */
static uint8_t *put_plain(uint8_t *p, struct ss_span s)
{
	p = ss_hpack_int_encode(p, 0, 7, s.n);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static uint8_t *put_coded(uint8_t *p, struct ss_span s)
{
	uint32_t coded = ss_hpack_huff_len(s.p, s.n);

	if (coded >= s.n)
		return put_plain(p, s);
	p = ss_hpack_int_encode(p, 0x80, 7, coded);
	return ss_hpack_huff_encode(s.p, s.n, p);
}

/* 6.2.1: a literal that enters both tables. */
static uint8_t *put_inserted(struct ss_hpack_enc *e, uint8_t *p, const struct one *f, uint32_t name_index)
{
	uint16_t number1 = (uint16_t)(e->dyn.inserted + 1);

	p = ss_hpack_int_encode(p, OP_INSERT, 6, name_index);
	if (!name_index)
		p = put_coded(p, f->name);
	p = put_coded(p, f->value);
	if (ss_hpack_dyn_insert(&e->dyn, f->name, f->value, f->number)) {
		e->by_field[f->field_hash % 256] = number1;
		*last_use(e, f) = number1;
	}
	return p;
}

static uint8_t *put_field(struct ss_hpack_enc *e, uint8_t *p, struct one *f)
{
	uint32_t index;
	bool secret = (f->flags & SS_HDR_NEVER_INDEX) || f->stat == PROXY_AUTHORIZATION;
	enum policy policy = secret ? SECRET : (enum policy)policies[f->tok];
	if (policy < UNIQUE) {
		index = find_field(e, f);
		if (index)
			return ss_hpack_int_encode(p, OP_INDEXED, 7, index);
	}
	index = f->stat ? f->stat : find_name(e, f);
	if (policy < UNIQUE && worth(e, f, policy))
		return put_inserted(e, p, f, index);
	p = ss_hpack_int_encode(p, policy == SECRET ? OP_NEVER : OP_PLAIN, 4, index);
	if (!index)
		p = put_plain(p, f->name);
	return put_plain(p, f->value);
}

/* stat: the first static entry with this name. */
static uint8_t *put_pseudo(struct ss_hpack_enc *e, uint8_t *p, struct ss_span name, struct ss_span value,
			   uint16_t tok, uint16_t stat)
{
	struct one f = { .name = name, .value = value, .tok = tok, .number = tok, .stat = stat };

	return value.n ? put_field(e, p, &f) : p;
}

static uint8_t *put_status(struct ss_hpack_enc *e, uint8_t *p, uint16_t status)
{
	const uint8_t digits[3] = { (uint8_t)('0' + status / 100 % 10), (uint8_t)('0' + status / 10 % 10),
				    (uint8_t)('0' + status % 10) };

	if (status == 200) {
		*p++ = OP_INDEXED | STATUS_200;
		return p;
	}
	return put_pseudo(e, p, SS_SPAN(":status"), ss_span(digits, 3), SS_HP_STATUS, STATUS_200);
}

static uint8_t *put_head(struct ss_hpack_enc *e, uint8_t *p, const struct ss_hdrs *h)
{
	if (h->status)
		return put_status(e, p, h->status);
	p = put_pseudo(e, p, SS_SPAN(":method"), h->method, SS_HP_METHOD, 2);
	p = put_pseudo(e, p, SS_SPAN(":scheme"), h->scheme, SS_HP_SCHEME, 6);
	p = put_pseudo(e, p, SS_SPAN(":authority"), h->authority, SS_HP_AUTHORITY, 1);
	p = put_pseudo(e, p, SS_SPAN(":path"), h->path, SS_HP_PATH, 4);
	return put_pseudo(e, p, SS_SPAN(":protocol"), h->protocol, SS_HP_PROTOCOL, 0);
}

int ss_hpack_encode(struct ss_hpack_enc *e, const struct ss_hdrs *h, struct ss_out *out)
{
	uint8_t *p = out->p;

	if (ss_out_room(out) < ss_hpack_bound(h))
		return SS_ERR_FULL;
	if (e->resized) {
		if (e->low < e->dyn.max)
			p = ss_hpack_int_encode(p, OP_RESIZE, 5, e->low);
		p = ss_hpack_int_encode(p, OP_RESIZE, 5, e->dyn.max);
		e->resized = false;
	}
	p = put_head(e, p, h);
	for (uint16_t i = 0; i < h->n; i++) {
		struct one f = { h->v[i].name, h->v[i].value, h->v[i].tok, h->v[i].flags, h->v[i].number, 0, 0 };
		identify(&f);
		p = put_field(e, p, &f);
	}
	int n = (int)(p - out->p);
	out->p = p;
	return n;
}
