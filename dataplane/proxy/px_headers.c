/*
 * px_headers.c - heads on their way through: what belongs to one hop goes, what we say about the hop comes.
 *
 * RFC 9110 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is
 * forwarded and, for each connection-option in this field, remove any header or trailer field(s)
 * from the message with the same name". No Via is added: it would tell strangers what stands here.
 */
#include "base/err.h"
#include "proxy/px_int.h"

#define ADDED_MAX 8

static bool option_is(struct ss_span list, struct ss_span name)
{
	uint32_t i = 0;

	while (i < list.n) {
		uint32_t start, end;
		while (i < list.n && (list.p[i] == ',' || list.p[i] == ' ' || list.p[i] == '\t'))
			i++;
		for (start = end = i; i < list.n && list.p[i] != ','; i++)
			if (list.p[i] != ' ' && list.p[i] != '\t')
				end = i + 1;
		if (ss_span_ieq(ss_span(list.p + start, end - start), name))
			return true;
	}
	return false;
}

static bool named_by_connection(const struct ss_hdrs *h, struct ss_span name)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (h->v[i].tok == SS_H_CONNECTION && option_is(h->v[i].value, name))
			return true;
	return false;
}

static bool one_hop(uint16_t tok)
{
	return ss_hdr_connection_specific(tok) || tok == SS_H_TE;
}

/* Who we are told to be behind is believed from inside only. Others speak for us about no one. */
static bool ours_to_say(uint16_t tok, bool edge)
{
	switch (tok) {
	case SS_H_X_FORWARDED_FOR:
		return true; /* joined into one field again */
	case SS_H_X_REQUEST_ID:
	case SS_H_X_FORWARDED_PROTO:
	case SS_H_X_FORWARDED_HOST:
		return edge;
	case SS_H_X_FORWARDED_CLIENT_CERT:
		return true;
	default:
		return false;
	}
}

/* Copies what passes on. to has room for all. */
static void pass(struct ss_hdrs *to, const struct ss_hdrs *from, bool request, bool edge)
{
	bool options = ss_hdrs_find(from, SS_H_CONNECTION) != NULL;

	for (uint16_t i = 0; i < from->n; i++) {
		const struct ss_hdr *f = &from->v[i];
		if (one_hop(f->tok) || (request && (f->tok == SS_H_HOST || ours_to_say(f->tok, edge))))
			continue;
		if (options && named_by_connection(from, f->name))
			continue;
		to->v[to->n++] = *f;
	}
	to->bytes = from->bytes;
}

static int block(struct ss_arena *a, struct ss_hdrs *h, uint32_t cap)
{
	struct ss_hdr *v = cap <= UINT16_MAX ? ss_arena_alloc(a, cap * sizeof(*v)) : NULL;

	if (!v)
		return SS_ERR_NO_MEM;
	ss_hdrs_init(h, v, (uint16_t)cap);
	return 0;
}

/* -- operations of the route -- */

int px_copy_ops(struct ss_arena *a, const struct ss_header_ops *from, struct ss_header_ops *to)
{
	struct ss_header_op *op = from->n ? ss_arena_alloc(a, from->n * sizeof(*op)) : NULL;
	bool ok = from->n == 0 || op;

	for (uint16_t i = 0; ok && i < from->n; i++)
		op[i] = (struct ss_header_op){.kind = from->op[i].kind,
					      .name = ss_arena_copy(a, from->op[i].name, &ok),
					      .value = ss_arena_copy(a, from->op[i].value, &ok)};
	*to = (struct ss_header_ops){.n = ok ? from->n : 0, .op = op};
	return ok ? 0 : SS_ERR_NO_MEM;
}

int px_apply_ops(struct ss_hdrs *h, const struct ss_header_ops *ops)
{
	int err = 0;

	for (uint16_t i = 0; i < ops->n && !err; i++) {
		const struct ss_header_op *o = &ops->op[i];
		if (ss_span_eq(o->name, SS_SPAN("host"))) {
			if (o->kind == SS_OP_SET)
				h->authority = o->value;
			continue;
		}
		if (o->kind != SS_OP_ADD)
			ss_hdrs_remove_name(h, o->name);
		if (o->kind != SS_OP_REMOVE)
			err = ss_hdrs_add(h, o->name, o->value, 0);
	}
	return err ? SS_ERR_NO_MEM : 0;
}

