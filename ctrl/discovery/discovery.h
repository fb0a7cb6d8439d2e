/*
 * discovery.h - endpoints that are not listed in the configuration: what a file or the DNS says they are.
 *
 * Takes:   models whose clusters say where their endpoints come from; the loop.
 * Gives:   the last good answer of each, and word when one has changed.
 * Owns:    every answer that it has lent; watches, timers, queries.
 * Thread:  control. Reads files, and never waits for the network.
 * Time:    nanoseconds of ss_clock. Changes are gathered: at most one round of answers each SS_DISCO_PACE_NS.
 * Errors:  an answer that is no good is refused whole; the last good one stays, and ss_disco_state says so and why.
 */
#ifndef SS_DISCOVERY_H
#define SS_DISCOVERY_H

#include "base/clock.h"
#include "loop/loop.h"
#include "model/model.h"

#define SS_DISCO_PACE_NS (20 * SS_NS_PER_MS)

struct ss_disco;

struct ss_disco_conf {
	struct ss_loop *loop;
	const struct ss_clock *clock;
	uint32_t max_endpoints; /* of one cluster: what the endpoint table has place for */
	void (*changed)(void *arg); /* there are offers: ss_disco_offer. NULL: nothing will be followed, and nothing is logged */
	void *arg;
};

int ss_disco_create(struct ss_disco **out, const struct ss_disco_conf *conf);
void ss_disco_free(struct ss_disco *d);

/*
 * Puts the answers in force into m's discovered clusters. A file that nobody follows yet is read at once; where there is
 * no good answer the cluster stays empty. What is lent is good until m is let go of, or until ss_disco_follow takes
 * another model. SS_ERR_NO_MEM: m is as before.
 */
int ss_disco_lend(struct ss_disco *d, struct ss_model *m);
/*
 * What is wrong with the files of m, to which answers were lent: a line for each fault of a file, with its line and key (bad);
 * a line for each file that is not there (absent). What m's clusters have now is what they would have.
 */
void ss_disco_faults(const struct ss_disco *d, const struct ss_model *m, struct ss_model_errors *bad,
		     struct ss_model_errors *absent);
/* m, to which answers were lent, is in force: its sources are followed from now on, and no others. */
void ss_disco_follow(struct ss_disco *d, const struct ss_model *m);

/* Another answer for a cluster of the model that is followed. */
struct ss_disco_offer {
	uint32_t at; /* index of the cluster */
	uint32_t n;
	struct ss_model_endpoint *endpoints;
	void *source;
};
/* False: there is none. Else it waits for ss_disco_settle before the next is given. */
bool ss_disco_offer(struct ss_disco *d, const struct ss_model *m, struct ss_disco_offer *out);
/* It is in force: what was lent before is freed. Or refused: why it cannot be used. */
void ss_disco_settle(struct ss_disco *d, const struct ss_disco_offer *o, const char *refused);

/* How the i-th source that is followed stands; false: there are not so many. */
bool ss_disco_state(const struct ss_disco *d, uint32_t i, struct ss_discovery_state *out);

#endif
