/*
 * px_headers.c - heads on their way through: what belongs to one hop goes, what we say about the hop comes.
 *
 * RFC 9110 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is
 * forwarded and, for each connection-option in this field, remove any header or trailer field(s)
 * from the message with the same name". No Via is added: it would tell strangers what stands here.
 */
#include "base/err.h"
#include "proxy/px_int.h"
#include "wire/uri.h"

#define ADDED_MAX (10 + PX_HOP_FIELDS)

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
#define ONE_HOP (SS_HDR_CONNECTION_SPECIFIC | SS_HDR_BIT(SS_H_TE))
/* :authority has the host; X-Forwarded-For is joined into one field again; others speak for us about no
 * one. */
#define OURS_TO_SAY                                                       \
	(SS_HDR_BIT(SS_H_HOST) | SS_HDR_BIT(SS_H_X_FORWARDED_FOR) | \
	 SS_HDR_BIT(SS_H_X_FORWARDED_CLIENT_CERT) | SS_HDR_BIT(SS_H_X_ENVOY_ATTEMPT_COUNT) | \
	 SS_HDR_BIT(SS_H_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS) | SS_HDR_BIT(SS_H_GRPC_TIMEOUT))
/* Who we are told to be behind is believed from inside only. */
#define NOT_BELIEVED                                                            \
	(SS_HDR_BIT(SS_H_X_REQUEST_ID) | SS_HDR_BIT(SS_H_X_FORWARDED_PROTO) | \
	 SS_HDR_BIT(SS_H_X_FORWARDED_HOST))

/* Copies what passes on: not the names of `stays`. to has room for all. Returns the names that went. */
static uint64_t pass(struct ss_hdrs *to, const struct ss_hdrs *from, uint64_t names, uint64_t stays)
{
	bool options = names & SS_HDR_BIT(SS_H_CONNECTION);
	uint64_t went = 0;

	for (uint16_t i = 0; i < from->n; i++) {
		const struct ss_hdr *f = &from->v[i];
		if ((stays & SS_HDR_BIT(f->tok)) || (options && named_by_connection(from, f->name)))
			continue;
		to->v[to->n++] = *f;
		went |= SS_HDR_BIT(f->tok);
	}
	to->bytes = from->bytes;
	return went;
}

