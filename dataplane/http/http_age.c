/*
 * http_age.c - a connection's last day: it ends in order at the age that is configured, and before a certificate
 * that it was made with ends. New certificates serve new connections; without this the old would be used for ever.
 *
 * Connections that were made together (after a start, a failover) must not end together: each ends a little
 * before its time, by a share that goes round evenly from one connection to the next.
 */
#include "contract/jwt.h"
#include "http/http_int.h"

/* How much earlier at most: an eighth of the time, and not more than this for a certificate's sake. */
#define SPREAD_MAX_NS (300 * SS_NS_PER_SEC)
/* Of the golden ratio: multiples of it lie evenly, whatever their number. */
#define SPREAD_STEP 0x9e3779b9u
/* What a client has left for one more request on a connection that is idle. */
#define LAST_REQUEST_NS SS_NS_PER_SEC

static uint64_t earlier(struct ss_http *h, uint64_t ns, uint64_t most)
{
	h->spread += SPREAD_STEP;
	return ns - (ss_min_u64(ns / 8, most) >> 8) * (h->spread >> 24);
}

/* Until the first of the two certificates ends; SS_NEVER for plaintext, and when nobody knows the time of day. One that
 * had ended before is the best that there was: nothing is won by ending what it made. */
static uint64_t certificate_left(const struct ss_http_conn *c)
{
	int64_t until = ss_peer_until(ss_tls_peer(c->tls)), wall;

	if (!until || !c->http->wall)
		return SS_NEVER;
	wall = (int64_t)c->http->now + atomic_load_explicit(&c->http->wall->offset_ns, memory_order_relaxed);
	if (until > INT64_MAX / (int64_t)SS_NS_PER_SEC)
		return SS_NEVER;
	until *= (int64_t)SS_NS_PER_SEC;
	return until > wall ? (uint64_t)(until - wall) : SS_NEVER;
}

void ss_http_age_begin(struct ss_http_conn *c)
{
	struct ss_http *h = c->http;
	uint64_t left = certificate_left(c), age = c->limits->max_connection_age_ns;

	if (left != SS_NEVER)
		left = earlier(h, left > 2 * LAST_REQUEST_NS ? left - LAST_REQUEST_NS : left, SPREAD_MAX_NS);
	if (age)
		left = ss_min_u64(left, earlier(h, age, SS_NEVER));
	if (left != SS_NEVER)
		ss_http_arm(c, SS_HTTP_T_AGE, left ? left : 1);
}

void ss_http_age_end(struct ss_http_conn *c)
{
	if (!c->aged)
		ss_count(c->http->conf.counters, SS_C_HTTP_RETIRED, 1);
	/* A client of HTTP/1.1 may be sending its next request just now: the response to that says "close". */
	if (!c->aged && !c->upstream && c->state == SS_HTTP_OPEN && c->v->number == 1) {
		c->aged = true;
		ss_http_arm(c, SS_HTTP_T_AGE, LAST_REQUEST_NS);
	} else {
		ss_http_conn_drain(c);
	}
}
