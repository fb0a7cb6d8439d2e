/*
 * px_exchange.c - an exchange's fixed steps: route, authorize, our own answer or an endpoint, the head,
 * bodies both ways, the record. The path was validated and normalised by http before we see it.
 */
#include "base/err.h"
#include "proxy/px_ext_authz.h"

const struct ss_cluster *px_cluster(const struct px_exchange *x, const struct ss_snapshot *snap)
{
	if (x->cluster_at < snap->n_clusters && snap->clusters[x->cluster_at].name == x->cluster)
		return &snap->clusters[x->cluster_at];
	return ss_snapshot_cluster(snap, x->cluster);
}

static struct px_exchange *new_exchange(struct ss_proxy *p, struct ss_http_stream *down, uint64_t now)
{
	struct px_exchange *x = ss_pool_take(p->exchanges);

	if (!x)
		return NULL;
	*x = (struct px_exchange){.p = p,
				  .down = down,
				  .deadline = SS_NEVER,
				  .try_ends = SS_NEVER,
				  .cap = SS_NEVER,
				  .ends = SS_NEVER,
				  .last = now,
				  .idle_ns = PX_IDLE_NS,
				  .state = PX_ANSWERED};
	x->down_leg = (struct px_leg){x, false};
	x->up_leg = (struct px_leg){x, true};
	ss_list_init(&x->wait.node);
	ss_list_init(&x->again);
	ss_list_init(&x->borrowed);
	ss_timer_init(&x->timer, 0);
	ss_bufq_init(&x->kept);
	ss_http_set_owner(down, &x->down_leg);
	return x;
}

/* A decision's pointers are good in this turn: what is needed later is copied. */
static void copy_decision(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
			  const struct ss_route_decision *d, uint64_t now)
{
	x->generation = snap->generation;
	x->listener = l->name;
	x->host = d->host ? d->host->name : 0;
	x->route = d->route ? d->route->name : 0;
	if (d->route) {
		x->host_at = (uint32_t)(d->host - l->hosts->hosts);
		x->route_at = (uint32_t)(d->route - d->host->routes);
		px_read_limits(x, l, d->route, x->asked ? x->asked->begun : now);
		if (ss_unlikely(x->asked != NULL))
			x->deadline = px_deadline(x, now);
	}
	if (d->cluster) {
		x->cluster = d->cluster->name;
		x->wait.subset = d->subset;
		x->cluster_at = (uint32_t)(d->cluster - snap->clusters);
	}
}

static bool is_grpc(const struct px_exchange *x)
{
	const struct ss_hdr *t = px_field(x, SS_H_CONTENT_TYPE);

	return t && ss_span_starts(t->value, SS_SPAN("application/grpc"));
}

/* Bytes are kept for another attempt unless the request says that they will be too many. */
static bool worth_keeping(const struct px_exchange *x)
{
	const struct ss_hdr *f = px_field(x, SS_H_CONTENT_LENGTH);
	uint64_t n;

	return x->retry_on && x->max_retries && !(f && ss_number(f->value, &n) && n > x->keep_max);
}

static void decide(struct ss_proxy *p, const struct ss_snapshot *snap, const struct ss_listener *l,
		   const struct ss_route_request *rq, struct ss_route_decision *d)
{
	SS_STAGE_HERE(p->conf.counters, SS_STAGE_ROUTE);
	ss_route_decide(snap, l, rq, d);
}

/* What authorizers have said already; 0 or SS_ERR_NO_MEM. */
static int asked_before(struct px_exchange *x, struct ss_route_request *rq)
{
	rq->passed = x->asked->passed;
	rq->n_passed = x->asked->n_passed;
	return px_ask_head(x);
}

static int response_ops(struct px_exchange *x, const struct ss_route_decision *d)
{
	int err = px_response_ops(x, d);

	return err || ss_likely(!x->asked) ? err : px_ask_response(x);
}