/* -- what we say -- */

static struct ss_span hex(struct ss_arena *a, struct ss_rng *r, const char *form, uint32_t n, bool *ok)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *p = ss_arena_alloc(a, n);
	uint64_t bits = 0;

	if (!p) {
		*ok = false;
		return SS_SPAN_NONE;
	}
	for (uint32_t i = 0, left = 0; i < n; i++) {
		if (form[i] != 'x' && form[i] != 'y') {
			p[i] = (uint8_t)form[i];
			continue;
		}
		if (!left) {
			bits = ss_rng_u64(r);
			left = 16;
		}
		/* y: the variant of RFC 9562 4.1, one of 8, 9, a, b */
		p[i] = (uint8_t)digits[form[i] == 'y' ? 8 + (bits & 3) : (bits & 15)];
		bits >>= 4;
		left--;
	}
	return ss_span(p, n);
}

#define UUID4 "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"

static void add_request_id(struct px_exchange *x, struct ss_hdrs *h, struct ss_arena *a, bool *ok)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_X_REQUEST_ID);

	if (!f || !f->value.n) {
		ss_hdrs_remove(h, SS_H_X_REQUEST_ID);
		x->request_id = hex(a, &x->p->rng, UUID4, sizeof(UUID4) - 1, ok);
		ss_hdrs_add(h, ss_hdr_token_name(SS_H_X_REQUEST_ID), x->request_id, 0);
	} else {
		x->request_id = f->value;
	}
}

/* W3C Trace Context 2.2: version "-" trace-id "-" parent-id "-" flags; version ff and all-zero ids are not
 * valid. */
static bool trace_valid(struct ss_span t)
{
	static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
	bool trace = false, parent = false;

	if (t.n < sizeof(form) - 1 ||
	    (t.n > sizeof(form) - 1 && (t.p[55] != '-' || (t.p[0] == '0' && t.p[1] == '0'))))
		return false;
	for (uint32_t i = 0; i < sizeof(form) - 1; i++) {
		bool digit = (t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] >= 'a' && t.p[i] <= 'f');
		if (form[i] == '-' ? t.p[i] != '-' : !digit)
			return false;
		trace |= i >= 3 && i < 35 && t.p[i] != '0';
		parent |= i >= 36 && i < 52 && t.p[i] != '0';
	}
	return trace && parent && !(t.p[0] == 'f' && t.p[1] == 'f');
}

static void add_trace(struct px_exchange *x, struct ss_hdrs *h, struct ss_arena *a, bool *ok)
{
	static const char fresh[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-00";
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_TRACEPARENT);
	struct ss_span t;

	if (f && trace_valid(f->value)) {
		t = f->value;
	} else {
		/* 2.3: with a trace-parent of no use, tracestate goes too. */
		ss_hdrs_remove(h, SS_H_TRACEPARENT);
		ss_hdrs_remove(h, SS_H_TRACESTATE);
		t = hex(a, &x->p->rng, fresh, sizeof(fresh) - 1, ok);
		ss_hdrs_add(h, ss_hdr_token_name(SS_H_TRACEPARENT), t, 0);
	}
	x->trace = t.n >= 35 ? ss_span(t.p + 3, 32) : SS_SPAN_NONE;
}

static void put(uint8_t *to, uint32_t *n, const void *from, uint32_t len)
{
	if (len)
		memcpy(to + *n, from, len);
	*n += len;
}

