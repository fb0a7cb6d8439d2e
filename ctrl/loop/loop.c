#include "loop/loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/list.h"

struct ss_loop {
	struct event_base *base;
	struct ss_list events;
};

struct ss_loop_event {
	struct ss_list node;
	struct event *ev;
	ss_loop_fn fn;
	void *arg;
};

int ss_loop_create(struct ss_loop **out)
{
	struct ss_loop *l = calloc(1, sizeof(*l));

	if (!l || !(l->base = event_base_new())) {
		free(l);
		return SS_ERR_NO_MEM;
	}
	ss_list_init(&l->events);
	*out = l;
	return 0;
}

void ss_loop_free(struct ss_loop *l)
{
	if (!l)
		return;
	while (!ss_list_empty(&l->events))
		ss_loop_end(ss_list_entry(l->events.next, struct ss_loop_event, node));
	event_base_free(l->base);
	free(l);
}

struct event_base *ss_loop_base(struct ss_loop *l)
{
	return l->base;
}

static void fire(evutil_socket_t fd, short what, void *arg)
{
	const struct ss_loop_event *e = arg;

	e->fn(e->arg);
}

static struct ss_loop_event *add(struct ss_loop *l, int fd, short what, const struct timeval *period,
				 ss_loop_fn fn, void *arg)
{
	struct ss_loop_event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->fn = fn;
	e->arg = arg;
	e->ev = event_new(l->base, fd, what | EV_PERSIST, fire, e);
	if (!e->ev || event_add(e->ev, period) < 0) {
		if (e->ev)
			event_free(e->ev);
		free(e);
		return NULL;
	}
	ss_list_push_back(&l->events, &e->node);
	return e;
}

struct ss_loop_event *ss_loop_watch(struct ss_loop *l, int fd, ss_loop_fn fn, void *arg)
{
	return add(l, fd, EV_READ, NULL, fn, arg);
}

struct ss_loop_event *ss_loop_every(struct ss_loop *l, uint64_t period_ns, ss_loop_fn fn, void *arg)
{
	uint64_t us = (period_ns + SS_NS_PER_US - 1) / SS_NS_PER_US;
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };

	return add(l, -1, 0, &tv, fn, arg);
}

struct ss_loop_event *ss_loop_signal(struct ss_loop *l, int signo, ss_loop_fn fn, void *arg)
{
	return add(l, signo, EV_SIGNAL, NULL, fn, arg);
}

void ss_loop_end(struct ss_loop_event *e)
{
	if (!e)
		return;
	ss_list_remove(&e->node);
	event_free(e->ev);
	free(e);
}

void ss_loop_run(struct ss_loop *l)
{
	event_base_dispatch(l->base);
}

void ss_loop_stop(struct ss_loop *l)
{
	event_base_loopbreak(l->base);
}