/* What a request that may come in gets: our own answer, or a place upstream. */
static void answer_or_send(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
			   const struct ss_route_decision *d, uint64_t now)
{
	int err;

	if ((l->limits || d->route->limits) && px_limited(x, l, d->route, now))
		return;
	if (d->route->fault && px_faulted(x, l, d->route->fault, now))
		return;
	if (d->route->action == SS_ACTION_DIRECT) {
		px_direct(x, d->route, now);
		return;
	}
	if (d->route->action == SS_ACTION_REDIRECT) {
		px_redirect(x, l, d->route, now);
		return;
	}
	err = px_request_head(x, l, d);
	if (!err)
		err = px_hash(x, d->route, d->cluster);
	if (err) {
		px_reply(x, err == SS_ERR_LIMIT ? SS_DROP_REWRITE_LIMIT : SS_DROP_STREAMS_FULL, now);
		return;
	}
	x->keep = worth_keeping(x);
	if (d->route->mirrors)
		px_mirror_make(x, snap, d->route->mirrors);
	if (ss_unlikely(d->route->canary != NULL) && !(x->fault && x->fault->ends))
		x->canary = ss_canary_counts_of(d->route->canary, x->p->conf.worker,
						d->share == &d->route->clusters[d->route->canary->at]);
	if (x->fault)
		px_fault_wait(x, now);
	else
		px_forward(x, snap, now);
}

static void end_decision(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
			 const struct ss_route_decision *d, enum ss_drop wanting, uint64_t now)
{
	switch (ss_route_end(d, wanting, px_head(x)->method)) {
	case SS_ROUTE_ASK:
		px_ask(x, snap, l, d, now);
		break;
	case SS_ROUTE_PREFLIGHT:
		px_preflight(x, d, now);
		break;
	case SS_ROUTE_TOKEN:
		px_reply(x, wanting, now);
		break;
	case SS_ROUTE_CLOSED:
		px_closed(x, d->maintenance, now);
		break;
	case SS_ROUTE_REFUSED:
		px_reply(x, d->drop, now);
		break;
	case SS_ROUTE_TUNNEL:
		px_reply(x, SS_DROP_TUNNEL, now);
		break;
	case SS_ROUTE_ON:
		answer_or_send(x, snap, l, d, now);
		break;
	}
}

void px_begin(struct ss_proxy *p, const struct ss_snapshot *snap, struct ss_http_stream *down, uint64_t now)
{
	const struct ss_hdrs *head = ss_http_head(down);
	const struct ss_http_conn *conn = ss_http_stream_conn(down);
	const struct ss_listener *l = ss_snapshot_listener(snap, ss_http_cookie(conn));
	struct px_exchange *x = new_exchange(p, down, now);

	ss_count(p->conf.counters, SS_C_REQUESTS, 1);
	if (!x) {
		ss_count_drop(p->conf.counters, SS_DROP_STREAMS_FULL);
		ss_http_reset(down, SS_HTTP_REFUSED_STREAM);
		ss_http_release(down);
		return;
	}
	x->names = ss_hdrs_names(head);
	x->grpc = is_grpc(x);
	if (!l) {
		px_reply(x, SS_DROP_DRAINING, now);
		return;
	}
	if (ss_unlikely(p->shed) && px_rank_of(x, l->edge) < p->shed) {
		x->told = true;
		px_reply(x, SS_DROP_OVERLOADED, now);
		return;
	}
	px_decide(x, snap, l, now);
}

void px_decide(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l, uint64_t now)
{
	struct ss_proxy *p = x->p;
	const struct ss_peer *peer = ss_http_peer(ss_http_stream_conn(x->down));
	struct ss_route_request rq = {.peer_identity = ss_peer_identity(peer),
				      .sni = ss_peer_sni(peer),
				      .peer = &peer->addr,
				      .local = &peer->local,
				      .draw = ss_rng_u64(&p->rng),
				      .worker = p->conf.worker};
	struct ss_jwt_found token = {0};
	struct ss_route_decision d;
	enum ss_drop wanting;

	if (l->jwt && px_token(x, snap, l, &token, now) < 0) {
		px_reply(x, SS_DROP_STREAMS_FULL, now);
		return;
	}
	if (ss_unlikely(x->asked != NULL) && asked_before(x, &rq) < 0) {
		px_reply(x, SS_DROP_STREAMS_FULL, now);
		return;
	}
	rq.head = px_head(x);
	rq.claims = token.claims;
	decide(p, snap, l, &rq, &d);
	copy_decision(x, snap, l, &d, now);
	/* Fetch 3.3.5: a preflight never includes credentials. */
	wanting = d.preflight ? SS_DROP_NONE : px_token_wanting(l, d.route, &token);
	if (wanting != SS_DROP_NONE)
		px_unauthenticated(x, l);
	else if (!d.custom)
		px_authorized(x, snap, l, &d);
	if (d.route && response_ops(x, &d) < 0)
		px_reply(x, SS_DROP_STREAMS_FULL, now);
	else
		end_decision(x, snap, l, &d, wanting, now);
}

