/*
 * px_retry.c - another attempt, or not: the route's policy, what the attempt came to, and when.
 *
 * One rule stands above the policy: a request that may have been seen is not sent a second time unless its
 * method is idempotent (RFC 9110 9.2.2) or the operator has said so.
 */
#include "base/err.h"
#include "proxy/px_int.h"
#include "wire/httpdate.h"

/* -- the policy -- */

static const struct ss_route *find_route(const struct px_exchange *x, const struct ss_host_table *t)
{
	for (uint32_t i = 0; i < t->n_hosts; i++)
		for (uint32_t k = 0; t->hosts[i].name == x->host && k < t->hosts[i].n_routes; k++)
			if (t->hosts[i].routes[k].name == x->route)
				return &t->hosts[i].routes[k];
	return NULL;
}

/* By place in the generation that decided, by name in a later one. NULL: the route is gone, or has none. */
const struct ss_retry *px_retry_policy(const struct px_exchange *x, const struct ss_snapshot *snap)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, x->listener);
	const struct ss_route *r;

	if (!l)
		return NULL;
	if (x->generation == snap->generation)
		return l->hosts->hosts[x->host_at].routes[x->route_at].retry;
	r = find_route(x, l->hosts);
	return r ? r->retry : NULL;
}

bool px_idempotent(struct ss_span method)
{
	const uint16_t bits = SS_METHOD_GET | SS_METHOD_HEAD | SS_METHOD_PUT | SS_METHOD_DELETE |
			      SS_METHOD_OPTIONS | SS_METHOD_TRACE;

	return ss_route_method_bit(method) & bits;
}

/* -- what an attempt came to -- */

struct outcome {
	uint32_t met;    /* conditions */
	bool unseen;     /* the endpoint has surely done nothing with it */
	uint64_t after;  /* it asks for so much patience; 0: nothing said */
};

/* Without a head. Envoy's 5xx and gateway-error include "no answer at all". */
static struct outcome of_failure(enum ss_drop why, bool unprocessed)
{
	struct outcome o = {.met = SS_RETRY_5XX | SS_RETRY_GATEWAY_ERROR,
			    .unseen = unprocessed || why == SS_DROP_CONNECT_FAILED || why == SS_DROP_UPSTREAM_TLS};

	if (why == SS_DROP_CONNECT_FAILED || why == SS_DROP_UPSTREAM_TLS)
		o.met |= SS_RETRY_CONNECT_FAILURE;
	else if (unprocessed)
		o.met |= SS_RETRY_RESET | SS_RETRY_REFUSED_STREAM | SS_RETRY_RESET_BEFORE_REQUEST;
	else
		o.met |= SS_RETRY_RESET;
	return o;
}

static uint64_t grpc_status(const struct ss_hdrs *h)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_GRPC_STATUS);
	uint64_t n;

	return f && ss_number(f->value, &n) ? n : 0;
}

static uint32_t of_grpc(const struct ss_hdrs *h)
{
	static const struct {
		uint8_t status;
		uint32_t met;
	} codes[] = {
		{1, SS_RETRY_CANCELLED}, {4, SS_RETRY_DEADLINE_EXCEEDED}, {8, SS_RETRY_RESOURCE_EXHAUSTED},
		{13, SS_RETRY_INTERNAL}, {14, SS_RETRY_UNAVAILABLE},
	};
	uint64_t status = grpc_status(h);

	for (size_t i = 0; i < SS_ARRAY_LEN(codes); i++)
		if (codes[i].status == status)
			return codes[i].met;
	return 0;
}

static uint32_t of_status(const struct ss_retry *r, uint16_t status)
{
	uint32_t met = 0;

	if (status >= 500)
		met |= SS_RETRY_5XX;
	if (status >= 502 && status <= 504)
		met |= SS_RETRY_GATEWAY_ERROR;
	if (status == 409)
		met |= SS_RETRY_RETRIABLE_4XX;
	for (uint16_t i = 0; i < r->n_status; i++)
		if (r->status[i] == status)
			met |= SS_RETRY_STATUS_CODES;
	return met;
}

/* RFC 9110 10.2.3: seconds, or a date, which the turn's time of day makes seconds of; 0 when it is over. */
static bool retry_after(const struct ss_snapshot *snap, struct ss_span v, uint64_t now, uint64_t *s)
{
	int64_t offset;
	uint64_t now_s, at;

	if (ss_number(v, s))
		return true;
	if (!snap->wall)
		return false;
	offset = atomic_load_explicit(&snap->wall->offset_ns, memory_order_relaxed);
	now_s = (uint64_t)((int64_t)now + offset) / SS_NS_PER_SEC;
	if (!ss_httpdate(v, now_s, &at))
		return false;
	*s = at > now_s ? at - now_s : 0;
	return true;
}

