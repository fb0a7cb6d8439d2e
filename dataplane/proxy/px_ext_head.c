/*
 * px_ext_head.c - what an external authorizer is told about a request, and what its answer says, in HTTP's words
 * (Envoy's HTTP service for ext_authz): same method and path below a prefix, no body; 200 allows, 5xx is no
 * answer, all else denies.
 */
#include "base/err.h"
#include "proxy/px_ext_authz.h"

/* -- names -- */

static bool fits(const struct ss_ext_authz_names *names, struct ss_span name)
{
	for (uint16_t i = 0; i < names->n; i++) {
		const struct ss_authz_text *t = &names->texts[i];
		if (t->fit == SS_AUTHZ_PRESENT || (t->fit == SS_AUTHZ_EXACT && ss_span_eq(name, t->value)) ||
		    (t->fit == SS_AUTHZ_PREFIX && ss_span_starts(name, t->value)) ||
		    (t->fit == SS_AUTHZ_SUFFIX && ss_span_ends(name, t->value)))
			return true;
	}
	return false;
}

/* What is about one message or one hop goes no further, whatever a list says. */
#define ONE_MESSAGE                                                                              \
	(SS_HDR_CONNECTION_SPECIFIC | SS_HDR_BIT(SS_H_TE) | SS_HDR_BIT(SS_H_TRAILER) |             \
	 SS_HDR_BIT(SS_H_HOST) | SS_HDR_BIT(SS_H_CONTENT_LENGTH) | SS_HDR_BIT(SS_H_EXPECT))
/* We say who asks and from where; the request itself is not believed. */
#define OURS_TO_SAY                                                        \
	(SS_HDR_BIT(SS_H_X_FORWARDED_FOR) | SS_HDR_BIT(SS_H_X_FORWARDED_PROTO) | \
	 SS_HDR_BIT(SS_H_X_FORWARDED_HOST) | SS_HDR_BIT(SS_H_X_FORWARDED_CLIENT_CERT))

static bool is_one_of(const struct ss_hdr *f, uint64_t names)
{
	return names & SS_HDR_BIT(f->tok);
}

/* -- to the authorizer -- */

static struct ss_span joined(struct ss_arena *a, struct ss_span one, struct ss_span two, bool *ok)
{
	uint8_t *p;
	struct ss_out o;

	if (!one.n)
		return two;
	p = ss_arena_alloc(a, one.n + two.n);
	*ok &= p != NULL;
	o = ss_out(p, p ? one.n + two.n : 0);
	ss_out_span(&o, one);
	ss_out_span(&o, two);
	return ss_span(p, p ? one.n + two.n : 0);
}

/* A value in quotes where it has bytes that Envoy's form of the header gives a meaning to. */
static struct ss_span peer_text(struct ss_arena *a, struct ss_span id, bool *ok)
{
	uint32_t room = 2 * id.n + 6;
	uint8_t *p = ss_arena_alloc(a, room);
	struct ss_out o = ss_out(p, p ? room : 0);
	bool quoted = false;

	*ok &= p != NULL;
	if (!p)
		return SS_SPAN_NONE;
	for (uint32_t i = 0; i < id.n; i++)
		quoted |= id.p[i] == ',' || id.p[i] == ';' || id.p[i] == '=' || id.p[i] == '"';
	ss_out_span(&o, ss_id_is_spiffe(id) ? SS_SPAN("URI=") : SS_SPAN("DNS="));
	if (quoted)
		ss_out_u8(&o, '"');
	for (uint32_t i = 0; i < id.n; i++) {
		if (id.p[i] == '"' || id.p[i] == '\\')
			ss_out_u8(&o, '\\');
		if (id.p[i] >= 0x20 && id.p[i] != 0x7f)
			ss_out_u8(&o, id.p[i]);
	}
	if (quoted)
		ss_out_u8(&o, '"');
	return ss_span(p, (uint32_t)(o.p - p));
}

