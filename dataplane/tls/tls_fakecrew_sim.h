/*
 * tls_fakecrew_sim.h - a crew whose thread works when it is told to: between two turns, late, or never.
 *
 * Takes:   jobs, by the calls of crew.h.
 * Gives:   the same, run on another thread meanwhile, so that a job that touches what is the worker's shows.
 * Owns:    nothing; a job that never comes back is left to fake_crew_stop.
 * Thread:  the test's.
 */
#ifndef SS_TLS_FAKECREW_SIM_H
#define SS_TLS_FAKECREW_SIM_H

#include "crew/crew.h"

struct ss_crew *fake_crew_create(void);
/* The thread does all that was given, the newest first, unless it is stuck. NULL: nothing. */
void fake_crew_run(struct ss_crew *c);
/* Stuck: what it has, and what comes, stays there. */
void fake_crew_stick(struct ss_crew *c, bool stuck);
/* How many jobs it takes at once. */
void fake_crew_room(struct ss_crew *c, uint32_t n);
/* Jobs given and not done. */
uint32_t fake_crew_waiting(const struct ss_crew *c);
/* What it still has comes back undone. */
void fake_crew_stop(struct ss_crew *c);
void fake_crew_free(struct ss_crew *c);

#endif
