/*
 * http_end.c - how connections end and are freed, and the small calls of the door about them.
 */
#include "http/http_int.h"

void ss_http_conn_news(struct ss_http_conn *c, uint32_t events)
{
	if (!c->upstream || c->released)
		return;
	c->events |= events;
	ss_list_push_once(c->aside ? &c->http->news.aside_conns : &c->http->news.conns, &c->news);
}

void ss_http_dirty(struct ss_http_conn *c)
{
	if (c->state != SS_HTTP_OVER)
		ss_list_push_once(&c->http->dirty, &c->dirty);
}

void ss_http_again(struct ss_http_conn *c)
{
	if (c->state != SS_HTTP_OVER)
		ss_list_push_once(&c->http->todo, &c->todo);
}

/* What a connection's end means for a stream on it. */
static enum ss_drop stream_reason(const struct ss_http_conn *c, enum ss_drop why)
{
	bool protocol = why >= SS_DROP_H2_PREFACE && why <= SS_DROP_H2_STREAM;

	if (c->upstream)
		return protocol ? SS_DROP_UPSTREAM_PROTOCOL : SS_DROP_UPSTREAM_RESET;
	if (!protocol)
		return SS_DROP_DOWNSTREAM_GONE;
	return why == SS_DROP_H1_SYNTAX || why == SS_DROP_H1_SMUGGLING ? why : SS_DROP_H2_STREAM;
}

/* Streams get RESET, the upper room GONE; no version code runs on c any more. */
static void end_streams(struct ss_http_conn *c, enum ss_drop why)
{
	struct ss_list *n, *tmp;

	c->no_more = true;
	c->slots = 0;
	if (c->reason == SS_DROP_NONE)
		c->reason = (uint16_t)why;
	ss_list_for_safe(n, tmp, &c->streams) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, all);
		if (!s->over)
			ss_http_stream_fail(s, stream_reason(c, why), s->unprocessed);
	}
	ss_http_timers_stop(c);
	ss_bufq_free(&c->in);
	ss_http_conn_news(c, SS_HTTP_CONN_GONE);
}

void ss_http_conn_finish(struct ss_http_conn *c, enum ss_drop why)
{
	if (c->state >= SS_HTTP_CLOSING)
		return;
	if (why != SS_DROP_NONE)
		ss_count_drop(c->http->conf.counters, why);
	c->state = SS_HTTP_CLOSING;
	end_streams(c, why);
	ss_http_dirty(c);
}

void ss_http_conn_abort(struct ss_http_conn *c, enum ss_drop why)
{
	if (c->state == SS_HTTP_OVER)
		return;
	if (c->state < SS_HTTP_CLOSING) {
		c->state = SS_HTTP_CLOSING;
		end_streams(c, why);
	}
	ss_tls_abort(c->tls);
	ss_http_conn_gone(c);
}

void ss_http_conn_gone(struct ss_http_conn *c)
{
	c->state = SS_HTTP_OVER;
	ss_http_timers_stop(c);
	ss_list_remove(&c->todo);
	ss_list_remove(&c->dirty);
	ss_bufq_free(&c->in);
	ss_bufq_free(&c->out);
	ss_http_conn_settle(c);
}

void ss_http_conn_settle(struct ss_http_conn *c)
{
	if (c->state == SS_HTTP_OVER && ss_list_empty(&c->streams) && (!c->upstream || c->released))
		ss_list_push_once(&c->http->dead_conns, &c->todo);
}

void ss_http_conn_free(struct ss_http_conn *c)
{
	struct ss_http *h = c->http;

	if (c->v)
		c->v->close(c);
	ss_bufq_free(&c->in);
	ss_bufq_free(&c->out);
	ss_list_remove(&c->all);
	ss_list_remove(&c->todo);
	ss_list_remove(&c->dirty);
	ss_list_remove(&c->news);
	ss_tls_release(c->tls);
	ss_http_limits_drop(c->limits);
	ss_pool_give(h->conns, c);
}

void ss_http_conn_discard(struct ss_http_conn *c)
{
	struct ss_list *n, *tmp;

	c->released = true;
	ss_http_conn_abort(c, SS_DROP_NONE);
	ss_list_for_safe(n, tmp, &c->streams)
		ss_http_stream_free(ss_list_entry(n, struct ss_http_stream, all));
	ss_http_conn_free(c);
}

void ss_http_conn_quiet(struct ss_http_conn *c)
{
	if (c->state != SS_HTTP_OPEN || c->n_streams)
		return;
	if (c->no_more)
		ss_http_conn_finish(c, SS_DROP_NONE);
	else
		ss_http_arm(c, SS_HTTP_T_IDLE, c->limits->idle_timeout_ns);
}

void ss_http_conn_drain(struct ss_http_conn *c)
{
	if (c->state == SS_HTTP_OPEN)
		c->v->drain(c);
	else if (c->state == SS_HTTP_CONNECTING)
		ss_http_conn_abort(c, SS_DROP_NONE);
	else if (c->state == SS_HTTP_DETECT)
		ss_http_conn_finish(c, SS_DROP_NONE);
}

/* -- the door -- */

const struct ss_peer *ss_http_peer(const struct ss_http_conn *c)
{
	return ss_tls_peer(c->tls);
}

uint32_t ss_http_cookie(const struct ss_http_conn *c)
{
	return ss_tls_cookie(c->tls);
}

struct ss_http_conn *ss_http_conn_from_news(struct ss_list *node)
{
	return ss_list_entry(node, struct ss_http_conn, news);
}

uint32_t ss_http_conn_events(struct ss_http_conn *c)
{
	uint32_t ev = c->events;

	c->events = 0;
	return ev;
}

uint32_t ss_http_slots(const struct ss_http_conn *c)
{
	return c->state == SS_HTTP_OPEN && !c->no_more ? c->slots : 0;
}

void ss_http_conn_close(struct ss_http_conn *c)
{
	ss_http_conn_drain(c);
}

void ss_http_conn_set_aside(struct ss_http_conn *c)
{
	c->aside = true;
}

void ss_http_conn_kill(struct ss_http_conn *c)
{
	c->released = true;
	c->events = 0;
	ss_list_remove(&c->news);
	ss_http_conn_abort(c, SS_DROP_NONE);
	ss_http_conn_settle(c);
}

void ss_http_conn_release(struct ss_http_conn *c)
{
	if (c->released)
		return;
	c->released = true;
	c->events = 0;
	ss_list_remove(&c->news);
	ss_http_conn_drain(c);
	ss_http_conn_settle(c);
}

void ss_http_conn_set_owner(struct ss_http_conn *c, void *owner)
{
	c->owner = owner;
}

void *ss_http_conn_owner(const struct ss_http_conn *c)
{
	return c->owner;
}

enum ss_drop ss_http_conn_reason(const struct ss_http_conn *c)
{
	return c->reason;
}
