/* px_reply.c - answers that we make ourselves: each says why, in a short body and in a header. */
#include "base/err.h"
#include "proxy/px_int.h"
#include "wire/number.h"

/* The name of the header that carries the response flag, as the access log does. */
#define FLAG_HEADER "x-sidestep-flag"

struct answer {
	uint16_t drop, status, grpc;
};

static struct answer answer_for(enum ss_drop why)
{
	struct ss_drop_answer a = ss_drop_answer(why);

	return (struct answer){(uint16_t)why, a.status, a.grpc};
}

void px_count_status(struct px_exchange *x, uint16_t status)
{
	static const enum ss_counter class[] = {SS_C_RESPONSES_2XX, SS_C_RESPONSES_3XX, SS_C_RESPONSES_4XX,
						SS_C_RESPONSES_5XX};

	x->status = status;
	if (status >= 200 && status < 600)
		ss_count(x->p->conf.counters, class[status / 100 - 2], 1);
}

static void add(struct ss_out *o, const char *text)
{
	ss_out_bytes(o, text, strlen(text));
}

/* Head and body; what is left is for SENT to end. Takes the body's bytes. */
static void send_whole(struct px_exchange *x, struct ss_hdrs *h, struct ss_bufq *body, uint64_t now)
{
	bool empty = !body->len;

	px_count_status(x, h->status);
	x->head_sent = true;
	x->response_ended = true;
	x->state = PX_ANSWERED;
	x->last = now;
	if (ss_http_send_head(x->down, h, empty) < 0) {
		ss_bufq_free(body);
		ss_http_reset(x->down, SS_HTTP_INTERNAL_ERROR);
		px_finish(x, now);
		return;
	}
	if (!empty)
		ss_http_send_body(x->down, body, true);
	px_arm(x);
}

static bool asks_for_head_only(const struct px_exchange *x)
{
	return ss_span_eq(ss_http_head(x->down)->method, SS_SPAN("HEAD"));
}

void px_send(struct px_exchange *x, struct ss_hdrs *h, struct ss_span body, uint64_t now)
{
	struct ss_bufq q;

	ss_bufq_init(&q);
	/* Without a packet buffer for the body the head goes alone; its length would not be true then. */
	if (body.n && !asks_for_head_only(x) && ss_bufq_append(&q, x->p->conf.bufs, body.p, body.n) < 0)
		ss_hdrs_remove(h, SS_H_CONTENT_LENGTH);
	send_whole(x, h, &q, now);
}

static void add_more(struct ss_hdrs *h, const struct ss_hdrs *more)
{
	for (uint16_t i = 0; i < more->n; i++)
		ss_hdrs_add(h, more->v[i].name, more->v[i].value, 0);
}

/* gRPC over HTTP/2, Responses: Trailers-Only is "HTTP-Status Content-Type Trailers" in one block. */
static void grpc_reply(struct px_exchange *x, struct answer a, enum ss_drop why, const struct ss_hdrs *more,
		       uint64_t now)
{
	struct ss_hdr v[6 + PX_MORE_MAX + PX_CORS_MAX];
	struct ss_hdrs h;
	char code[SS_NUMBER_TEXT], retried[SS_NUMBER_TEXT];

	ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
	h.status = 200;
	ss_hdrs_add(&h, SS_SPAN("content-type"), SS_SPAN("application/grpc"), 0);
	ss_hdrs_add(&h, SS_SPAN("grpc-status"), ss_number_put(code, a.grpc, 0), 0);
	/* Printable ASCII without "%" as the drops' texts are needs no percent-encoding. */
	ss_hdrs_add(&h, SS_SPAN("grpc-message"), ss_span_str(ss_drop_text(why)), 0);
	ss_hdrs_add(&h, SS_SPAN(FLAG_HEADER), ss_span_str(ss_drop_flag(why)), 0);
	add_more(&h, more);
	px_add_cors(x, &h);
	px_say_hop(x, &h, why, retried);
	px_send(x, &h, SS_SPAN_NONE, now);
}

/* RFC 6750 3: "If the request lacks any authentication information ... the resource server SHOULD NOT include an error
 * code"; a token that is wrong in any way is invalid_token (3.1). */
static struct ss_span challenge(enum ss_drop why)
{
	switch (why) {
	case SS_DROP_TOKEN_EXPIRED:
		return SS_SPAN("Bearer error=\"invalid_token\", error_description=\"expired or not yet valid\"");
	case SS_DROP_TOKEN_REFUSED:
		return SS_SPAN("Bearer error=\"invalid_token\", error_description=\"another issuer or audience\"");
	case SS_DROP_TOKEN_MISSING:
		return SS_SPAN("Bearer");
	default:
		return SS_SPAN("Bearer error=\"invalid_token\"");
	}
}

static void text_reply(struct px_exchange *x, struct answer a, enum ss_drop why, const struct ss_hdrs *more,
		       uint64_t now)
{
	struct ss_hdr v[7 + PX_MORE_MAX + PX_CORS_MAX];
	struct ss_hdrs h;
	char text[200], length[SS_NUMBER_TEXT], retried[SS_NUMBER_TEXT];
	struct ss_out o = ss_out(text, sizeof(text));
	struct ss_span body;

	add(&o, "sidestep: ");
	add(&o, ss_drop_text(why));
	add(&o, " (");
	add(&o, ss_drop_flag(why));
	add(&o, ")\n");
	body = ss_span(text, (uint32_t)(sizeof(text) - ss_out_room(&o)));
	ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
	h.status = a.status;
	ss_hdrs_add(&h, SS_SPAN("content-type"), SS_SPAN("text/plain"), 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), ss_number_put(length, body.n, 0), 0);
	ss_hdrs_add(&h, SS_SPAN(FLAG_HEADER), ss_span_str(ss_drop_flag(why)), 0);
	if (a.status == 401)
		ss_hdrs_add(&h, SS_SPAN("www-authenticate"), challenge(why), 0);
	add_more(&h, more);
	px_add_cors(x, &h);
	px_say_hop(x, &h, why, retried);
	px_send(x, &h, body, now);
}

