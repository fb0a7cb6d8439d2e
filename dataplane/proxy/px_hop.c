/*
 * px_hop.c - what hops tell each other: how often a request was tried, how long is still waited for it.
 *
 * Downwards, on the request: x-envoy-attempt-count (tries in all hops so far, this one included),
 * x-envoy-expected-rq-timeout-ms (how long we wait for the head), grpc-timeout (what is left of the client's
 * deadline). Upwards, on the response: x-sidestep-retried, the number of retries made at this hop and below. It
 * is there also when a hop was to retry and refused: either way no hop above retries, so that the tries
 * of a chain of hops add up instead of multiplying. Only a hop is told, never an edge's client.
 */
#include "base/err.h"
#include "proxy/px_int.h"

#define ABOVE_MAX 200u

static bool number_of(const struct px_exchange *x, enum ss_hdr_token tok, uint64_t *n)
{
	const struct ss_hdr *f = px_field(x, tok);

	return f && ss_number(f->value, n);
}

static uint64_t smaller(uint64_t bound, uint64_t ns)
{
	return bound ? ss_min_u64(bound, ns) : ns;
}

/* -- Envoy's request headers: believed from inside only -- */

struct asked {
	const char *name;
	void (*take)(struct px_exchange *x, struct ss_span value);
};

static void take_retry_on(struct px_exchange *x, struct ss_span v)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i <= v.n; i++)
		if (i == v.n || v.p[i] == ',' || v.p[i] == ' ') {
			x->retry_on |= ss_retry_condition(ss_span(v.p + start, i - start));
			start = i + 1;
		}
}

static void take_max_retries(struct px_exchange *x, struct ss_span v)
{
	uint64_t n;

	/* More than the operator's bound would be the client's way around it. */
	if (ss_number(v, &n))
		x->max_retries = (uint8_t)ss_min_u64(n, x->max_retries);
}

static void take_timeout(struct px_exchange *x, struct ss_span v)
{
	uint64_t ms;

	if (ss_number(v, &ms) && ms && ms < 86400000)
		x->timeout_ns = smaller(x->timeout_ns, ms * SS_NS_PER_MS);
}

static void take_try_timeout(struct px_exchange *x, struct ss_span v)
{
	uint64_t ms;

	if (x->try_ns && ss_number(v, &ms) && ms && ms < 86400000)
		x->try_ns = smaller(x->try_ns, ms * SS_NS_PER_MS);
}

static const struct asked asked[] = {
	{"retry-on", take_retry_on},
	{"retry-grpc-on", take_retry_on},
	{"max-retries", take_max_retries},
	{"upstream-rq-timeout-ms", take_timeout},
	{"upstream-rq-per-try-timeout-ms", take_try_timeout},
};

#define ENVOY "x-envoy-"

static void take_asked(struct px_exchange *x, const struct ss_hdrs *h)
{
	for (uint16_t i = 0; i < h->n; i++) {
		const struct ss_hdr *f = &h->v[i];
		struct ss_span rest;
		if (f->tok != SS_H_OTHER || !ss_span_starts(f->name, SS_SPAN(ENVOY)))
			continue;
		rest = ss_span(f->name.p + sizeof(ENVOY) - 1, f->name.n - (uint32_t)sizeof(ENVOY) + 1);
		for (size_t k = 0; k < SS_ARRAY_LEN(asked); k++)
			if (ss_span_eq(rest, ss_span_str(asked[k].name)))
				asked[k].take(x, f->value);
	}
}

/* -- limits of a request -- */

static void take_hop_above(struct px_exchange *x, uint64_t now)
{
	uint64_t n;

	if (number_of(x, SS_H_X_ENVOY_ATTEMPT_COUNT, &n)) {
		x->from_hop = true;
		x->above = (uint8_t)ss_min_u64(n ? n - 1 : 0, ABOVE_MAX);
	}
	if (number_of(x, SS_H_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, &n) && n && n < 86400000)
		x->cap = now + n * SS_NS_PER_MS;
	if (x->names & SS_HDR_BIT(SS_H_OTHER))
		take_asked(x, ss_http_head(x->down));
}

/* RFC 9218 4.1: u is 0 to 7, the most urgent first, 3 without it. */
static uint32_t urgency(struct ss_span v)
{
	for (uint32_t i = 0; i + 2 < v.n; i++)
		if (v.p[i] == 'u' && v.p[i + 1] == '=' && v.p[i + 2] >= '0' && v.p[i + 2] <= '7' &&
		    (!i || v.p[i - 1] == ' ' || v.p[i - 1] == ','))
			return v.p[i + 2] - '0';
	return 3;
}

enum px_rank px_rank_of(const struct px_exchange *x, bool edge)
{
	const struct ss_hdr *f = edge ? NULL : px_field(x, SS_H_PRIORITY);
	uint32_t u = f ? urgency(f->value) : 3;

	return u > 3 ? PX_RANK_LOW : u < 3 ? PX_RANK_HIGH : PX_RANK_DEFAULT;
}

/* As Envoy has it: of a list of request headers one has to match. */
static bool meant(const struct px_exchange *x, const struct ss_retry *r)
{
	return !r->request_headers.n ||
	       ss_route_one_holds(&r->request_headers, ss_http_head(x->down), x->p->conf.worker);
}