/* -- upstream -- */

/* The name of the endpoint that was picked, where it has one. */
static struct ss_span endpoint_host(const struct px_exchange *x, const struct ss_snapshot *snap)
{
	const struct ss_cluster *c = px_cluster(x, snap);
	const struct ss_endpoint *e = c && c->hostnames ? ss_snapshot_endpoint(snap, c, x->wait.at.ep) : NULL;
	struct ss_span name = e ? c->hostnames[e - c->endpoints] : SS_SPAN_NONE;

	return name.n ? name : x->request.authority;
}

/* The head with this attempt's own fields at its end. */
static int send_head(struct px_exchange *x, const struct ss_snapshot *snap, bool end, uint64_t now)
{
	struct ss_hdrs h = x->request;
	struct px_hop_text t;

	if (ss_unlikely(x->auto_host))
		h.authority = endpoint_host(x, snap);
	px_add_hop(x, &h, &t, now);
	return ss_http_request(x->wait.conn, &h, end, now, &x->up);
}

static void launch(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	bool end = px_request_empty(x);
	int rc = send_head(x, snap, end, now);

	ss_up_took(x->p->conf.up, &x->wait);
	if (rc < 0) {
		x->up = NULL;
		/* No memory is our own fault; else the connection ended or filled up under us: nothing was
		 * sent. */
		if (rc == SS_ERR_NO_MEM) {
			ss_up_cancel(x->p->conf.up, &x->wait);
			px_reply(x, SS_DROP_STREAMS_FULL, now);
		} else {
			px_failed(x, snap, SS_DROP_UPSTREAM_RESET, true, false, now);
		}
		return;
	}
	x->state = PX_RUNNING;
	x->sent_at = now;
	x->last = now;
	x->try_ends = SS_NEVER;
	if (end)
		px_request_sent(x, now);
	ss_http_set_owner(x->up, &x->up_leg);
	px_pump_up(x, now);
	px_arm(x);
}

void px_forward(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	if (x->mirrors)
		px_mirror_go(x, snap, now);
	px_acquire(x, snap, now);
}

/* What the cluster's limits refuse is not for a hop above to try again. */
static void refused(struct px_exchange *x, uint64_t now)
{
	x->told |= px_overload((enum ss_drop)x->wait.reason);
	if (!px_hedge_awaited(x, x->wait.reason))
		px_reply(x, x->wait.reason, now);
}

void px_acquire(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_cluster *c = px_cluster(x, snap);
	int rc;

	x->state = PX_WAITING;
	x->request_ended = false;
	if (!c) {
		px_reply(x, SS_DROP_NO_CLUSTER, now);
		return;
	}
	rc = ss_up_acquire(x->p->conf.up, c, &x->wait, now);
	if (rc == 0 || rc == SS_ERR_WAIT) {
		x->upstream = x->wait.at.addr;
		x->attempts++;
	}
	if (rc == 0)
		launch(x, snap, now);
	else if (rc == SS_ERR_WAIT)
		px_arm(x);
	else
		refused(x, now);
}

void px_served(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	if (x->wait.place == SS_UP_SERVED) {
		launch(x, snap, now);
	} else if (x->wait.result == SS_ERR_MORE) {
		ss_up_cancel(x->p->conf.up, &x->wait);
		x->attempts--;
		px_acquire(x, snap, now);
	} else {
		px_failed(x, snap, x->wait.reason, true, true, now);
	}
}

void px_drop_upstream(struct px_exchange *x)
{
	if (x->up)
		ss_http_release(x->up);
	x->up = NULL;
	ss_up_cancel(x->p->conf.up, &x->wait);
}

/* -- the response -- */

static void response_info(struct px_exchange *x)
{
	const struct ss_hdrs *h = ss_http_head(x->up);
	struct ss_hdrs out;

	/* RFC 9110 15.2: a proxy forwards 1xx unless it asked for them itself. 101 needs a tunnel. */
	if (h->status < 100 || h->status > 199 || h->status == 101 || x->head_sent)
		return;
	if (px_response_head(x, h, &out) == 0 && ss_http_send_head(x->down, &out, false) == 0)
		ss_count(x->p->conf.counters, SS_C_RESPONSES_1XX, 1);
}

