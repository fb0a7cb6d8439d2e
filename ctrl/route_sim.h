/*
 * route_sim.h - for tests: routes in the words of route_cases.txt, and requests that they are asked about.
 */
#ifndef SS_ROUTE_SIM_H
#define SS_ROUTE_SIM_H

#include "ctrl/world_sim.h"

/* Who asks, and where: what is not in the head. */
struct asker {
	struct ss_span id, sni;
	uint16_t port;
};

/* One with room for four of each match. */
struct ss_model_route *route_add(struct ss_model_host *h, const char *name, uint32_t line);
/* "NAME [WORD ARGUMENT]..."; changes the line. */
void route_read(struct ss_model_host *h, char *line, uint32_t no);
/* "NAME=KIND:VALUE" */
void route_header(struct ss_model_route *r, const char *spec, bool invert);

struct ss_route_decision route_ask(struct world *w, const struct ss_hdrs *h, const struct asker *who,
				   uint32_t draw);
/* Of nobody, at port 80. */
struct ss_route_decision route_decide(struct world *w, const struct ss_hdrs *h, uint32_t draw);

#endif
