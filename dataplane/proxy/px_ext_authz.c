/*
 * px_ext_authz.c - external authorization: a request that a custom rule takes waits, without an endpoint, for what
 * an authorizer elsewhere says; then it is refused, or decided again from its token on.
 *
 * A check is a small request of ours over the authorizer's cluster. While it is under way the exchange is
 * PX_DELAYED, and its timer is the check's. Nothing of the snapshot outlives the turn: the provider and its
 * cluster are found again by name, and what is decided afterwards is decided by the snapshot of then. No answer,
 * or none that makes sense, is the provider's failure mode.
 */
#include "base/err.h"
#include "contract/policies.h"
#include "proxy/px_ext_authz.h"

static void count(const struct px_exchange *x, enum ss_counter k)
{
	ss_count(x->p->conf.counters, k, 1);
}

/* -- the end of a check -- */

static void let_go(struct px_check *c)
{
	struct ss_proxy *p = c->x->p;

	c->over = true;
	if (c->up)
		ss_http_release(c->up);
	c->up = NULL;
	ss_up_cancel(p->conf.up, &c->wait);
	ss_bufq_free(&c->body);
	ss_list_push_back(&p->dead_checks, &c->again);
}

/* The exchange has no check any more; let_go is still to come. */
static struct px_check *detach(struct px_exchange *x)
{
	struct px_check *c = x->asked->check;

	x->asked->check = NULL;
	return c;
}

void px_ask_leave(struct px_exchange *x)
{
	struct px_check *c = detach(x);

	if (!c)
		return;
	count(x, SS_C_EXT_AUTHZ_CUT);
	let_go(c);
}

/* -- what comes of it -- */

static void count_policy(const struct px_exchange *x, const struct ss_snapshot *snap, bool denied)
{
	const struct px_asked *a = x->asked;
	struct ss_policy_counts *row =
		snap->policies ? ss_policies_row(snap->policies, x->p->conf.worker, a->slot) : NULL;

	if (row && (denied || !a->dry_run))
		ss_policy_count(!denied ? &row->allowed : a->dry_run ? &row->dry_run_denied : &row->denied);
}

/* What a decision leaves behind, so that the next one finds none of it. */
static void forget(struct px_exchange *x)
{
	x->head = NULL;
	x->response_ops = (struct ss_header_ops){0};
	x->n_cors = 0;
	x->cluster = x->wait.subset = 0;
	x->retry_on = 0;
	x->max_retries = 0;
	x->try_ns = x->try_idle_ns = 0;
	x->cap = x->ends = SS_NEVER;
}

static void again(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_http_conn *conn = ss_http_stream_conn(x->down);
	const struct ss_listener *l = ss_snapshot_listener(snap, ss_http_cookie(conn));

	forget(x);
	x->last = now;
	if (l)
		px_decide(x, snap, l, now);
	else
		px_reply(x, SS_DROP_DRAINING, now);
}

static void pass(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_asked *a = x->asked;

	a->passed[a->n_passed++] = (struct ss_authz_passed){a->provider, a->dry_run};
	again(x, snap, now);
}

/* Denied, by whatever: false when that was only tried and the request goes on. */
static bool enforced(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_asked *a = x->asked;

	count_policy(x, snap, true);
	if (!a->dry_run) {
		x->authz = SS_EVENT_AUTHZ_DENIED;
		x->rule = a->rule;
		return true;
	}
	a->would_deny = a->rule;
	pass(x, snap, now);
	return false;
}

/* `why` tells more; SS_C_EXT_AUTHZ_FAILED: there is nothing more to tell. */
static void failed(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_counter why, uint64_t now)
{
	struct px_asked *a = x->asked;
	struct px_check *c = detach(x);

	if (c)
		let_go(c);
	count(x, SS_C_EXT_AUTHZ_FAILED);
	if (why != SS_C_EXT_AUTHZ_FAILED)
		count(x, why);
	if (a->n_passed == PX_ASKED_MAX) { /* nor can another one be remembered */
		px_reply_as(x, SS_DROP_EXT_AUTHZ_FAILED, a->on_error, px_grpc_of_status(a->on_error), now);
	} else if (a->fail_open) {
		count(x, SS_C_EXT_AUTHZ_FAIL_OPEN);
		count_policy(x, snap, false);
		pass(x, snap, now);
	} else if (enforced(x, snap, now)) {
		px_reply_as(x, SS_DROP_EXT_AUTHZ_FAILED, a->on_error, px_grpc_of_status(a->on_error), now);
	}
}

