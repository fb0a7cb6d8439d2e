/*
 * route_dice.h - for tests: random routes, and random requests that some of them fit.
 */
#ifndef SS_ROUTE_DICE_H
#define SS_ROUTE_DICE_H

#include "ctrl/route_sim.h"

#include "base/rng.h"

#define DICE_TEXTS 10u /* paths to choose among */

struct dice_asked {
	struct ss_hdrs h;
	struct ss_hdr v[8];
	char path[60], target[160], query[80], cookies[80];
	struct asker who;
};

/* few: how many of the paths are used; one or two make long lists. */
void dice_route(struct ss_rng *r, struct ss_model_host *h, uint32_t i, uint32_t few);
void dice_request(struct ss_rng *r, struct dice_asked *q);

#endif
