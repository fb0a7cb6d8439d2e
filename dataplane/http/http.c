/*
 * http.c - the worker's calls into this room: each walks a list of connections or streams.
 */
#include <stdlib.h>

#include "http/http_int.h"

#define ARENA_GAUGE(h) (ss_pool_used((h)->conf.arenas->small) + ss_pool_used((h)->conf.arenas->large))

/* A chain for each stream that there can be. */
static int make_index(struct ss_http *h)
{
	uint32_t n = 64;

	while (n < h->conf.max_streams + h->conf.spare_streams)
		n *= 2;
	h->by_id = calloc(n, sizeof(h->by_id[0]));
	h->by_id_mask = n - 1;
	ss_sipkey_random(&h->places);
	return h->by_id ? 0 : SS_ERR_NO_MEM;
}

int ss_http_create(struct ss_http **out, const struct ss_http_conf *conf, uint64_t now)
{
	struct ss_http *h = calloc(1, sizeof(*h));
	if (!h)
		return SS_ERR_NO_MEM;
	h->conf = *conf;
	if (!conf->max_h2_conns || conf->max_h2_conns > conf->max_conns)
		h->conf.max_h2_conns = conf->max_conns;
	h->now = now;
	ss_wheel_init(&h->wheel, SS_NS_PER_MS, now);
	ss_list_init(&h->all);
	ss_list_init(&h->todo);
	ss_list_init(&h->dirty);
	ss_list_init(&h->dead);
	ss_list_init(&h->dead_conns);
	ss_list_init(&h->news.streams);
	ss_list_init(&h->news.conns);
	ss_list_init(&h->news.aside_streams);
	ss_list_init(&h->news.aside_conns);
	ss_arena_init(&h->trash, conf->arenas);
	h->conns = ss_pool_create("http_conns", sizeof(struct ss_http_conn), conf->max_conns);
	h->streams = ss_pool_create("http_streams", sizeof(struct ss_http_stream),
				    conf->max_streams + conf->spare_streams);
	h->h2_conns = ss_pool_create("h2_conns", ss_h2_conn_size(), h->conf.max_h2_conns);
	h->limits = ss_http_limits_create();
	h->encoders = ss_h2_encoders_create(h->conf.max_h2_conns);
	h->scratch = malloc(SS_HTTP_SCRATCH);
	h->fields = malloc(SS_HTTP_HDRS_MAX * sizeof(*h->fields));
	if (!h->conns || !h->streams || !h->h2_conns || !h->encoders || !h->limits || !h->scratch || !h->fields || make_index(h) < 0) {
		ss_http_free(h);
		return SS_ERR_NO_MEM;
	}
	*out = h;
	return 0;
}

void ss_http_free(struct ss_http *h)
{
	struct ss_list *n, *tmp;

	if (!h)
		return;
	ss_list_for_safe(n, tmp, &h->all)
		ss_http_conn_discard(ss_list_entry(n, struct ss_http_conn, all));
	ss_arena_reset(&h->trash);
	if (h->conns)
		ss_pool_free(h->conns);
	if (h->streams)
		ss_pool_free(h->streams);
	if (h->h2_conns)
		ss_pool_free(h->h2_conns);
	ss_h2_encoders_free(h->encoders);
	ss_http_limits_free(h->limits);
	free(h->by_id);
	free(h->scratch);
	free(h->fields);
	free(h);
}

/* A new generation: downstream connections whose listener is gone take no new requests. */
static void adopt(struct ss_http *h, const struct ss_snapshot *snap)
{
	struct ss_list *n, *tmp;

	if (!snap || snap->generation == h->generation)
		return;
	h->generation = snap->generation;
	h->wall = snap->wall;
	ss_http_limits_sweep(h->limits);
	ss_list_for_safe(n, tmp, &h->all) {
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (!c->upstream && !ss_snapshot_listener(snap, ss_tls_cookie(c->tls)))
			ss_http_conn_drain(c);
	}
}