static void reply(struct px_exchange *x, struct answer a, enum ss_drop why, const struct ss_hdrs *more,
		  uint64_t now)
{
	x->drop = why;
	x->bad = a.status >= 500;
	px_hedge_drop(x);
	if (x->asked)
		px_ask_leave(x);
	ss_count_drop(x->p->conf.counters, why);
	if (x->head_sent) {
		ss_http_reset(x->down, SS_HTTP_INTERNAL_ERROR);
		px_finish(x, now);
	} else if (x->grpc) {
		grpc_reply(x, a, why, more, now);
	} else {
		text_reply(x, a, why, more, now);
	}
}

void px_reply_more(struct px_exchange *x, enum ss_drop why, const struct ss_hdr *more, uint16_t n_more,
		   uint64_t now)
{
	const struct ss_hdrs m = {.v = (struct ss_hdr *)more, .n = n_more};

	reply(x, answer_for(why), why, &m, now);
}

void px_reply_as(struct px_exchange *x, enum ss_drop why, uint16_t status, uint16_t grpc, uint64_t now)
{
	const struct ss_hdrs none = {0};

	reply(x, (struct answer){(uint16_t)why, status, grpc}, why, &none, now);
}

/* Trailers-Only again: a client of gRPC reads no body and no status but its own. */
static void make_grpc(struct ss_hdrs *h, enum ss_drop why, char code[SS_NUMBER_TEXT])
{
	ss_hdrs_remove(h, SS_H_CONTENT_TYPE);
	ss_hdrs_remove(h, SS_H_GRPC_STATUS);
	ss_hdrs_remove(h, SS_H_GRPC_MESSAGE);
	ss_hdrs_add(h, SS_SPAN("content-type"), SS_SPAN("application/grpc"), 0);
	ss_hdrs_add(h, SS_SPAN("grpc-status"), ss_number_put(code, px_grpc_of_status(h->status), 0), 0);
	ss_hdrs_add(h, SS_SPAN("grpc-message"), ss_span_str(ss_drop_text(why)), 0);
	h->status = 200;
}

void px_reply_with(struct px_exchange *x, enum ss_drop why, struct ss_hdrs *h, struct ss_bufq *body, uint64_t now)
{
	char text[SS_NUMBER_TEXT];

	x->drop = why;
	ss_count_drop(x->p->conf.counters, why);
	for (uint8_t i = 0; i < x->n_cors; i++)
		if (x->response_ops.op[i].kind == SS_OP_SET)
			ss_hdrs_remove_name(h, x->response_ops.op[i].name);
	if (x->grpc)
		make_grpc(h, why, text);
	else if (h->status != 204 && h->status != 304) /* RFC 9110 8.6 */
		ss_hdrs_add(h, SS_SPAN("content-length"), ss_number_put(text, body->len, 0), 0);
	ss_hdrs_remove_name(h, SS_SPAN(FLAG_HEADER));
	ss_hdrs_add(h, SS_SPAN(FLAG_HEADER), ss_span_str(ss_drop_flag(why)), 0);
	px_add_cors(x, h);
	if (x->grpc || asks_for_head_only(x) || h->status == 204 || h->status == 304)
		ss_bufq_free(body);
	send_whole(x, h, body, now);
}

/* gRPC's http-grpc-status-mapping.md one way, google.rpc.Code's comments the other. */
static const struct {
	uint16_t grpc, status;
} codes[] = {{13, 400}, {16, 401}, {7, 403}, {12, 404}, {14, 429}, {14, 502}, {14, 503}, {14, 504}};

uint16_t px_grpc_of_status(uint16_t status)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(codes); i++)
		if (codes[i].status == status)
			return codes[i].grpc;
	return 2;
}

uint16_t px_status_of_grpc(uint16_t grpc)
{
	static const uint16_t status[] = {200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401};

	return grpc < SS_ARRAY_LEN(status) ? status[grpc] : 500;
}

void px_reply(struct px_exchange *x, enum ss_drop why, uint64_t now)
{
	px_reply_more(x, why, NULL, 0, now);
}

void px_direct(struct px_exchange *x, const struct ss_route *r, uint64_t now)
{
	struct ss_arena *a = ss_http_arena(x->down);
	uint16_t cap = (uint16_t)(x->response_ops.n + 2);
	struct ss_hdr *v = ss_arena_alloc(a, cap * sizeof(*v));
	bool bodiless = r->direct_status == 204 || r->direct_status == 304;
	struct ss_hdrs h;
	char length[SS_NUMBER_TEXT];

	if (!v) {
		px_reply(x, SS_DROP_STREAMS_FULL, now);
		return;
	}
	ss_hdrs_init(&h, v, cap);
	h.status = r->direct_status;
	if (r->direct_type.n)
		ss_hdrs_add(&h, SS_SPAN("content-type"), r->direct_type, 0);
	if (!bodiless)
		ss_hdrs_add(&h, SS_SPAN("content-length"), ss_number_put(length, r->direct_body.n, 0), 0);
	px_apply_ops(&h, &x->response_ops, ss_hdrs_names(&h));
	px_send(x, &h, bodiless ? SS_SPAN_NONE : r->direct_body, now);
}
