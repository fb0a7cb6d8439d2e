/*
 * h2_guard.c - bounds on what costs the peer little and us much (RFC 9113 10.5).
 *
 * Each bound is a level that rises by one per event. Some fall with time (a burst and a rate), some are
 * cleared when their run ends, some grow with the useful work on the connection. One more than the
 * bound ends the connection with ENHANCE_YOUR_CALM and its own drop name.
 */
#include "http/http_int.h"

struct bound {
	uint32_t limit;      /* level that is still accepted */
	uint32_t per_second; /* how fast the level falls; 0: it does not */
	enum ss_drop drop;
};

static const struct bound bounds[SS_H2_B_COUNT] = {
	/* streams that the peer reset, or made us reset: "rapid reset" */
	[SS_H2_B_RESET] = { 1000, 33, SS_DROP_H2_FLOOD_RESET },
	/* PING, SETTINGS, GOAWAY, late RST_STREAM, unknown types; besides one for each DATA frame with bytes,
	 * either way: some peers measure the path by a PING for every round trip in which bytes come */
	[SS_H2_B_CONTROL] = { 1000, 100, SS_DROP_H2_FLOOD_CONTROL },
	/* DATA, HEADERS or CONTINUATION without a byte that end nothing, in a row */
	[SS_H2_B_EMPTY] = { 1, 0, SS_DROP_H2_FLOOD_EMPTY },
	/* of one header block; four frames carry the largest one that is accepted */
	[SS_H2_B_CONTINUATION] = { 64, 0, SS_DROP_H2_FLOOD_CONTINUATION },
	/* besides 100 for each request */
	[SS_H2_B_PRIORITY] = { 100, 0, SS_DROP_H2_FLOOD_PRIORITY },
	/* besides 2 for each request and 10 for each DATA frame that we have sent */
	[SS_H2_B_WINDOW] = { 5, 0, SS_DROP_H2_FLOOD_WINDOW },
	/* small frames of ours that the peer does not read */
	[SS_H2_B_OUTBOUND] = { 1000, 0, SS_DROP_H2_FLOOD_OUTBOUND },
};

static uint64_t allowed(const struct ss_http_conn *c, enum ss_h2_bound b)
{
	uint64_t limit = bounds[b].limit;

	if (b == SS_H2_B_CONTROL)
		limit += c->h2->guard.data_in + c->h2->guard.data_out;
	else if (b == SS_H2_B_PRIORITY)
		limit += 100ull * c->requests;
	else if (b == SS_H2_B_WINDOW)
		limit += 2ull * c->requests + 10ull * c->h2->guard.data_out;
	return limit;
}

/* The level falls by whole events; the remainder of the time is kept. */
static void decay(struct ss_h2_guard *g, enum ss_h2_bound b, uint64_t now)
{
	uint64_t each, n;

	if (!bounds[b].per_second)
		return;
	each = SS_NS_PER_SEC / bounds[b].per_second;
	n = (now - g->at[b]) / each;
	g->at[b] += n * each;
	g->n[b] -= (uint32_t)ss_min_u64(n, g->n[b]);
}

bool ss_h2_guard(struct ss_http_conn *c, enum ss_h2_bound b)
{
	struct ss_h2_guard *g = &c->h2->guard;

	if (c->state != SS_HTTP_OPEN)
		return false;
	decay(g, b, c->http->now);
	if (++g->n[b] <= allowed(c, b))
		return true;
	ss_h2_conn_error(c, SS_H2_ENHANCE_YOUR_CALM, bounds[b].drop);
	return false;
}

void ss_h2_guard_clear(struct ss_http_conn *c, enum ss_h2_bound b)
{
	c->h2->guard.n[b] = 0;
}
