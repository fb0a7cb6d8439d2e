/*
 * proxy.h - where the two lines meet: a downstream stream joined to an upstream stream.
 *
 * Takes:   stream news from http, served waiters from upstream.
 * Gives:   requests to upstreams, responses to clients, one event record per exchange.
 * Owns:    exchanges. Body bytes move from one stream to the other by ownership.
 * Thread:  one worker.
 * Time:    nanoseconds, passed in.
 */
#ifndef SS_PROXY_H
#define SS_PROXY_H

#include "contract/events.h"
#include "http/http.h"
#include "route/route.h"
#include "upstream/upstream.h"

struct ss_proxy;

struct ss_proxy_conf {
	uint32_t max_exchanges;
	/* Copies of requests to mirrors: so many at once, and so many bytes of bodies in all of them. */
	uint32_t max_mirrors, mirror_bytes;
	uint32_t max_checks; /* requests that wait for an external authorizer at once */
	uint16_t worker;
	uint64_t seed;
	struct ss_http *http;
	struct ss_up *up;
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
	struct ss_event_ring *events;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits; /* NULL where no snapshot has rate limits */
};

int ss_proxy_create(struct ss_proxy **out, const struct ss_proxy_conf *conf, uint64_t now);
void ss_proxy_free(struct ss_proxy *p);
/*
 * Takes http's stream news and the waiters that ss_up_input and ss_up_expire served (both lists are
 * emptied). The fixed steps of an exchange, in order: route, authorize, direct response or pick, send
 * the head, pump both ways, log. `snap` is held for the call only.
 */
void ss_proxy_run(struct ss_proxy *p, const struct ss_snapshot *snap, struct ss_list *streams,
		  struct ss_list *ready, uint64_t now);
void ss_proxy_expire(struct ss_proxy *p, const struct ss_snapshot *snap, uint64_t now);
uint64_t ss_proxy_next(const struct ss_proxy *p);
void ss_proxy_bury(struct ss_proxy *p);
/* A new generation: what is under way and points into the old one gets copies, in the runs that follow. */
void ss_proxy_adopt(struct ss_proxy *p, uint64_t now);
/* Does nothing point into an older generation any more? Until then it must not be freed. */
bool ss_proxy_settled(const struct ss_proxy *p);
/* Mirrors among them. */
/* Requests of the lowest n ranks (low, default, high: RFC 9218's urgency) are refused as they come. */
void ss_proxy_shed(struct ss_proxy *p, uint32_t n);
uint32_t ss_proxy_exchanges(const struct ss_proxy *p);

#endif