/* What came (from inside), then the peer's address, in one field. */
static void add_forwarded_for(struct ss_hdrs *h, const struct ss_hdrs *from, struct ss_arena *a,
			      const struct ss_peer *peer, bool edge, bool *ok)
{
	char ip[SS_IP_TEXT];
	uint32_t len = (uint32_t)strlen(ss_ip_text(&peer->addr.ip, ip)), n = 0, room = len;
	uint8_t *p;

	for (uint16_t i = 0; !edge && i < from->n; i++)
		if (from->v[i].tok == SS_H_X_FORWARDED_FOR)
			room += from->v[i].value.n + 2;
	p = ss_arena_alloc(a, room);
	if (!p) {
		*ok = false;
		return;
	}
	for (uint16_t i = 0; !edge && i < from->n; i++) {
		if (from->v[i].tok != SS_H_X_FORWARDED_FOR || !from->v[i].value.n)
			continue;
		put(p, &n, from->v[i].value.p, from->v[i].value.n);
		put(p, &n, ", ", 2);
	}
	put(p, &n, ip, len);
	ss_hdrs_add(h, ss_hdr_token_name(SS_H_X_FORWARDED_FOR), ss_span(p, n), 0);
}

static struct ss_span rewritten(struct ss_span path, const struct ss_route *r, struct ss_arena *a, bool *ok)
{
	struct ss_span w = r->prefix_rewrite, rest;
	uint8_t *p;
	uint32_t n = 0;

	if (!w.n || r->path_kind != SS_PATH_PREFIX || path.n < r->path.n)
		return ss_arena_copy(a, path, ok);
	rest = ss_span(path.p + r->path.n, path.n - r->path.n);
	if (rest.n && rest.p[0] == '/' && w.p[w.n - 1] == '/')
		w.n--;
	p = ss_arena_alloc(a, w.n + rest.n + 1);
	if (!p) {
		*ok = false;
		return path;
	}
	put(p, &n, w.p, w.n);
	put(p, &n, rest.p, rest.n);
	return ss_span(p, n);
}

static bool accepts_trailers(const struct ss_hdrs *h)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (h->v[i].tok == SS_H_TE && option_is(h->v[i].value, SS_SPAN("trailers")))
			return true;
	return false;
}

int px_request_head(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r,
		    const struct ss_cluster *c)
{
	const struct ss_hdrs *from = ss_http_head(x->down);
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->down));
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_hdrs *h = &x->request;
	struct ss_header_ops ops;
	bool ok = true;

	if (block(a, h, from->n + ADDED_MAX + r->request_ops.n) < 0 ||
	    px_copy_ops(a, &r->request_ops, &ops) < 0)
		return SS_ERR_NO_MEM;
	h->method = from->method;
	h->scheme = c->tls ? SS_SPAN("https") : SS_SPAN("http");
	h->authority = from->authority;
	h->path = rewritten(from->path, r, a, &ok);
	pass(h, from, true, l->edge);
	if (accepts_trailers(from))
		ss_hdrs_add(h, ss_hdr_token_name(SS_H_TE), SS_SPAN("trailers"), 0);
	add_request_id(x, h, a, &ok);
	add_trace(x, h, a, &ok);
	add_forwarded_for(h, from, a, peer, l->edge, &ok);
	if (!ss_hdrs_find(h, SS_H_X_FORWARDED_PROTO))
		ss_hdrs_add(h, ss_hdr_token_name(SS_H_X_FORWARDED_PROTO),
			    peer->tls ? SS_SPAN("https") : SS_SPAN("http"), 0);
	if (!ss_hdrs_find(h, SS_H_X_FORWARDED_HOST) && from->authority.n)
		ss_hdrs_add(h, ss_hdr_token_name(SS_H_X_FORWARDED_HOST), from->authority, 0);
	if (px_apply_ops(h, &ops) < 0)
		return SS_ERR_NO_MEM;
	return ok ? 0 : SS_ERR_NO_MEM;
}

int px_response_head(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to)
{
	if (block(ss_http_arena(x->down), to, from->n + x->response_ops.n + 1) < 0)
		return SS_ERR_NO_MEM;
	to->status = from->status;
	pass(to, from, false, false);
	return from->status < 200 ? 0 : px_apply_ops(to, &x->response_ops);
}

int px_trailers(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to)
{
	if (block(ss_http_arena(x->down), to, from->n + 1) < 0)
		return SS_ERR_NO_MEM;
	pass(to, from, false, false);
	return 0;
}