static void add(struct ss_hdrs *h, enum ss_hdr_token tok, struct ss_span value)
{
	ss_hdrs_push(h, ss_hdr_token_name(tok), value, (uint16_t)tok, 0); /* there is room: ADDED_MAX */
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

/* Nothing is moved where nothing goes. */
static void take_out(struct ss_hdrs *h, const struct ss_header_op *o)
{
	for (uint16_t i = 0; i < h->n; i++) {
		if (h->v[i].name.n != o->name.n || h->v[i].tok != o->tok)
			continue;
		if (o->tok != SS_H_OTHER || ss_span_eq(h->v[i].name, o->name)) {
			ss_hdrs_remove_name(h, o->name);
			return;
		}
	}
}

int px_apply_ops(struct ss_hdrs *h, const struct ss_header_ops *ops, uint64_t names)
{
	int err = 0;

	for (uint16_t i = 0; i < ops->n && !err; i++) {
		const struct ss_header_op *o = &ops->op[i];
		if (o->tok == SS_H_HOST) {
			if (o->kind == SS_OP_SET)
				h->authority = o->value;
			continue;
		}
		if (o->kind != SS_OP_ADD && (names & SS_HDR_BIT(o->tok)))
			take_out(h, o);
		if (o->kind == SS_OP_REMOVE)
			continue;
		err = ss_hdrs_push(h, o->name, o->value, o->tok, 0);
		if (!err)
			h->v[h->n - 1].number = o->number;
		names |= SS_HDR_BIT(o->tok);
	}
	return err ? SS_ERR_NO_MEM : 0;
}

/* -- what we say -- */

/* Eight bytes as sixteen lower-case hexadecimal digits, all at once: a byte of `spread` is a digit's value, and
 * those above nine get the distance from '9' + 1 to 'a'. */
static void hex8(uint8_t *p, uint32_t bits)
{
	uint64_t spread = bits, above;

	spread = (spread | spread << 16) & 0x0000ffff0000ffffull;
	spread = (spread | spread << 8) & 0x00ff00ff00ff00ffull;
	spread = (spread | spread << 4) & 0x0f0f0f0f0f0f0f0full;
	above = ((spread + 0x0606060606060606ull) >> 4) & 0x0101010101010101ull;
	spread += 0x3030303030303030ull + above * ('a' - '9' - 1);
	memcpy(p, &spread, sizeof(spread));
}

static void hex16(uint8_t *p, struct ss_rng *r)
{
	uint64_t bits = ss_rng_u64(r);

	hex8(p, (uint32_t)bits);
	hex8(p + 8, (uint32_t)(bits >> 32));
}

#define UUID_LEN 36u

/* RFC 9562 5.4: 122 random bits, version 4, variant one of 8, 9, a, b. */
static void uuid4(uint8_t *p, struct ss_rng *r)
{
	uint8_t digits[32];

	hex16(digits, r);
	hex16(digits + 16, r);
	memcpy(p, digits, 8);
	memcpy(p + 9, digits + 8, 4);
	memcpy(p + 14, digits + 12, 4);
	memcpy(p + 19, digits + 16, 4);
	memcpy(p + 24, digits + 20, 12);
	p[8] = p[13] = p[18] = p[23] = '-';
	p[14] = '4';
	p[19] = (uint8_t)"89ab"[ss_rng_u64(r) >> 62];
}

static void add_request_id(struct px_exchange *x, struct ss_hdrs *h, uint64_t names, struct ss_arena *a,
			   bool *ok)
{
	const struct ss_hdr *f = names & SS_HDR_BIT(SS_H_X_REQUEST_ID) ? ss_hdrs_find(h, SS_H_X_REQUEST_ID) : NULL;
	uint8_t *p;

	if (f && f->value.n) {
		x->request_id = f->value;
		return;
	}
	if (f)
		ss_hdrs_remove(h, SS_H_X_REQUEST_ID);
	p = ss_arena_alloc(a, UUID_LEN);
	if (!p) {
		*ok = false;
		return;
	}
	uuid4(p, &x->p->rng);
	x->request_id = ss_span(p, UUID_LEN);
	add(h, SS_H_X_REQUEST_ID, x->request_id);
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

#define TRACE_LEN 55u

/* A new trace, not sampled: "00-" trace-id "-" parent-id "-00". */
static void fresh_trace(uint8_t *p, struct ss_rng *r)
{
	memcpy(p, "00-", 3);
	hex16(p + 3, r);
	hex16(p + 19, r);
	p[35] = '-';
	hex16(p + 36, r);
	memcpy(p + 52, "-00", 3);
}

static void add_trace(struct px_exchange *x, struct ss_hdrs *h, uint64_t names, struct ss_arena *a, bool *ok)
{
	const struct ss_hdr *f = names & SS_HDR_BIT(SS_H_TRACEPARENT) ? ss_hdrs_find(h, SS_H_TRACEPARENT) : NULL;
	uint8_t *p;

	if (f && trace_valid(f->value)) {
		x->trace = ss_span(f->value.p + 3, 32);
		return;
	}
	/* 2.3: with a trace-parent of no use, tracestate goes too. */
	if (f)
		ss_hdrs_remove(h, SS_H_TRACEPARENT);
	if (names & SS_HDR_BIT(SS_H_TRACESTATE))
		ss_hdrs_remove(h, SS_H_TRACESTATE);
	p = ss_arena_alloc(a, TRACE_LEN);
	if (!p) {
		*ok = false;
		return;
	}
	fresh_trace(p, &x->p->rng);
	x->trace = ss_span(p + 3, 32);
	add(h, SS_H_TRACEPARENT, ss_span(p, TRACE_LEN));
}

static void put(uint8_t *to, uint32_t *n, const void *from, uint32_t len)
{
	if (len)
		memcpy(to + *n, from, len);
	*n += len;
}

/* What came (from inside), then the peer's address, in one field. */
void px_forwarded_for(struct ss_hdrs *h, const struct ss_hdrs *from, struct ss_arena *a, const struct ss_peer *peer,
		      bool keep, bool *ok)
{
	char ip[SS_IP_TEXT];
	uint32_t len = (uint32_t)strlen(ss_ip_text(&peer->addr.ip, ip)), n = 0, room = len;
	uint8_t *p;

	for (uint16_t i = 0; keep && i < from->n; i++)
		if (from->v[i].tok == SS_H_X_FORWARDED_FOR)
			room += from->v[i].value.n + 2;
	p = ss_arena_alloc(a, room);
	if (!p) {
		*ok = false;
		return;
	}
	for (uint16_t i = 0; keep && i < from->n; i++) {
		if (from->v[i].tok != SS_H_X_FORWARDED_FOR || !from->v[i].value.n)
			continue;
		put(p, &n, from->v[i].value.p, from->v[i].value.n);
		put(p, &n, ", ", 2);
	}
	put(p, &n, ip, len);
	add(h, SS_H_X_FORWARDED_FOR, ss_span(p, n));
}

/* The path that goes upstream, ours; 0, SS_ERR_NO_MEM or SS_ERR_LIMIT. */
static int path_upstream(struct px_exchange *x, const struct ss_route *r, struct ss_span path, struct ss_span *out)
{
	const struct ss_rewrite *w = r->rewrite;
	struct ss_arena *a = ss_http_arena(x->down);
	bool ok = true;

	if (w && w->kind == SS_PATH_REGEX_NEW)
		return ss_route_regex_path(w->regex, x->p->conf.worker, path, a, out);
	*out = w ? ss_route_new_path(r, w->kind, w->path, path, a, &ok) : path;
	if (out->p == path.p)
		*out = ss_arena_copy(a, path, &ok);
	return ok ? 0 : SS_ERR_NO_MEM;
}

/* As Envoy: what was asked for is kept in a field; a rewritten host is in X-Forwarded-Host anyway. */
static int rewrite(struct px_exchange *x, const struct ss_hdrs *from, const struct ss_route *r, struct ss_hdrs *h)
{
	const struct ss_rewrite *w = r->rewrite;
	const struct ss_hdr *f;
	bool ok = true;

	if (w->kind != SS_PATH_KEPT) {
		ss_hdrs_remove_name(h, SS_SPAN("x-envoy-original-path"));
		ss_hdrs_add(h, SS_SPAN("x-envoy-original-path"), from->path, 0);
	}
	if (w->host.n)
		h->authority = ss_arena_copy(ss_http_arena(x->down), w->host, &ok);
	x->auto_host = w->auto_host;
	f = w->host_header.n ? ss_hdrs_find_name(from, w->host_header) : NULL;
	if (f && ss_uri_authority(f->value, &(struct ss_span){0}, &(uint16_t){0}) == 0)
		h->authority = f->value;
	return ok ? 0 : SS_ERR_NO_MEM;
}

static bool accepts_trailers(const struct ss_hdrs *h)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (h->v[i].tok == SS_H_TE && option_is(h->v[i].value, SS_SPAN("trailers")))
			return true;
	return false;
}

int px_request_head(struct px_exchange *x, const struct ss_listener *l, const struct ss_route_decision *d)
{
	const struct ss_route *r = d->route;
	const struct ss_header_ops *own =
		d->share && d->share->own_ops ? &d->share->request_ops : &r->request_ops;
	const struct ss_hdrs *from = px_head(x);
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->down));
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_hdrs *h = &x->request;
	uint64_t names = x->head ? ss_hdrs_names(from) : x->names, went, stays = ONE_HOP | OURS_TO_SAY | (l->edge ? NOT_BELIEVED : 0);
	bool ok = true;
	int err;

	if (ss_unlikely(own->formats))
		own = px_format_ops(x, own);
	if (!own || block(a, h, from->n + ADDED_MAX + own->n) < 0)
		return SS_ERR_NO_MEM;
	h->method = from->method;
	h->scheme = d->cluster->tls ? SS_SPAN("https") : SS_SPAN("http");
	h->authority = from->authority;
	err = path_upstream(x, r, from->path, &h->path);
	if (err < 0)
		return err;
	went = pass(h, from, names, stays);
	if ((names & SS_HDR_BIT(SS_H_TE)) && accepts_trailers(from))
		add(h, SS_H_TE, SS_SPAN("trailers"));
	add_request_id(x, h, went, a, &ok);
	add_trace(x, h, went, a, &ok);
	px_forwarded_for(h, from, a, peer, !l->edge && (names & SS_HDR_BIT(SS_H_X_FORWARDED_FOR)), &ok);
	if (ss_unlikely(l->xfcc) && px_client_cert((enum ss_xfcc_mode)l->xfcc, peer, from, a, h) < 0)
		return SS_ERR_NO_MEM;
	if (!(went & SS_HDR_BIT(SS_H_X_FORWARDED_PROTO)))
		add(h, SS_H_X_FORWARDED_PROTO, peer->tls ? SS_SPAN("https") : SS_SPAN("http"));
	if (!(went & SS_HDR_BIT(SS_H_X_FORWARDED_HOST)) && from->authority.n)
		add(h, SS_H_X_FORWARDED_HOST, from->authority);
	if (r->rewrite && rewrite(x, from, r, h) < 0)
		return SS_ERR_NO_MEM;
	if (own->n) {
		/* What we add ourselves has a token, but for a rewrite's. */
		if (px_apply_ops(h, own, r->rewrite ? UINT64_MAX : went | ~SS_HDR_BIT(SS_H_OTHER)) < 0)
			return SS_ERR_NO_MEM;
		x->request_ops = own;
		px_borrow(x);
	}
	return ok ? 0 : SS_ERR_NO_MEM;
}

int px_response_head(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to)
{
	struct ss_arena *a = ss_http_arena(x->down);
	uint64_t went;
	char *text;

	if (block(a, to, from->n + x->response_ops.n + 2) < 0)
		return SS_ERR_NO_MEM;
	to->status = from->status;
	went = pass(to, from, ss_hdrs_names(from), ONE_HOP | SS_HDR_BIT(SS_H_X_SIDESTEP_RETRIED));
	if (from->status < 200)
		return 0;
	if (ss_unlikely(x->told || x->attempts > 1)) {
		text = ss_arena_alloc(a, SS_NUMBER_TEXT);
		if (!text)
			return SS_ERR_NO_MEM;
		px_say_hop(x, to, SS_DROP_NONE, text);
		went = ss_hdrs_names(to);
	}
	return x->response_ops.n ? px_apply_ops(to, &x->response_ops, went) : 0;
}

int px_trailers(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to)
{
	if (block(ss_http_arena(x->down), to, from->n + 1) < 0)
		return SS_ERR_NO_MEM;
	pass(to, from, ss_hdrs_names(from), ONE_HOP);
	return 0;
}
