/*
 * outlier.h - endpoints that fail more than the others of their cluster, over windows.
 *
 * Takes:   requests and failures of every endpoint, which workers count in the endpoint table.
 * Gives:   ejections, under the same caps as the workers'; each one told with its numbers.
 * Owns:    what it has seen of each endpoint at the end of the last window.
 * Thread:  control; the table's words are atomics.
 * Time:    nanoseconds of ss_clock, passed in. A window is the cluster's outlier interval; clusters' windows end at
 *          different moments.
 *
 * Failures in a row are the workers' business: they must act before the next request. A share of failures is
 * only known after a while, and comparing endpoints means looking at all of them: nothing for a turn.
 */
#ifndef SS_OUTLIER_H
#define SS_OUTLIER_H

#include "contract/endpoints.h"
#include "contract/events.h"
#include "contract/snapshot.h"

struct ss_outlier;

struct ss_outlier_room {
	struct ss_ep_table *endpoints;
	uint64_t seed;
	/* Told of each ejection; ev is good for the call. May be NULL. */
	void (*tell)(void *arg, const struct ss_event *ev);
	void *arg;
};

int ss_outlier_create(struct ss_outlier **out, const struct ss_outlier_room *conf);
void ss_outlier_free(struct ss_outlier *o);
/* Ends the windows that are due. Cheap when none is. */
void ss_outlier_poll(struct ss_outlier *o, const struct ss_snapshot *snap, uint64_t now);
/* When some window ends next. */
uint64_t ss_outlier_next(const struct ss_outlier *o);

#endif