static void allowed(struct px_exchange *x, const struct ss_snapshot *snap, const struct px_verdict *v, uint64_t now)
{
	struct px_asked *a = x->asked;

	count(x, SS_C_EXT_AUTHZ_ALLOWED);
	count_policy(x, snap, false);
	if (!a->dry_run) {
		a->up = v->up;
		a->down = v->down;
	}
	pass(x, snap, now);
}

/* The head and the body that came stay good until the check is let go. */
static void denied(struct px_exchange *x, const struct ss_snapshot *snap, struct px_verdict *v, uint64_t now)
{
	count(x, SS_C_EXT_AUTHZ_DENIED);
	if (enforced(x, snap, now))
		px_reply_with(x, SS_DROP_EXT_AUTHZ_DENIED, &v->head, &v->body, now);
}

/*
 * The answer is here, or all of it that will be: a head that denies is enough to deny, for no failure mode may
 * open what the authorizer has closed.
 */
static void conclude(struct px_check *c, const struct ss_snapshot *snap, bool whole, enum ss_counter why,
		     uint64_t now)
{
	struct px_exchange *x = c->x;
	struct px_verdict v = {.what = PX_NO_VERDICT};

	if (c->has_head)
		px_check_read(c, ss_snapshot_ext_authz(snap, x->asked->provider), whole, &v);
	if (c->has_head)
		ss_up_answered(x->p->conf.up, ss_snapshot_cluster(snap, x->asked->cluster), &c->wait,
			       now - c->sent_at, now);
	ss_up_result(x->p->conf.up, ss_snapshot_cluster(snap, x->asked->cluster), &c->wait,
		     whole && v.what != PX_NO_VERDICT ? SS_EP_GOOD : whole ? SS_EP_ERROR : SS_EP_NO_ANSWER, now);
	if (v.what == PX_NO_VERDICT) {
		failed(x, snap, why, now);
		return;
	}
	detach(x);
	if (v.what == PX_ALLOWED) {
		let_go(c); /* its stream first: the request will want one */
		allowed(x, snap, &v, now);
		return;
	}
	denied(x, snap, &v, now);
	ss_bufq_free(&v.body);
	let_go(c);
}

/* -- upstream -- */

static void acquire(struct px_check *c, const struct ss_snapshot *snap, uint64_t now);

/* Its connection ended: once more when the authorizer surely has not seen it. */
static void lost(struct px_check *c, const struct ss_snapshot *snap, bool unseen, uint64_t now)
{
	if (!unseen || c->retried) {
		conclude(c, snap, false, SS_C_EXT_AUTHZ_FAILED, now);
		return;
	}
	c->retried = true;
	if (c->up)
		ss_http_release(c->up);
	c->up = NULL;
	ss_up_cancel(c->x->p->conf.up, &c->wait);
	acquire(c, snap, now);
}

static void launch(struct px_check *c, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_exchange *x = c->x;
	const struct ss_ext_authz *e = ss_snapshot_ext_authz(snap, x->asked->provider);
	int rc;

	if (!e) { /* a reload has taken it away, and with it what named it */
		let_go(detach(x));
		again(x, snap, now);
		return;
	}
	rc = px_check_send(c, snap, e, now);
	ss_up_took(x->p->conf.up, &c->wait);
	c->sent_at = now;
	if (rc == SS_ERR_NO_MEM)
		failed(x, snap, SS_C_EXT_AUTHZ_FULL, now);
	else if (rc < 0)
		lost(c, snap, true, now);
	else
		ss_http_set_owner(c->up, &c->leg);
}

static void acquire(struct px_check *c, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_exchange *x = c->x;
	const struct ss_cluster *cluster = ss_snapshot_cluster(snap, x->asked->cluster);
	int rc = cluster ? ss_up_acquire(x->p->conf.up, cluster, &c->wait, now) : SS_ERR_REFUSED;

	if (rc == 0)
		launch(c, snap, now);
	else if (rc != SS_ERR_WAIT)
		failed(x, snap, SS_C_EXT_AUTHZ_REFUSED, now);
}

