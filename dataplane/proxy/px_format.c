/* px_format.c - header operations whose values have variables: pieces put together for one request. */
#include "base/err.h"
#include "contract/format.h"
#include "proxy/px_int.h"
#include "wire/chars.h"

/* Room for an address with its port, or a number. */
struct text {
	char b[SS_ADDR_TEXT > SS_NUMBER_TEXT ? SS_ADDR_TEXT : SS_NUMBER_TEXT];
};

static struct ss_span part(const struct ss_hdrs *h, struct ss_span name)
{
	const struct ss_hdr *f;

	if (ss_span_eq(name, SS_SPAN(":path")))
		return h->path;
	if (ss_span_eq(name, SS_SPAN(":method")))
		return h->method;
	if (ss_span_eq(name, SS_SPAN(":scheme")))
		return h->scheme;
	if (ss_span_eq(name, SS_SPAN(":authority")) || ss_span_eq(name, SS_SPAN("host")))
		return h->authority;
	f = ss_hdrs_find_name(h, name);
	return f ? f->value : SS_SPAN_NONE;
}

static struct ss_span of_request(const struct px_exchange *x, const struct ss_format_piece *p)
{
	struct ss_span v = part(px_head(x), p->text);

	if (!v.n && p->other.n)
		v = part(px_head(x), p->other);
	return p->most && v.n > p->most ? ss_span(v.p, p->most) : v;
}

static struct ss_span port(const struct ss_addr *a, struct text *t)
{
	return ss_number_put(t->b, a->port, 0);
}

/* What a peer says of itself goes on only if a field can hold it. */
static struct ss_span told(struct ss_span s)
{
	return ss_chars_value(s) ? s : SS_SPAN_NONE;
}

static struct ss_span value_of(const struct px_exchange *x, const struct ss_format_piece *p, struct text *t)
{
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->down));

	switch ((enum ss_format_kind)p->kind) {
	case SS_FORMAT_REMOTE:
		return ss_span_str(ss_addr_text(&peer->addr, t->b));
	case SS_FORMAT_REMOTE_IP:
		return ss_span_str(ss_ip_text(&peer->addr.ip, t->b));
	case SS_FORMAT_REMOTE_PORT:
		return port(&peer->addr, t);
	case SS_FORMAT_LOCAL:
		return ss_span_str(ss_addr_text(&peer->local, t->b));
	case SS_FORMAT_LOCAL_IP:
		return ss_span_str(ss_ip_text(&peer->local.ip, t->b));
	case SS_FORMAT_LOCAL_PORT:
		return port(&peer->local, t);
	case SS_FORMAT_PEER:
		return ss_span_starts(ss_peer_identity(peer), SS_SPAN("spiffe://")) ? told(ss_peer_identity(peer)) : SS_SPAN_NONE;
	case SS_FORMAT_SNI:
		return told(ss_peer_sni(peer));
	case SS_FORMAT_PROTOCOL:
		return ss_http_version(x->down) == 2 ? SS_SPAN("HTTP/2") : SS_SPAN("HTTP/1.1");
	case SS_FORMAT_REQ:
		return of_request(x, p);
	case SS_FORMAT_TEXT:
	case SS_FORMAT_NODE:
		break;
	}
	return p->text;
}

/* *out in the arena; empty when nothing of it is known. */
static int fill(const struct px_exchange *x, const struct ss_format *f, struct ss_span *out)
{
	struct text t;
	uint32_t room = 0;
	struct ss_out o;
	uint8_t *p;

	for (uint16_t i = 0; i < f->n; i++)
		room += value_of(x, &f->v[i], &t).n;
	p = room ? ss_arena_alloc(ss_http_arena(x->down), room) : NULL;
	if (room && !p)
		return SS_ERR_NO_MEM;
	o = ss_out(p, room);
	for (uint16_t i = 0; room && i < f->n; i++)
		ss_out_span(&o, value_of(x, &f->v[i], &t));
	/* RFC 9113 8.2.1: no field value begins or ends with a space. One may where a variable was empty. */
	*out = ss_span_trim(ss_span(p, room));
	return 0;
}

/* As Envoy has it: a value that comes out empty is not written. */
const struct ss_header_ops *px_format_ops(const struct px_exchange *x, const struct ss_header_ops *from)
{
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_header_ops *to = ss_arena_alloc(a, sizeof(*to));
	struct ss_header_op *op = ss_arena_alloc(a, from->n * sizeof(*op));
	uint16_t n = 0;

	if (!to || !op)
		return NULL;
	for (uint16_t i = 0; i < from->n; i++) {
		op[n] = from->op[i];
		if (op[n].format && fill(x, op[n].format, &op[n].value) < 0)
			return NULL;
		n += !op[n].format || op[n].value.n;
	}
	*to = (struct ss_header_ops){.n = n, .op = op};
	return to;
}