static void take_policy(struct px_exchange *x, const struct ss_retry *r)
{
	x->retry_on = r->on;
	x->max_retries = r->max_retries;
	x->keep_max = r->body_max;
	/* What may not be sent again is not cut short either: it has the route's whole timeout. */
	if (r->non_idempotent || px_idempotent(ss_http_head(x->down)->method) ||
	    (x->grpc && (r->on & SS_RETRY_GRPC))) {
		x->try_ns = r->per_try_ns;
		x->try_idle_ns = r->per_try_idle_ns;
	}
}

void px_read_limits(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now)
{
	bool retries = r->retry && meant(x, r->retry);
	uint64_t ns;

	x->timeout_ns = r->timeout_ns;
	x->idle_ns = r->idle_timeout_ns;
	if (r->max_stream_ns)
		x->ends = now + r->max_stream_ns;
	if (retries)
		take_policy(x, r->retry);
	if (!l->edge)
		take_hop_above(x, now);
	if (!retries)
		x->retry_on = 0;
	/* A client's own deadline only shortens what it gets: it is believed from anyone. */
	if (x->grpc) {
		const struct ss_hdr *f = px_field(x, SS_H_GRPC_TIMEOUT);
		if (f && ss_number_grpc_timeout(f->value, &ns))
			x->ends = ss_min_u64(x->ends, now + ns);
	}
	x->wait.priority = r->priority;
	x->wait.rank = (uint8_t)px_rank_of(x, l->edge);
	if (x->wait.rank == PX_RANK_HIGH)
		x->wait.priority = SS_PRIORITY_HIGH;
	x->deadline = px_deadline(x, now);
}

uint64_t px_deadline(const struct px_exchange *x, uint64_t now)
{
	uint64_t at = x->timeout_ns ? now + x->timeout_ns : SS_NEVER;

	return ss_min_u64(at, ss_min_u64(x->cap, x->ends));
}

bool px_overload(enum ss_drop why)
{
	return why == SS_DROP_UPSTREAM_OVERFLOW || why == SS_DROP_BREAKER_OPEN || why == SS_DROP_PENDING_DELAY;
}

/* -- what is said -- */

static void say(struct ss_hdrs *h, enum ss_hdr_token tok, struct ss_span value)
{
	ss_hdrs_push(h, ss_hdr_token_name(tok), value, (uint16_t)tok, 0); /* there is room: PX_HOP_FIELDS */
}

static uint64_t left_ms(uint64_t until, uint64_t now)
{
	return until > now ? (until - now + SS_NS_PER_MS - 1) / SS_NS_PER_MS : 1;
}

void px_add_hop(const struct px_exchange *x, struct ss_hdrs *h, struct px_hop_text *t, uint64_t now)
{
	uint64_t until = x->try_ns ? ss_min_u64(x->deadline, now + x->try_ns) : x->deadline;

	say(h, SS_H_X_ENVOY_ATTEMPT_COUNT, ss_number_put(t->count, (uint64_t)x->above + x->attempts, 0));
	if (until != SS_NEVER)
		say(h, SS_H_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, ss_number_put(t->wait, left_ms(until, now), 0));
	/* At most eight digits: beyond a day in milliseconds nobody counts. */
	if (x->grpc && x->ends != SS_NEVER)
		say(h, SS_H_GRPC_TIMEOUT,
		    ss_number_put(t->grpc, ss_min_u64(left_ms(x->ends, now), 99999999), 'm'));
}

/*
 * The mark keeps us from retrying and the endpoint from being blamed, so not anybody may set it: a peer whose
 * certificate names an identity of the mesh, or one in a cluster that the operator calls a hop.
 */
static bool believed(const struct px_exchange *x, const struct ss_snapshot *snap)
{
	const struct ss_cluster *c = px_cluster(x, snap);
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->up));

	return (c && c->mesh_hop) || ss_span_starts(ss_peer_identity(peer), SS_SPAN("spiffe://"));
}

void px_hear_hop(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_hdrs *h)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_X_SIDESTEP_RETRIED);
	uint64_t n;

	if (!f || !believed(x, snap))
		return;
	x->told = x->told_below = true;
	x->below = ss_number(f->value, &n) ? (uint8_t)ss_min_u64(n, ABOVE_MAX) : 0;
}

void px_hear_health(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_hdrs *h, uint64_t now)
{
	const struct ss_cluster *c = px_cluster(x, snap);

	if (c && c->health && ss_hdrs_find_name(h, SS_SPAN("x-envoy-immediate-health-check-fail")))
		ss_up_unwell(x->p->conf.up, c, &x->wait, now);
}

void px_say_hop(const struct px_exchange *x, struct ss_hdrs *h, enum ss_drop why, char text[SS_NUMBER_TEXT])
{
	if (px_overload(why) || why == SS_DROP_OVERLOADED)
		ss_hdrs_add(h, SS_SPAN("x-envoy-overloaded"), SS_SPAN("true"), 0);
	if (x->from_hop && (x->told || x->attempts > 1))
		say(h, SS_H_X_SIDESTEP_RETRIED,
		    ss_number_put(text, (uint64_t)x->below + (x->attempts ? x->attempts - 1u : 0), 0));
}
