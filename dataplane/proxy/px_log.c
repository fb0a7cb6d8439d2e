/* px_log.c - one record per exchange into the worker's ring. */
#include "proxy/px_int.h"

static struct ss_span value_of(const struct ss_hdrs *h, enum ss_hdr_token tok)
{
	const struct ss_hdr *f = ss_hdrs_find(h, tok);

	return f ? f->value : SS_SPAN_NONE;
}

static void put_texts(struct px_exchange *x, struct ss_event *ev)
{
	const struct ss_hdrs *h = px_head(x); /* without tokens */
	struct ss_span id = x->request_id.n ? x->request_id : value_of(h, SS_H_X_REQUEST_ID);
	struct ss_span peer = ss_peer_identity(ss_http_peer(ss_http_stream_conn(x->down)));
	struct ss_span agent = value_of(h, SS_H_USER_AGENT);
	uint32_t used = 0;

	ss_event_put(ev, &used, &ev->method_n, h->method.p, ss_min_u32(h->method.n, 16));
	ss_event_put(ev, &used, &ev->authority_n, h->authority.p, ss_min_u32(h->authority.n, 80));
	ss_event_put(ev, &used, &ev->path_n, h->path.p, ss_min_u32(h->path.n, 160));
	ss_event_put(ev, &used, &ev->request_id_n, id.p, ss_min_u32(id.n, 40));
	ss_event_put(ev, &used, &ev->peer_n, peer.p, ss_min_u32(peer.n, 120));
	ss_event_put(ev, &used, &ev->trace_n, x->trace.p, x->trace.n);
	ss_event_put(ev, &used, &ev->user_agent_n, agent.p, agent.n);
	ev->detail_n = 0;
}

void px_log(struct px_exchange *x, uint64_t now)
{
	const struct ss_http_conn *conn = ss_http_stream_conn(x->down);
	struct ss_counters *c = x->p->conf.counters;
	uint64_t started = ss_http_started(x->down);
	uint64_t duration = now > started ? now - started : 0;
	struct ss_event *ev;

	ss_hist_add(&c->request_ns, duration);
	/* A client that has gone before the answer counts with the time that it had waited, and as no failure. */
	if (ss_unlikely(x->canary != NULL))
		ss_canary_count(x->canary, duration, x->bad || x->blamed);
	ev = x->p->conf.events ? ss_event_reserve(x->p->conf.events) : NULL;
	if (!ev) {
		ss_count(c, SS_C_EVENTS_LOST, 1);
		return;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = SS_EVENT_REQUEST;
	ev->time_ns = now;
	ev->duration_ns = duration;
	ev->upstream_ns = x->upstream_ns;
	ev->bytes_in = ss_http_bytes_in(x->down);
	ev->bytes_out = ss_http_bytes_out(x->down);
	ev->generation = x->generation;
	ev->listener = x->listener;
	ev->virtual_host = x->host;
	ev->route = x->route;
	ev->cluster = x->cluster;
	ev->rule = x->rule;
	ev->own = x->own;
	ev->authz = x->authz;
	ev->audited = x->audited;
	ev->downstream = ss_http_peer(conn)->addr;
	ev->upstream = x->upstream;
	ev->status = x->status;
	ev->drop = (uint16_t)x->drop;
	ev->protocol = (uint8_t)ss_http_version(x->down);
	ev->tls = ss_http_peer(conn)->tls;
	ev->attempts = x->attempts;
	ev->delayed = x->fault != NULL;
	ev->worker = (uint8_t)x->p->conf.worker;
	put_texts(x, ev);
	ss_event_commit(x->p->conf.events);
}
