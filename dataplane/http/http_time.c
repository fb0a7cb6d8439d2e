/*
 * http_time.c - a connection's deadlines. It has one entry in the wheel and a deadline per kind beside it, as TCP's
 * connections have (tcp_timer.c): most deadlines are moved with each request and never come, so moving one later, or
 * away, touches the connection alone. The entry fires at the old time, finds nothing due, and is armed again.
 */
#include "http/http_int.h"

/* Those that c has: behind them is what HTTP/1.1 keeps. */
static uint32_t kinds(const struct ss_http_conn *c)
{
	return c->v == &ss_h1_version ? SS_HTTP_T_H2 : SS_HTTP_T_COUNT;
}

/* Before a version is chosen. */
void ss_http_timers_init(struct ss_http_conn *c)
{
	ss_timer_init(&c->timer, 0);
	for (uint32_t t = 0; t < SS_HTTP_T_COUNT; t++)
		c->due[t] = SS_NEVER;
}

void ss_http_arm(struct ss_http_conn *c, enum ss_http_timer t, uint64_t after)
{
	uint64_t when = after ? c->http->now + after : SS_NEVER;

	c->due[t] = when;
	/* SS_NEVER is no armed timer's deadline, and the largest there is. */
	if (when < c->timer.deadline)
		ss_wheel_arm(&c->http->wheel, &c->timer, when);
}

void ss_http_timers_stop(struct ss_http_conn *c)
{
	for (uint32_t t = 0, n = kinds(c); t < n; t++)
		c->due[t] = SS_NEVER;
	ss_wheel_cancel(&c->http->wheel, &c->timer);
}

static void conn_due(struct ss_http_conn *c, uint64_t now)
{
	uint64_t next = SS_NEVER;

	for (uint32_t t = 0; t < kinds(c); t++) { /* it may get its version here */
		if (c->due[t] > now)
			continue;
		c->due[t] = SS_NEVER;
		ss_http_conn_timer(c, t);
	}
	for (uint32_t t = 0; t < kinds(c); t++)
		next = ss_min_u64(next, c->due[t]);
	if (next < c->timer.deadline)
		ss_wheel_arm(&c->http->wheel, &c->timer, next);
}

void ss_http_timers_run(struct ss_http *h)
{
	struct ss_list due, *n;

	ss_list_init(&due);
	ss_wheel_expire(&h->wheel, h->now, &due);
	while ((n = ss_list_pop(&due)))
		conn_due(ss_container_of(ss_list_entry(n, struct ss_timer, node), struct ss_http_conn, timer), h->now);
}
