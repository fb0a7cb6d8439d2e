/*
 * health.h - endpoints are asked whether they are well, and what they say goes into the endpoint table.
 *
 * Takes:   clusters with a health check (contract/probes.h); news of the connections that were set aside for it.
 * Gives:   the flags of each endpoint (enum ss_ep_flag), for all workers at once; a record of each change.
 * Owns:    a probe for every endpoint of this worker's share, with a connection of its own that lives from one
 *          probe to the next.
 * Thread:  one worker. An endpoint is probed by the worker its slot falls to, and by no other.
 * Time:    nanoseconds, passed in. Endpoints stand at phases of their own in the interval, with jitter.
 *
 * Of what is due at most SS_HEALTH_BATCH probes begin in a turn, and a new generation is looked at in slices:
 * no turn takes long, however many endpoints there are.
 */
#ifndef SS_HEALTH_H
#define SS_HEALTH_H

#include "contract/endpoints.h"
#include "contract/events.h"
#include "http/http.h"

/* Probes that begin in one turn; endpoints of a new generation that are looked at in one. */
#define SS_HEALTH_BATCH 8u
#define SS_HEALTH_SLICE 128u

struct ss_health;

struct ss_health_room {
	uint32_t max_conns; /* kept open between probes; beyond, each probe opens one */
	uint16_t worker, n_workers;
	uint64_t seed;
	struct ss_http *http;
	struct ss_bufpool *bufs;
	struct ss_ep_table *endpoints;
	struct ss_counters *counters;
	struct ss_event_ring *events; /* NULL: changes are not recorded */
};

int ss_health_create(struct ss_health **out, const struct ss_health_room *conf, uint64_t now);
void ss_health_free(struct ss_health *h);
/* A new generation or edition: endpoints that are gone are left, new ones begin, in the runs that follow. */
void ss_health_adopt(struct ss_health *h, const struct ss_snapshot *snap);
/* Takes the news set aside, and begins what is due. `snap` is held for the call only. */
void ss_health_run(struct ss_health *h, const struct ss_snapshot *snap, struct ss_http_news *news, uint64_t now);
uint64_t ss_health_next(const struct ss_health *h);
/* No more probes: what is under way is given up, connections are closed. For drain and stop; harmless twice. */
void ss_health_stop(struct ss_health *h);
/* Endpoints that are probed here; connections held. */
uint32_t ss_health_endpoints(const struct ss_health *h);
uint32_t ss_health_conns(const struct ss_health *h);

#endif