static void response_head(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	struct ss_hdrs out;
	bool end = ss_http_ended(x->up) && !ss_http_body(x->up)->len && !ss_http_trailers(x->up);

	if (x->head_sent)
		return;
	x->upstream_ns = now - x->sent_at;
	px_hear_hop(x, snap, ss_http_head(x->up));
	px_hear_health(x, snap, ss_http_head(x->up), now);
	if (px_retry_head(x, snap, now))
		return;
	px_retry_over(x);
	px_hedge_drop(x);
	x->blamed = (uint8_t)px_blames(x, ss_http_head(x->up));
	px_hear_grpc(x, ss_http_head(x->up));
	ss_up_answered(x->p->conf.up, px_cluster(x, snap), &x->wait, x->upstream_ns, now);
	if (px_response_head(x, ss_http_head(x->up), &out) < 0 ||
	    ss_http_send_head(x->down, &out, end) == SS_ERR_NO_MEM) {
		px_drop_upstream(x);
		px_reply(x, SS_DROP_STREAMS_FULL, now);
		return;
	}
	x->head_sent = true;
	x->response_ended = end;
	x->last = now;
	x->keep = false;
	ss_bufq_free(&x->kept);
	px_count_status(x, ss_http_head(x->up)->status);
}

/* All of the response is downstream's: the endpoint is done with, whatever became of the request's rest. */
static void response_complete(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	/* What the hop below tells about its own endpoints is not that hop's fault. */
	if (!(x->blamed && x->told_below))
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, x->blamed, now);
	px_drop_upstream(x);
	x->state = PX_ANSWERED;
}

void px_push_response(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	if (x->state != PX_RUNNING || !x->head_sent)
		return;
	px_pump_down(x, now);
	if (x->response_ended)
		response_complete(x, snap, now);
}

/* After a head went out there is no other answer: the client sees the stream break. */
static void response_broken(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_drop why,
			    uint64_t now)
{
	ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, SS_EP_NO_ANSWER, now);
	px_drop_upstream(x);
	px_reply(x, why, now);
}

void px_up_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now)
{
	if (x->state != PX_RUNNING)
		return;
	if (events & SS_HTTP_EV_INFO)
		response_info(x);
	if (events & SS_HTTP_EV_HEAD)
		response_head(x, snap, now);
	if (x->state != PX_RUNNING)
		return;
	if ((events & SS_HTTP_EV_RESET) && !ss_http_ended(x->up)) {
		enum ss_drop why = ss_http_reason(x->up);
		if (x->head_sent)
			response_broken(x, snap, why, now);
		else
			px_failed(x, snap, why, ss_http_unprocessed(x->up), true, now);
		return;
	}
	px_push_response(x, snap, now);
	if (events & SS_HTTP_EV_ROOM)
		px_pump_up(x, now);
	px_arm(x);
}

/* -- the request's side -- */

void px_down_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now)
{
	if (x->state == PX_DONE)
		return;
	if (events & SS_HTTP_EV_RESET) {
		x->drop = ss_http_reason(x->down);
		if (x->drop == SS_DROP_DOWNSTREAM_GONE || x->drop == SS_DROP_NONE) {
			x->drop = SS_DROP_DOWNSTREAM_GONE;
			ss_count_drop(x->p->conf.counters, SS_DROP_DOWNSTREAM_GONE);
		}
		if (x->up)
			ss_http_reset(x->up, SS_HTTP_CANCEL);
		px_finish(x, now);
		return;
	}
	if (events & (SS_HTTP_EV_BODY | SS_HTTP_EV_END))
		px_pump_up(x, now);
	if (events & SS_HTTP_EV_ROOM)
		px_push_response(x, snap, now);
	if (x->state == PX_ANSWERED && (events & SS_HTTP_EV_SENT))
		px_finish(x, now);
	else
		px_arm(x);
}

void px_finish(struct px_exchange *x, uint64_t now)
{
	struct ss_proxy *p = x->p;

	px_retry_over(x);
	px_hedge_drop(x);
	px_drop_upstream(x);
	px_log(x, now);
	if (x->mirrors)
		px_mirror_leave(x);
	if (ss_unlikely(x->asked != NULL))
		px_ask_leave(x);
	p->faults -= x->fault != NULL;
	ss_http_release(x->down);
	x->down = NULL;
	ss_bufq_free(&x->kept);
	ss_wheel_cancel(&p->wheel, &x->timer);
	ss_list_remove(&x->again);
	ss_list_remove(&x->borrowed);
	x->state = PX_DONE;
	ss_list_push_back(&p->dead, &x->again);
}
