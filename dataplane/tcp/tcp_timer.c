/*
 * tcp_timer.c - what an expired timer means.
 *
 * A connection has one entry in the wheel and a deadline per kind beside it. Moving a deadline later, which
 * every ACK does, touches only the connection: the entry fires at the old time, finds nothing due, and is
 * armed again (performance.md, technique 11).
 */
#include "tcp/tcp_int.h"

void ss_tcp_timer_set(struct ss_tcp_conn *c, enum ss_tcp_timer k, uint64_t when)
{
	c->due[k] = when;
	if (when != SS_NEVER && (!ss_timer_armed(&c->timer) || when < c->timer.deadline))
		ss_wheel_arm(&c->t->wheel, &c->timer, when);
}

void ss_tcp_timer_off(struct ss_tcp_conn *c, enum ss_tcp_timer k)
{
	c->due[k] = SS_NEVER;
}

void ss_tcp_timer_stop(struct ss_tcp_conn *c)
{
	for (int k = 0; k < SS_TCP_TIMERS; k++)
		c->due[k] = SS_NEVER;
	ss_wheel_cancel(&c->t->wheel, &c->timer);
}

/* When the user timeout (RFC 9293 3.8.3, R2) ends a connection that makes no progress. */
static uint64_t give_up_at(const struct ss_tcp_conn *c)
{
	return c->progress_at + c->t->conf.user_timeout_ns;
}

static uint64_t backed_off(const struct ss_tcp_conn *c, uint8_t times)
{
	/* RFC 6298 5.5: "back off the timer" - double it, up to the maximum of 2.5. */
	return ss_min_u64(c->rto << ss_min_u32(times, 10), SS_TCP_RTO_MAX);
}

void ss_tcp_timer_rexmt(struct ss_tcp_conn *c)
{
	uint64_t when = c->t->now + backed_off(c, c->backoff);

	if (!ss_tcp_is_syncing(c))
		when = ss_min_u64(when, ss_max_u64(give_up_at(c), c->t->now + 1));
	ss_tcp_timer_set(c, SS_TCP_T_REXMT, when);
}

void ss_tcp_timer_persist(struct ss_tcp_conn *c)
{
	/* RFC 9293 3.8.6.1: "the first zero-window probe ... when a zero window has existed for the
	 * retransmission timeout period, and SHOULD increase exponentially". */
	ss_tcp_timer_set(c, SS_TCP_T_PERSIST, c->t->now + backed_off(c, c->persist_backoff));
}

static void rexmt_syn(struct ss_tcp_conn *c)
{
	if (!c->active && c->syn_tries >= SS_TCP_SYN_TRIES) {
		ss_tcp_conn_fail(c, SS_DROP_TCP_TIMEOUT);
		return;
	}
	c->backoff++;
	c->rtx_first = true;
	ss_tcp_conn_dirty(c);
}

static void rexmt_due(struct ss_tcp_conn *c)
{
	ss_count(c->t->counters, SS_C_TCP_RTO, 1);
	if (ss_tcp_is_syncing(c)) {
		rexmt_syn(c);
		return;
	}
	if (c->t->now >= give_up_at(c)) {
		ss_tcp_send_rst(c);
		ss_tcp_conn_fail(c, SS_DROP_TCP_TIMEOUT);
		return;
	}
	ss_tcp_recover_timeout(c);
	if (c->backoff < 255)
		c->backoff++;
	ss_tcp_conn_dirty(c);
}

static void persist_due(struct ss_tcp_conn *c)
{
	uint32_t wnd = c->snd_una + c->snd_wnd - c->snd_nxt;

	/* A peer that answers probes may keep its window shut for ever (RFC 9293 3.8.6.1 MUST-35), but not
	 * when the room above has left. */
	if (c->t->now >= give_up_at(c)) {
		ss_tcp_send_rst(c);
		ss_tcp_conn_fail(c, SS_DROP_TCP_TIMEOUT);
		return;
	}
	if (c->persist_backoff < 255)
		c->persist_backoff++;
	if ((int32_t)wnd > 0) {
		c->force = true; /* the override timeout of 3.8.6.2.1 */
		ss_tcp_conn_dirty(c);
		return;
	}
	/* One byte of new data, not booked as sent: the answer says whether it was taken. */
	if (c->snd.len && c->snd_nxt == c->snd_base && ss_tcp_send_bytes(c, c->snd_nxt, 1, SS_TCP_ACK) &&
	    c->snd_max == c->snd_nxt)
		c->snd_max++;
	ss_tcp_timer_persist(c);
}

static void delack_due(struct ss_tcp_conn *c)
{
	c->acks_owed = (uint8_t)ss_max_u32(c->acks_owed, 1);
	ss_tcp_conn_dirty(c);
}

static void life_due(struct ss_tcp_conn *c)
{
	/* An active open that was never answered, or FIN-WAIT-2 with nobody left to wait. */
	ss_tcp_conn_fail(c, ss_tcp_is_syncing(c) ? SS_DROP_TCP_TIMEOUT : SS_DROP_NONE);
}

static void (*const due_now[SS_TCP_TIMERS])(struct ss_tcp_conn *) = {
	[SS_TCP_T_REXMT] = rexmt_due,
	[SS_TCP_T_PERSIST] = persist_due,
	[SS_TCP_T_DELACK] = delack_due,
	[SS_TCP_T_LIFE] = life_due,
};

static void conn_due(struct ss_tcp_conn *c, uint64_t now)
{
	uint64_t next = SS_NEVER;

	for (int k = 0; k < SS_TCP_TIMERS && c->state != SS_TCP_CLOSED; k++) {
		if (c->due[k] > now)
			continue;
		c->due[k] = SS_NEVER;
		due_now[k](c);
	}
	if (c->state == SS_TCP_CLOSED)
		return;
	for (int k = 0; k < SS_TCP_TIMERS; k++)
		next = ss_min_u64(next, c->due[k]);
	if (next != SS_NEVER && (!ss_timer_armed(&c->timer) || next < c->timer.deadline))
		ss_wheel_arm(&c->t->wheel, &c->timer, next);
}

void ss_tcp_expire(struct ss_tcp *t, uint64_t now, struct ss_list *news)
{
	struct ss_list due, *n;

	t->now = now;
	t->news = news;
	ss_list_init(&due);
	ss_wheel_expire(&t->wheel, now, &due);
	while ((n = ss_list_pop(&due))) {
		struct ss_timer *timer = ss_list_entry(n, struct ss_timer, node);
		conn_due(ss_container_of(timer, struct ss_tcp_conn, timer), now);
	}
	ss_tcp_tw_expire(t, now);
	t->news = NULL;
}

uint64_t ss_tcp_next(const struct ss_tcp *t)
{
	if (!ss_list_empty(&t->dirty))
		return t->now;
	uint64_t next = ss_wheel_next(&t->wheel);
	if (!ss_list_empty(&t->tw))
		next = ss_min_u64(next, ss_list_entry(t->tw.next, struct ss_tcp_tw, link)->deadline);
	return next;
}
