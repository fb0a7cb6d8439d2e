/*
 * px_cors.c - what a response says besides what came from upstream: the route's operations, who may read it
 * (WHATWG Fetch 3.2, "HTTP-CORS protocol"), and the cookie by which a client keeps its share of a split.
 */
#include "base/err.h"
#include "contract/cors.h"
#include "proxy/px_int.h"

static void push(struct ss_header_op *op, uint16_t *n, uint8_t kind, struct ss_span name,
		 struct ss_span value)
{
	op[(*n)++] = (struct ss_header_op){kind, name, value, (uint16_t)ss_hdr_token(name)};
}

/* At most PX_CORS_MAX operations. Caches must know that another origin gets another answer. */
static void push_cors(struct ss_header_op *op, uint16_t *n, const struct ss_cors *c, struct ss_span origin)
{
	if (!c->any)
		push(op, n, SS_OP_ADD, SS_SPAN("vary"), SS_SPAN("Origin"));
	if (!origin.n)
		return;
	push(op, n, SS_OP_SET, SS_SPAN("access-control-allow-origin"), c->any ? SS_SPAN("*") : origin);
	if (c->credentials)
		push(op, n, SS_OP_SET, SS_SPAN("access-control-allow-credentials"), SS_SPAN("true"));
	if (c->expose.n)
		push(op, n, SS_OP_SET, SS_SPAN("access-control-expose-headers"), c->expose);
}

/* "name=key; Path=/; HttpOnly" */
static struct ss_span cookie(const struct ss_route_decision *d, struct ss_arena *a, bool *ok)
{
	const struct ss_sticky *s = d->route->sticky;
	uint32_t room = s->name.n + 1 + SS_ROUTE_KEY + s->attributes.n;
	uint8_t *p = ss_arena_alloc(a, room);
	struct ss_out o = ss_out(p, p ? room : 0);

	*ok &= p != NULL;
	ss_out_span(&o, s->name);
	ss_out_u8(&o, '=');
	ss_out_bytes(&o, d->key, SS_ROUTE_KEY);
	ss_out_span(&o, s->attributes);
	return ss_span(p, p ? room : 0);
}

int px_response_ops(struct px_exchange *x, const struct ss_route_decision *d)
{
	const struct ss_header_ops *own =
		d->share && d->share->own_ops ? &d->share->response_ops : &d->route->response_ops;
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_header_op *op;
	uint16_t n = 0;
	bool ok = true;

	if (!own->n && !d->route->cors && !d->fresh)
		return 0;
	if (ss_unlikely(own->formats))
		own = px_format_ops(x, own);
	if (!own)
		return SS_ERR_NO_MEM;
	px_borrow(x);
	x->response_ops = *own;
	if (!d->route->cors && !d->fresh)
		return 0;
	op = ss_arena_alloc(a, (PX_CORS_MAX + 1u + own->n) * sizeof(*op));
	if (!op)
		return SS_ERR_NO_MEM;
	if (d->route->cors)
		push_cors(op, &n, d->route->cors, d->origin);
	x->n_cors = (uint8_t)n;
	if (d->fresh)
		push(op, &n, SS_OP_ADD, SS_SPAN("set-cookie"), cookie(d, a, &ok));
	for (uint16_t i = 0; i < own->n; i++)
		op[n++] = own->op[i];
	x->response_ops = (struct ss_header_ops){.n = n, .op = op};
	return ok ? 0 : SS_ERR_NO_MEM;
}

void px_add_cors(const struct px_exchange *x, struct ss_hdrs *h)
{
	for (uint8_t i = 0; i < x->n_cors; i++)
		ss_hdrs_add(h, x->response_ops.op[i].name, x->response_ops.op[i].value, 0);
}

static struct ss_span asked(const struct ss_hdrs *h, struct ss_span name)
{
	const struct ss_hdr *f = ss_hdrs_find_name(h, name);

	return f ? f->value : SS_SPAN_NONE;
}

static void add_some(struct ss_hdrs *h, struct ss_span name, struct ss_span value)
{
	if (value.n)
		ss_hdrs_add(h, name, value, 0);
}

void px_preflight(struct px_exchange *x, const struct ss_route_decision *d, uint64_t now)
{
	const struct ss_cors *c = d->route->cors;
	const struct ss_hdrs *from = ss_http_head(x->down);
	struct ss_hdr v[PX_CORS_MAX + 4];
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
	h.status = 200;
	px_add_cors(x, &h);
	ss_hdrs_remove_name(
		&h, SS_SPAN("access-control-expose-headers")); /* is about the answer that will come */
	add_some(&h, SS_SPAN("access-control-allow-methods"),
		 c->echo_methods ? asked(from, SS_SPAN("access-control-request-method")) : c->methods);
	add_some(&h, SS_SPAN("access-control-allow-headers"),
		 c->echo_headers ? asked(from, SS_SPAN("access-control-request-headers")) : c->headers);
	add_some(&h, SS_SPAN("access-control-max-age"), c->max_age);
	ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("0"), 0);
	px_send(x, &h, SS_SPAN_NONE, now);
}