static void hand_over(struct ss_http *h, struct ss_http_news *news)
{
	ss_list_splice(&news->streams, &h->news.streams);
	ss_list_splice(&news->conns, &h->news.conns);
	ss_list_splice(&news->aside_streams, &h->news.aside_streams);
	ss_list_splice(&news->aside_conns, &h->news.aside_conns);
}

void ss_http_input(struct ss_http *h, const struct ss_snapshot *snap, struct ss_list *tls_news, uint64_t now,
		   struct ss_http_news *news)
{
	struct ss_list todo, *n;

	h->now = now;
	adopt(h, snap);
	ss_list_init(&todo);
	ss_list_splice(&todo, &h->todo); /* what asks again during this call waits for the next turn */
	while ((n = ss_list_pop(tls_news)))
		ss_http_conn_transport(h, snap, ss_tls_from_news(n));
	while ((n = ss_list_pop(&todo)))
		ss_http_conn_feed(ss_list_entry(n, struct ss_http_conn, todo));
	hand_over(h, news);
}

void ss_http_expire(struct ss_http *h, uint64_t now, struct ss_http_news *news)
{
	h->now = now;
	ss_http_timers_run(h);
	hand_over(h, news);
}

uint64_t ss_http_next(const struct ss_http *h)
{
	if (!ss_list_empty(&h->todo) || !ss_list_empty(&h->dirty) || !ss_list_empty(&h->news.streams) ||
	    !ss_list_empty(&h->news.conns) || !ss_list_empty(&h->news.aside_streams) ||
	    !ss_list_empty(&h->news.aside_conns))
		return h->now;
	return ss_wheel_next(&h->wheel);
}

void ss_http_flush(struct ss_http *h, uint64_t now)
{
	struct ss_list dirty, *n;

	h->now = now;
	ss_list_init(&dirty);
	ss_list_splice(&dirty, &h->dirty);
	while ((n = ss_list_pop(&dirty)))
		ss_http_conn_flush(ss_list_entry(n, struct ss_http_conn, dirty));
}

void ss_http_bury(struct ss_http *h)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&h->dead)))
		ss_http_stream_free(ss_list_entry(n, struct ss_http_stream, all));
	while ((n = ss_list_pop(&h->dead_conns)))
		ss_http_conn_free(ss_list_entry(n, struct ss_http_conn, todo));
	ss_gauge(h->conf.counters, SS_C_HTTP_CONNS, ss_pool_used(h->conns));
	ss_gauge(h->conf.counters, SS_C_HTTP_STREAMS, ss_pool_used(h->streams));
	ss_gauge(h->conf.counters, SS_C_HTTP_ARENAS, ARENA_GAUGE(h));
}

void ss_http_drain(struct ss_http *h, uint64_t now)
{
	struct ss_list *n, *tmp;

	h->now = now;
	h->draining = true;
	ss_list_for_safe(n, tmp, &h->all) {
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (!c->upstream)
			ss_http_conn_drain(c);
	}
}

uint32_t ss_http_conns(const struct ss_http *h)
{
	return ss_pool_used(h->conns);
}

uint32_t ss_http_streams(const struct ss_http *h)
{
	return ss_pool_used(h->streams);
}

uint32_t ss_http_mbufs(const struct ss_http *h)
{
	const struct ss_list *n, *m;
	uint32_t held = 0;

	ss_list_for(n, &h->all) {
		const struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		held += ss_bufq_mbufs(&c->in) + ss_bufq_mbufs(&c->out) + ss_h2_mbufs(c);
		ss_list_for(m, &c->streams) {
			const struct ss_http_stream *s = ss_list_entry(m, struct ss_http_stream, all);
			held += ss_bufq_mbufs(&s->body) + ss_bufq_mbufs(&s->tx);
		}
	}
	return held;
}