void px_ask(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
	    const struct ss_route_decision *d, uint64_t now)
{
	const struct ss_ext_authz *e = d->custom->provider;
	struct px_asked *a = x->asked;
	struct px_check *c;

	if (ss_span_eq(px_head(x)->method, SS_SPAN("CONNECT"))) {
		px_reply(x, SS_DROP_TUNNEL, now);
		return;
	}
	if (!a) {
		a = ss_arena_alloc(ss_http_arena(x->down), sizeof(*a));
		if (!a) {
			px_reply(x, SS_DROP_STREAMS_FULL, now);
			return;
		}
		*a = (struct px_asked){.begun = now};
		x->asked = a;
	}
	a->provider = e->name;
	a->cluster = snap->clusters[e->cluster].name;
	a->rule = d->custom->name;
	a->slot = d->custom->slot;
	a->dry_run = d->custom->dry_run;
	a->fail_open = e->fail_open;
	a->on_error = e->status_on_error;
	x->own = l->own_id;
	x->audited = d->audit != NULL;
	count(x, SS_C_EXT_AUTHZ_CHECKS);
	/* The route's time begins when the wait is over; what the hops above have set goes on. */
	x->deadline = px_deadline(x, now + e->timeout_ns);
	px_delay(x, now + e->timeout_ns, PX_STEP_UNANSWERED);
	c = a->n_passed < PX_ASKED_MAX ? ss_pool_take(x->p->checks) : NULL;
	if (!c) {
		failed(x, snap, SS_C_EXT_AUTHZ_FULL, now);
		return;
	}
	*c = (struct px_check){.x = x, .leg = {.check = true}};
	a->check = c;
	ss_list_init(&c->wait.node);
	c->wait.whose = PX_WAIT_CHECK;
	ss_list_init(&c->again);
	ss_bufq_init(&c->body);
	acquire(c, snap, now);
}

void px_check_served(struct px_check *c, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_exchange *x = c->x;

	if (c->wait.place == SS_UP_SERVED) {
		launch(c, snap, now);
	} else if (c->wait.result == SS_ERR_MORE) {
		ss_up_cancel(x->p->conf.up, &c->wait);
		acquire(c, snap, now);
	} else {
		ss_up_result(x->p->conf.up, ss_snapshot_cluster(snap, x->asked->cluster), &c->wait, SS_EP_NO_ANSWER, now);
		failed(x, snap, SS_C_EXT_AUTHZ_REFUSED, now);
	}
}

void px_check_news(struct px_check *c, const struct ss_snapshot *snap, uint32_t events, uint64_t now)
{
	struct ss_bufq *body;
	bool too_long;

	if (c->over)
		return;
	c->has_head |= (events & SS_HTTP_EV_HEAD) != 0;
	body = ss_http_body(c->up);
	too_long = c->body.len + body->len > PX_VERDICT_MAX;
	if (body->len)
		ss_http_consumed(c->up, body->len);
	if (too_long)
		ss_bufq_free(body);
	else
		ss_bufq_move(&c->body, body);
	if (too_long)
		conclude(c, snap, false, SS_C_EXT_AUTHZ_FAILED, now);
	else if (ss_http_ended(c->up))
		conclude(c, snap, true, SS_C_EXT_AUTHZ_FAILED, now);
	else if (events & SS_HTTP_EV_RESET)
		lost(c, snap, ss_http_unprocessed(c->up), now);
}

void px_ask_late(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_check *c = x->asked->check;

	if (c->up) {
		ss_http_reset(c->up, SS_HTTP_CANCEL);
		conclude(c, snap, false, SS_C_EXT_AUTHZ_LATE, now);
	} else {
		failed(x, snap, SS_C_EXT_AUTHZ_LATE, now);
	}
}

/* -- afterwards -- */

int px_ask_head(struct px_exchange *x)
{
	const struct ss_hdrs *from = px_head(x);
	struct ss_arena *a = ss_http_arena(x->down);
	uint32_t cap = from->n + x->asked->up.n;
	struct ss_hdrs *h;
	struct ss_hdr *v;

	if (!x->asked->up.n)
		return 0;
	h = ss_arena_alloc(a, sizeof(*h));
	v = cap <= UINT16_MAX ? ss_arena_alloc(a, cap * sizeof(*v)) : NULL;
	if (!h || !v)
		return SS_ERR_NO_MEM;
	*h = *from;
	h->v = v;
	h->cap = (uint16_t)cap;
	memcpy(v, from->v, from->n * sizeof(*v));
	x->head = h;
	return px_apply_ops(h, &x->asked->up, ss_hdrs_names(h));
}

int px_ask_response(struct px_exchange *x)
{
	struct ss_arena *a = ss_http_arena(x->down);

	return px_more_ops(a, &x->response_ops, &x->asked->down);
}
