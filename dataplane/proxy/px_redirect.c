/* px_redirect.c - answers that send the client elsewhere, or tell it to come back later. */
#include "base/err.h"
#include "contract/redirect.h"
#include "proxy/px_int.h"
#include "wire/number.h"

struct place {
	struct ss_span scheme, host, port, path;
};

/* Authority to host and ":port"; an IPv6 address keeps its brackets. */
static void split_authority(struct ss_span a, struct place *to)
{
	uint32_t i = a.n;

	while (i && a.p[i - 1] >= '0' && a.p[i - 1] <= '9')
		i--;
	to->host = a;
	to->port = SS_SPAN_NONE;
	if (!i || a.p[i - 1] != ':')
		return;
	to->host = ss_span(a.p, i - 1);
	to->port = ss_span(a.p + i, a.n - i);
}

/* A proxy before us may have ended the client's TLS: inside, it is believed. */
static struct ss_span scheme_of(struct px_exchange *x, const struct ss_listener *l)
{
	const struct ss_hdr *f = ss_hdrs_find(ss_http_head(x->down), SS_H_X_FORWARDED_PROTO);

	if (!l->edge && f &&
	    (ss_span_eq(f->value, SS_SPAN("http")) || ss_span_eq(f->value, SS_SPAN("https"))))
		return f->value;
	return ss_http_peer(ss_http_stream_conn(x->down))->tls ? SS_SPAN("https") : SS_SPAN("http");
}

/* The port is the one that is set, none with another scheme (its own is meant), or the one that was asked
 * for; the scheme's own port is not said. */
static void choose_port(const struct ss_redirect *r, struct place *to, char *text)
{
	bool https = ss_span_eq(to->scheme, SS_SPAN("https"));

	if (r->port)
		to->port = ss_number_put(text, r->port, 0);
	else if (r->scheme.n)
		to->port = SS_SPAN_NONE;
	if (ss_span_eq(to->port, https ? SS_SPAN("443") : SS_SPAN("80")))
		to->port = SS_SPAN_NONE;
}

static struct ss_span location(const struct place *to, struct ss_arena *a)
{
	size_t room = to->scheme.n + 4ull + to->host.n + to->port.n + to->path.n;
	uint8_t *p = ss_arena_alloc(a, room);
	struct ss_out o = ss_out(p, p ? room : 0);

	ss_out_span(&o, to->scheme);
	ss_out_bytes(&o, "://", 3);
	ss_out_span(&o, to->host);
	if (to->port.n) {
		ss_out_u8(&o, ':');
		ss_out_span(&o, to->port);
	}
	ss_out_span(&o, to->path);
	return ss_span(p, p ? (uint32_t)(o.p - p) : 0);
}

static struct ss_span without_query(struct ss_span path)
{
	const uint8_t *q = path.n ? memchr(path.p, '?', path.n) : NULL;

	return q ? ss_span(path.p, (uint32_t)(q - path.p)) : path;
}

/* 0; SS_ERR_LIMIT: the expression leaves no path; SS_ERR_NO_MEM, and it is empty. */
static int new_path(struct px_exchange *x, const struct ss_route *r, struct ss_span *out)
{
	const struct ss_redirect *d = r->redirect;
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_span path = ss_http_head(x->down)->path;
	bool ok = true;

	*out = SS_SPAN_NONE;
	if (d->kind == SS_PATH_REGEX_NEW)
		return ss_route_regex_path(d->regex, x->p->conf.worker, path, a, out);
	path = ss_route_new_path(r, d->kind, d->path, path, a, &ok);
	*out = ok ? path : SS_SPAN_NONE;
	return ok ? 0 : SS_ERR_NO_MEM;
}

void px_redirect(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now)
{
	const struct ss_redirect *d = r->redirect;
	struct ss_arena *a = ss_http_arena(x->down);
	uint16_t cap = (uint16_t)(x->response_ops.n + 2);
	struct ss_hdr *v = ss_arena_alloc(a, cap * sizeof(*v));
	struct place to = {.scheme = d->scheme.n ? d->scheme : scheme_of(x, l)};
	struct ss_span where;
	struct ss_hdrs h;
	char port[SS_NUMBER_TEXT];
	bool ok = v != NULL;

	split_authority(ss_http_head(x->down)->authority, &to);
	if (d->host.n)
		to.host = d->host;
	choose_port(d, &to, port);
	if (new_path(x, r, &to.path) == SS_ERR_LIMIT) {
		px_reply(x, SS_DROP_REWRITE_LIMIT, now);
		return;
	}
	ok &= to.path.n > 0;
	if (d->strip_query)
		to.path = without_query(to.path);
	where = location(&to, a);
	if (!ok || !where.n) {
		px_reply(x, SS_DROP_STREAMS_FULL, now);
		return;
	}
	ss_hdrs_init(&h, v, cap);
	h.status = d->status;
	ss_hdrs_add(&h, SS_SPAN("location"), where, 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("0"), 0);
	px_apply_ops(&h, &x->response_ops, ss_hdrs_names(&h));
	px_send(x, &h, SS_SPAN_NONE, now);
}

void px_closed(struct px_exchange *x, const struct ss_maintenance *m, uint64_t now)
{
	struct ss_hdr v[5 + PX_CORS_MAX];
	struct ss_hdrs h;
	char length[SS_NUMBER_TEXT], after[SS_NUMBER_TEXT];

	ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
	if (m->retry_after_s)
		ss_hdrs_add(&h, SS_SPAN("retry-after"), ss_number_put(after, m->retry_after_s, 0), 0);
	ss_hdrs_add(&h, SS_SPAN("x-envoy-overloaded"), SS_SPAN("true"), 0);
	if (x->grpc) {
		px_reply_more(x, SS_DROP_MAINTENANCE, h.v, h.n, now);
		return;
	}
	x->drop = SS_DROP_MAINTENANCE;
	ss_count_drop(x->p->conf.counters, SS_DROP_MAINTENANCE);
	h.status = 503;
	ss_hdrs_add(&h, SS_SPAN("content-type"), m->type, 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), ss_number_put(length, m->body.n, 0), 0);
	px_add_cors(x, &h);
	px_send(x, &h, m->body, now);
}