static void say(struct ss_hdrs *h, enum ss_hdr_token tok, struct ss_span value)
{
	ss_hdrs_push(h, ss_hdr_token_name(tok), value, (uint16_t)tok, 0); /* there is room: SAID */
}

/* From inside, what came is believed; else only what we see ourselves. */
static void say_or_pass(struct ss_hdrs *h, const struct ss_hdrs *from, enum ss_hdr_token tok, bool edge,
			struct ss_span ours)
{
	const struct ss_hdr *f = edge ? NULL : ss_hdrs_find(from, tok);

	if (f || ours.n)
		say(h, tok, f ? f->value : ours);
}

#define SAID 6

static int write_head(const struct px_check *c, const struct ss_listener *l, const struct ss_ext_authz *e, bool tls,
		      struct ss_hdrs *h)
{
	const struct ss_hdrs *from = px_head(c->x);
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(c->x->down));
	struct ss_arena *a = ss_http_arena(c->x->down);
	uint32_t cap = from->n + SAID + e->n_add;
	struct ss_hdr *v = cap <= UINT16_MAX ? ss_arena_alloc(a, cap * sizeof(*v)) : NULL;
	bool ok = v != NULL, edge = !l || l->edge;

	if (!ok)
		return SS_ERR_NO_MEM;
	ss_hdrs_init(h, v, (uint16_t)cap);
	h->method = from->method;
	h->scheme = tls ? SS_SPAN("https") : SS_SPAN("http");
	h->authority = from->authority;
	h->path = from->path.n && from->path.p[0] == '/' ? joined(a, e->path_prefix, from->path, &ok) : from->path;
	for (uint16_t i = 0; i < from->n; i++)
		if (!is_one_of(&from->v[i], ONE_MESSAGE | OURS_TO_SAY) &&
		    (from->v[i].tok == SS_H_AUTHORIZATION || fits(&e->ask, from->v[i].name)))
			v[h->n++] = from->v[i];
	px_forwarded_for(h, from, a, peer, !edge, &ok);
	say_or_pass(h, from, SS_H_X_FORWARDED_PROTO, edge, peer->tls ? SS_SPAN("https") : SS_SPAN("http"));
	say_or_pass(h, from, SS_H_X_FORWARDED_HOST, edge, from->authority);
	if (ss_peer_identity(peer).n)
		say(h, SS_H_X_FORWARDED_CLIENT_CERT, peer_text(a, ss_peer_identity(peer), &ok));
	say(h, SS_H_CONTENT_LENGTH, SS_SPAN("0"));
	for (uint16_t i = 0; i < e->n_add; i++) {
		ss_hdrs_remove_name(h, e->add[i].name);
		ss_hdrs_add(h, e->add[i].name, e->add[i].value, 0);
	}
	return ok ? 0 : SS_ERR_NO_MEM;
}

int px_check_send(struct px_check *c, const struct ss_snapshot *snap, const struct ss_ext_authz *e, uint64_t now)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, ss_http_cookie(ss_http_stream_conn(c->x->down)));
	const struct ss_cluster *cluster = ss_snapshot_cluster(snap, c->x->asked->cluster);
	struct ss_hdrs h;
	int rc = write_head(c, l, e, cluster && cluster->tls, &h);

	if (!rc)
		rc = ss_http_request(c->wait.conn, &h, true, now, &c->up);
	if (rc < 0)
		c->up = NULL;
	return rc;
}

/* -- from the authorizer -- */

int px_more_ops(struct ss_arena *a, struct ss_header_ops *ops, const struct ss_header_ops *more)
{
	struct ss_header_op *op;

	if (!more->n)
		return 0;
	op = ss_arena_alloc(a, (ops->n + more->n) * sizeof(*op));
	if (!op)
		return SS_ERR_NO_MEM;
	if (ops->n)
		memcpy(op, ops->op, ops->n * sizeof(*op));
	memcpy(op + ops->n, more->op, more->n * sizeof(*op));
	*ops = (struct ss_header_ops){.n = (uint16_t)(ops->n + more->n), .op = op};
	return 0;
}

