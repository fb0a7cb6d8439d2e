/* px_hash.c - what a sticky pick goes by: the hash of parts of a request, and the cookie that makes a client
 * sticky. */
#include "base/err.h"
#include "proxy/px_int.h"
#include "wire/params.h"

static bool header_value(const struct ss_hdrs *h, struct ss_span name, struct ss_span *value)
{
	const struct ss_hdr *f = ss_hdrs_find_name(h, name);

	if (f)
		*value = f->value;
	return f != NULL;
}

/* RFC 9113 8.2.3: the cookies may be split over several fields. */
static bool cookie_value(const struct ss_hdrs *h, struct ss_span name, struct ss_span *value)
{
	struct ss_span rest, n;

	for (uint16_t i = 0; i < h->n; i++) {
		if (h->v[i].tok != SS_H_COOKIE)
			continue;
		rest = h->v[i].value;
		while (ss_cookie_next(&rest, &n, value))
			if (ss_span_eq(n, name) && value->n)
				return true;
	}
	return false;
}

static bool query_value(struct ss_span path, struct ss_span name, struct ss_span *value)
{
	struct ss_span rest = ss_path_query(path), n;

	while (ss_query_next(&rest, &n, value))
		if (ss_span_eq(n, name))
			return true;
	return false;
}

static bool part_value(const struct px_exchange *x, const struct ss_hash_part *part, struct ss_span *value)
{
	const struct ss_hdrs *h = px_head(x);
	const struct ss_ip *ip;

	switch (part->kind) {
	case SS_HASH_HEADER:
		return header_value(h, part->name, value);
	case SS_HASH_COOKIE:
		return cookie_value(h, part->name, value);
	case SS_HASH_QUERY:
		return query_value(h->path, part->name, value);
	case SS_HASH_PATH:
		*value = ss_path_only(h->path);
		return true;
	default:
		/* Without the port: all connections of a client count as one. */
		ip = &ss_http_peer(ss_http_stream_conn(x->down))->addr.ip;
		*value = ss_span(ip->b, ip->family == 4 ? 4 : 16);
		return true;
	}
}

#define VALUE_LEN 16u

/* A cookie of 64 random bits, hashed as the client will send it, told to it with the response. */
static int make_cookie(struct px_exchange *x, const struct ss_hash_part *part, struct ss_span *value)
{
	static const char digits[] = "0123456789abcdef";
	struct ss_arena *a = ss_http_arena(x->down);
	uint32_t n = part->name.n + 1 + VALUE_LEN + part->suffix.n, had = x->response_ops.n;
	struct ss_header_op *ops = ss_arena_alloc(a, (had + 1) * sizeof(*ops));
	uint8_t *text = ss_arena_alloc(a, n);
	uint64_t bits = ss_rng_u64(&x->p->rng);

	if (!ops || !text)
		return SS_ERR_NO_MEM;
	memcpy(text, part->name.p, part->name.n);
	text[part->name.n] = '=';
	*value = ss_span(text + part->name.n + 1, VALUE_LEN);
	for (uint32_t i = 0; i < VALUE_LEN; i++)
		text[part->name.n + 1 + i] = (uint8_t)digits[bits >> (4 * i) & 15];
	if (part->suffix.n)
		memcpy(text + part->name.n + 1 + VALUE_LEN, part->suffix.p, part->suffix.n);
	if (had)
		memcpy(ops, x->response_ops.op, had * sizeof(*ops));
	ops[had] = (struct ss_header_op){
		.kind = SS_OP_ADD, .name = SS_SPAN("set-cookie"), .value = ss_span(text, n), .tok = SS_H_SET_COOKIE};
	x->response_ops = (struct ss_header_ops){.n = (uint16_t)(had + 1), .op = ops};
	return 0;
}

static void mix_in(struct ss_up_wait *w, struct ss_span value)
{
	uint64_t h = ss_balance_hash(value.p, value.n);

	w->hash = w->hashed ? (w->hash << 1 | w->hash >> 63) ^ h : h;
	w->hashed = true;
}

static bool sticky(const struct ss_balance *b)
{
	return b && (b->conf.policy == SS_LB_MAGLEV || b->conf.policy == SS_LB_RING_HASH);
}

int px_hash(struct px_exchange *x, const struct ss_route *r, const struct ss_cluster *c)
{
	const struct ss_hash_policy *p;

	if (!sticky(c->balance))
		return 0;
	p = r->hash ? r->hash : c->balance->hash;
	for (uint32_t i = 0; p && i < p->n; i++) {
		const struct ss_hash_part *part = &p->part[i];
		struct ss_span value;
		bool has = part_value(x, part, &value);
		if (!has && part->make) {
			if (make_cookie(x, part, &value) < 0)
				return SS_ERR_NO_MEM;
			has = true;
		}
		if (has)
			mix_in(&x->wait, value);
		if (has && part->terminal)
			break;
	}
	return 0;
}