static uint64_t patience(const struct ss_snapshot *snap, const struct ss_hdrs *h, uint64_t now)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_RETRY_AFTER);
	uint64_t s = 0;

	if (!f || !retry_after(snap, f->value, now, &s)) {
		f = ss_hdrs_find_name(h, SS_SPAN("x-ratelimit-reset"));
		if (!f || !ss_number(f->value, &s))
			return 0;
	}
	return s < 86400 ? s * SS_NS_PER_SEC : 0;
}

static struct outcome of_head(const struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_retry *r,
			      const struct ss_hdrs *h, uint64_t now)
{
	struct outcome o = {.met = of_status(r, h->status), .after = patience(snap, h, now)};

	if (x->grpc)
		o.met |= of_grpc(h);
	if (r->headers.n && ss_route_one_holds(&r->headers, h, x->p->conf.worker))
		o.met |= SS_RETRY_HEADERS;
	/* A server's own rate limit is retried only by whoever has asked for just that. */
	if (ss_hdrs_find_name(h, SS_SPAN("x-envoy-ratelimited")))
		o.met = SS_RETRY_RATELIMITED;
	return o;
}

/* Most heads are settled by this look. */
static bool worth_a_look(const struct px_exchange *x, const struct ss_hdrs *h)
{
	return x->retry_on &&
	       (h->status >= 400 || x->grpc || (x->retry_on & (SS_RETRY_HEADERS | SS_RETRY_STATUS_CODES)));
}

static enum ss_ep_end blame_of(uint16_t status)
{
	if (status >= 502 && status <= 504)
		return SS_EP_GATEWAY;
	return status >= 500 ? SS_EP_ERROR : SS_EP_GOOD;
}

/* As Envoy has it: a status of gRPC is what its HTTP status would be. A number that gRPC does not have is UNKNOWN. */
static enum ss_ep_end blame_of_grpc(uint64_t status)
{
	return blame_of(px_status_of_grpc((uint16_t)ss_min_u64(status, UINT16_MAX)));
}

enum ss_ep_end px_blames(const struct px_exchange *x, const struct ss_hdrs *h)
{
	enum ss_ep_end how = blame_of(h->status);

	return how == SS_EP_GOOD && x->grpc ? blame_of_grpc(grpc_status(h)) : how;
}

/* RESOURCE_EXHAUSTED is a 429 and no fault of the endpoint's, but no answer that a client of a new version wants. */
void px_hear_grpc(struct px_exchange *x, const struct ss_hdrs *h)
{
	uint64_t status;

	if (!x->grpc)
		return;
	status = grpc_status(h);
	if (x->blamed == SS_EP_GOOD)
		x->blamed = (uint8_t)blame_of_grpc(status);
	x->bad = x->bad || status == 8;
}

/* -- when -- */

/* Full jitter: uniform below base * 2^n (Brooker, "Exponential Backoff And Jitter"). In microseconds. */
static uint64_t back_off(struct px_exchange *x, const struct ss_retry *r)
{
	uint32_t n = x->attempts > 0 ? x->attempts - 1u : 0;
	uint64_t most = n < 20 && r->base_ns << n < r->max_ns ? r->base_ns << n : r->max_ns;

	uint32_t us = (uint32_t)ss_min_u64(most / 1000, UINT32_MAX);

	return us ? (uint64_t)ss_rng_below(&x->p->rng, us) * 1000 : 0;
}

/* Envoy's way with what the server asks for: times 1 to 1.5, so that not all come back at once. */
static uint64_t wait_of(struct px_exchange *x, const struct ss_retry *r, const struct outcome *o)
{
	uint64_t after = ss_min_u64(o->after, r->max_after_ns);

	return after ? after + after / 1000 * ss_rng_below(&x->p->rng, 500) : back_off(x, r);
}

/* -- the decision -- */

static void refuse(struct px_exchange *x, enum ss_drop why)
{
	/* A late try that got no hedge is refused a retry for the same reason: that counts once. */
	if (x->drop != why)
		ss_count_drop(x->p->conf.counters, why);
	x->told = true;
	if (x->drop == SS_DROP_NONE)
		x->drop = why;
}

