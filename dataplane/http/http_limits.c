/*
 * http_limits.c - the limits that connections were made with. A connection keeps those of its listener or cluster over
 * reloads; thousands of connections have few of them, so each set is kept once, in the worker.
 *
 * A set is made with its first connection and freed with a generation that finds it without any.
 */
#include "http/http_int.h"

#define LISTS 64

struct set {
	struct ss_http_limits is;
	struct set *next;
	uint32_t conns;
};

struct ss_http_limit_sets {
	struct set *at[LISTS];
};

static bool same(const struct ss_http_limits *a, const struct ss_http_limits *b)
{
	return a->max_header_bytes == b->max_header_bytes && a->max_headers == b->max_headers &&
	       a->max_streams == b->max_streams && a->stream_window == b->stream_window &&
	       a->conn_window == b->conn_window && a->hpack_table == b->hpack_table &&
	       a->idle_timeout_ns == b->idle_timeout_ns &&
	       a->request_head_timeout_ns == b->request_head_timeout_ns &&
	       a->keepalive_interval_ns == b->keepalive_interval_ns &&
	       a->keepalive_timeout_ns == b->keepalive_timeout_ns && a->settings_timeout_ns == b->settings_timeout_ns &&
	       a->max_requests == b->max_requests && a->max_connection_age_ns == b->max_connection_age_ns;
}

/* From the members that are most often set apart; configuration is nobody's to attack. */
static struct set **list_of(struct ss_http_limit_sets *t, const struct ss_http_limits *l)
{
	uint64_t h = l->max_header_bytes;

	h = h * 31 + l->max_streams;
	h = h * 31 + l->stream_window;
	h = h * 31 + l->max_requests;
	h = h * 31 + l->idle_timeout_ns / SS_NS_PER_MS;
	h = h * 31 + l->max_connection_age_ns / SS_NS_PER_MS;
	return &t->at[(h ^ h >> 17) % LISTS];
}

struct ss_http_limit_sets *ss_http_limits_create(void)
{
	return calloc(1, sizeof(struct ss_http_limit_sets));
}

const struct ss_http_limits *ss_http_limits_hold(struct ss_http_limit_sets *t, const struct ss_http_limits *l)
{
	struct set **list = list_of(t, l), *s = *list;

	while (s && !same(&s->is, l))
		s = s->next;
	if (!s) {
		s = malloc(sizeof(*s));
		if (!s)
			return NULL;
		*s = (struct set){ .is = *l, .next = *list };
		*list = s;
	}
	s->conns++;
	return &s->is;
}

void ss_http_limits_drop(const struct ss_http_limits *l)
{
	struct set *s = ss_container_of((struct ss_http_limits *)(uintptr_t)l, struct set, is);

	s->conns--;
}

uint32_t ss_http_limits_sweep(struct ss_http_limit_sets *t)
{
	uint32_t left = 0;

	for (int i = 0; i < LISTS; i++)
		for (struct set **at = &t->at[i]; *at;) {
			struct set *s = *at;

			if (s->conns) {
				at = &s->next;
				left++;
			} else {
				*at = s->next;
				free(s);
			}
		}
	return left;
}

void ss_http_limits_free(struct ss_http_limit_sets *t)
{
	if (!t)
		return;
	ss_http_limits_sweep(t);
	free(t);
}
