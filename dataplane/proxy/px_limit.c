/*
 * px_limit.c - rate limits of a request: asked after authorization, so that who may not come in takes no
 * token, and before anything is done for it. X-RateLimit-* as draft-polli-ratelimit-headers-03 has them; 429:
 * RFC 6585 4.
 */
#include "limit/limit.h"
#include "proxy/px_int.h"
#include "wire/number.h"

/* Fields in the making: each text is "4294967295, 4294967295;w=2678400" at most. */
struct said {
	struct ss_hdr v[PX_MORE_MAX];
	uint16_t n;
	char numbers[4][SS_NUMBER_TEXT], limit[48];
};

static void say(struct said *s, struct ss_span name, struct ss_span value)
{
	s->v[s->n++] = (struct ss_hdr){.name = name, .value = value};
}

/* Whole seconds, rounded up: to come back earlier would be in vain. */
static uint32_t seconds(uint64_t ns)
{
	return (uint32_t)((ns + SS_NS_PER_SEC - 1) / SS_NS_PER_SEC);
}

/* "10, 10;w=60": the limit that counts, then the quota with its window in seconds. */
static void say_numbers(struct said *s, const struct ss_limit_verdict *v)
{
	struct ss_out o = ss_out(s->limit, sizeof(s->limit));
	struct ss_span burst = ss_number_put(s->numbers[0], v->burst, 0);

	ss_out_span(&o, burst);
	ss_out_span(&o, SS_SPAN(", "));
	ss_out_span(&o, burst);
	ss_out_span(&o, SS_SPAN(";w="));
	ss_out_span(&o, ss_number_put(s->numbers[1], seconds(v->window_ns), 0));
	say(s, SS_SPAN("x-ratelimit-limit"),
	    ss_span(s->limit, (uint32_t)(sizeof(s->limit) - ss_out_room(&o))));
	say(s, SS_SPAN("x-ratelimit-remaining"), ss_number_put(s->numbers[2], v->remaining, 0));
	say(s, SS_SPAN("x-ratelimit-reset"), ss_number_put(s->numbers[3], seconds(v->reset_ns), 0));
}

static void refuse(struct px_exchange *x, const struct ss_limit_verdict *v, uint64_t now)
{
	struct said s = {.n = 0};
	char after[SS_NUMBER_TEXT];

	if (v->limit->say != SS_LIMIT_SAY_NEVER)
		say_numbers(&s, v);
	/* RFC 9110 10.2.3; the draft's clause 5: it goes before the reset, which is about a full bucket. */
	say(&s, SS_SPAN("retry-after"), ss_number_put(after, ss_max_u32(seconds(v->retry_ns), 1), 0));
	say(&s, SS_SPAN("x-envoy-ratelimited"), SS_SPAN("true"));
	px_reply_more(x, SS_DROP_RATE_LIMITED, s.v, s.n, now);
}

/* After the route's own changes. Without memory the response goes without. */
static void tell(struct px_exchange *x, const struct ss_limit_verdict *v)
{
	struct ss_arena *a = ss_http_arena(x->down);
	struct ss_header_ops *ops = &x->response_ops;
	struct said s = {.n = 0};
	struct ss_header_op *op;
	bool ok = true;

	say_numbers(&s, v);
	op = ss_arena_alloc(a, (ops->n + s.n) * sizeof(*op));
	if (!op)
		return;
	for (uint16_t i = 0; i < ops->n; i++)
		op[i] = ops->op[i];
	for (uint16_t i = 0; i < s.n; i++)
		op[ops->n + i] = (struct ss_header_op){
			.kind = SS_OP_SET, .name = s.v[i].name, .value = ss_arena_copy(a, s.v[i].value, &ok)};
	if (ok)
		*ops = (struct ss_header_ops){.n = (uint16_t)(ops->n + s.n), .op = op};
}

bool px_limited(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now)
{
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->down));
	struct ss_limit_request rq = {.head = ss_http_head(x->down),
				      .identity = ss_peer_identity(peer),
				      .source = &peer->addr.ip,
				      .worker = x->p->conf.worker};
	struct ss_limit_verdict v;

	if (!ss_limit_pass(x->p->conf.limits, l->limits, r->limits, &rq, now, &v)) {
		refuse(x, &v, now);
		return true;
	}
	if (v.limit)
		tell(x, &v);
	return false;
}