/* Told: by method, or because gRPC (always POST) was named in the policy and says itself what may be repeated. */
static bool may_be_seen_twice(const struct px_exchange *x, const struct ss_retry *r, const struct outcome *o)
{
	return o->unseen || r->non_idempotent || px_idempotent(x->request.method) ||
	       (x->grpc && (o->met & r->on & SS_RETRY_GRPC));
}

static bool bytes_are_ours(const struct px_exchange *x)
{
	return x->keep || ss_http_bytes_in(x->down) == ss_http_body(x->down)->len;
}

void px_retry_over(struct px_exchange *x)
{
	if (x->retrying)
		ss_up_retry_over(x->p->conf.up, x->retry_slot, x->wait.priority);
	x->retrying = false;
}

static bool take_budget(struct px_exchange *x, const struct ss_snapshot *snap)
{
	const struct ss_cluster *c = px_cluster(x, snap);

	x->retrying = c && ss_up_retry(x->p->conf.up, c, &x->wait);
	x->retry_slot = c ? c->slot : 0;
	return x->retrying;
}

/*
 * The budget bounds what runs, not what waits: a place is taken when the retry starts. One that is to wait
 * only looks whether there is room, so that the answer at hand can still go to the client.
 */
static bool within_budget(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t wait)
{
	const struct ss_cluster *c = px_cluster(x, snap);
	bool room;

	px_retry_over(x);
	room = wait ? c && ss_up_retry_room(x->p->conf.up, c, &x->wait) : take_budget(x, snap);
	if (!room)
		refuse(x, SS_DROP_RETRY_BUDGET);
	return room;
}

bool px_retry_hedge(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	return x->attempts <= x->max_retries && bytes_are_ours(x) && now < x->deadline && within_budget(x, snap, 0);
}

void px_retry_start(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	if (take_budget(x, snap)) {
		px_acquire(x, snap, now);
		return;
	}
	x->told = true;
	px_reply(x, SS_DROP_RETRY_BUDGET, now);
}

/* Does the policy want this outcome repeated, and is it possible? A refusal is counted by name. */
static bool again(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_retry *r,
		  const struct outcome *o, uint64_t wait, uint64_t now)
{
	if (!(o->met & x->retry_on) || !may_be_seen_twice(x, r, o))
		return false;
	if (x->attempts > x->max_retries) {
		refuse(x, SS_DROP_RETRY_LIMIT);
		return false;
	}
	if (!bytes_are_ours(x)) {
		refuse(x, SS_DROP_RETRY_BODY);
		return false;
	}
	return now + wait < x->deadline && within_budget(x, snap, wait);
}

void px_retry_go(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t wait, uint64_t now)
{
	ss_count(x->p->conf.counters, SS_C_RETRIES, 1);
	x->drop = SS_DROP_NONE;
	x->resend = x->kept.len;
	x->request_ended = false;
	if (wait)
		px_delay(x, now + wait, PX_STEP_RETRY);
	else
		px_acquire(x, snap, now);
}

void px_failed(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_drop why, bool unprocessed,
	       bool blame, uint64_t now)
{
	const struct ss_retry *r = x->retry_on ? px_retry_policy(x, snap) : NULL;
	struct outcome o = of_failure(why, unprocessed);
	uint64_t wait = r ? wait_of(x, r, &o) : 0;
	bool repeat = r && again(x, snap, r, &o, wait, now);

	x->wait.again = repeat;

	/* A stream that was refused before a connection took it says nothing about the endpoint's health. */
	if (blame && !(x->up && unprocessed))
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, SS_EP_NO_ANSWER, now);
	px_drop_upstream(x);
	if (repeat)
		px_retry_go(x, snap, wait, now);
	else if (!px_hedge_awaited(x, why))
		px_reply(x, why, now);
}

bool px_retry_head(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_hdrs *h = ss_http_head(x->up);
	const struct ss_retry *r;
	struct outcome o;
	uint64_t wait;

	if (!worth_a_look(x, h) || !(r = px_retry_policy(x, snap)))
		return false;
	o = of_head(x, snap, r, h, now);
	if (x->told && (o.met & x->retry_on)) {
		refuse(x, SS_DROP_RETRY_GUARD);
		return false;
	}
	wait = wait_of(x, r, &o);
	if (!again(x, snap, r, &o, wait, now))
		return false;
	x->wait.again = true;
	if (px_blames(x, h))
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, px_blames(x, h), now);
	px_drop_upstream(x);
	px_retry_go(x, snap, wait, now);
	return true;
}