/* The first field of a name replaces, the next ones add; a cookie never takes another one away. */
static void put_op(struct ss_arena *a, struct ss_header_op *op, uint16_t *n, const struct ss_hdr *f, bool *ok)
{
	uint8_t kind = f->tok == SS_H_SET_COOKIE ? SS_OP_ADD : SS_OP_SET;

	for (uint16_t i = 0; i < *n; i++)
		if (ss_span_eq(op[i].name, f->name))
			kind = SS_OP_ADD;
	op[(*n)++] = (struct ss_header_op){.kind = kind,
					   .name = ss_arena_copy(a, f->name, ok),
					   .value = ss_arena_copy(a, f->value, ok),
					   .tok = f->tok};
}

static int take_ops(struct ss_arena *a, const struct ss_hdrs *from, const struct ss_ext_authz_names *names,
		    struct ss_header_ops *ops)
{
	struct ss_header_ops fresh = {0};
	struct ss_header_op *op;
	bool ok = true;
	uint16_t n = 0;

	for (uint16_t i = 0; i < from->n; i++)
		n += !is_one_of(&from->v[i], ONE_MESSAGE) && fits(names, from->v[i].name);
	if (!n)
		return 0;
	op = ss_arena_alloc(a, n * sizeof(*op));
	if (!op)
		return SS_ERR_NO_MEM;
	for (uint16_t i = 0; i < from->n; i++)
		if (!is_one_of(&from->v[i], ONE_MESSAGE) && fits(names, from->v[i].name))
			put_op(a, op, &fresh.n, &from->v[i], &ok);
	fresh.op = op;
	return ok ? px_more_ops(a, ops, &fresh) : SS_ERR_NO_MEM;
}

/* Without memory there is no verdict: what the authorizer adds may be what protects the endpoint. */
static void read_allowed(struct px_check *c, const struct ss_ext_authz *e, struct px_verdict *v)
{
	struct ss_arena *a = ss_http_arena(c->x->down);
	const struct ss_hdrs *from = ss_http_head(c->up);

	v->up = c->x->asked->up;
	v->down = c->x->asked->down;
	if (!e || (take_ops(a, from, &e->upstream, &v->up) == 0 && take_ops(a, from, &e->allowed, &v->down) == 0))
		v->what = PX_ALLOWED;
}

/* As Envoy: without a list all goes to the client; with one, what a refusal cannot do without goes besides. */
static bool goes_to_client(const struct ss_hdr *f, const struct ss_ext_authz *e)
{
	if (is_one_of(f, ONE_MESSAGE) || !e)
		return false;
	return !e->denied.n || fits(&e->denied, f->name) || f->tok == SS_H_LOCATION || f->tok == SS_H_CONTENT_TYPE ||
	       ss_span_eq(f->name, SS_SPAN("www-authenticate"));
}

static void read_denied(struct px_check *c, const struct ss_ext_authz *e, bool whole, struct px_verdict *v)
{
	const struct ss_hdrs *from = ss_http_head(c->up);
	uint16_t cap = (uint16_t)(from->n + PX_WITH_MAX);
	struct ss_hdr *f = ss_arena_alloc(ss_http_arena(c->x->down), cap * sizeof(*f));

	v->what = PX_DENIED;
	ss_hdrs_init(&v->head, f, f ? cap : 0);
	v->head.status = from->status;
	for (uint16_t i = 0; f && i < from->n; i++)
		if (goes_to_client(&from->v[i], e))
			f[v->head.n++] = from->v[i];
	if (f && whole && e)
		ss_bufq_move(&v->body, &c->body);
}

void px_check_read(struct px_check *c, const struct ss_ext_authz *e, bool whole, struct px_verdict *v)
{
	uint16_t status = ss_http_head(c->up)->status;

	ss_bufq_init(&v->body);
	if (status == 200 && whole)
		read_allowed(c, e, v);
	else if (status != 200 && status < 500)
		read_denied(c, e, whole, v);
}
