/*
 * world_sim.h - for tests: a model that a test writes down, built as the product builds it, with one listener
 * for all of its virtual hosts.
 */
#ifndef SS_WORLD_SIM_H
#define SS_WORLD_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build/build.h"
#include "contract/names.h"
#include "route/route.h"

#define WORLD_HOSTS 64

struct world {
	struct ss_model *m;
	struct ss_model_listener *listener;
	struct ss_model_errors errors;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_build *build;
	struct ss_snapshot *snap; /* NULL: not built */
	struct ss_listener l;     /* a copy of the snapshot's only one, to change */
};

/* A model with the cluster "c" and no host. One world at a time owns what array and text make. */
void world_start(struct world *w);
/* Again as often as the model changes; what was built before goes. */
int world_build(struct world *w);
void world_end(struct world *w);

void *world_array(size_t n, size_t size);
char *world_text(const char *s);
char *world_text_n(const char *s, size_t n);
/* "a,b,c" */
struct ss_model_texts world_texts(const char *list);
/* "any", "domain:D", "~EXPRESSION", "*SUFFIX", "PREFIX*" (whole segments), or the identity itself. */
struct ss_model_id world_id(const char *one);
/* "GET,HEAD" */
uint16_t world_methods(const char *list);
/* A line of a case file, without its end and what stands before its first word. */
char *world_line(char *line);

struct ss_model_host *world_host(struct world *w, const char *name);
/* One that goes to the cluster "c". It moves when another one comes. */
struct ss_model_route *world_route(struct ss_model_host *h, const char *name, uint32_t line);

/* Does one of the errors say so? */
bool world_told(const struct world *w, const char *part);
const char *world_name(const struct world *w, uint32_t id);
/* Does the whole subject fit the expression, by the C library's word? */
bool world_fits(const char *pattern, const char *subject);
/* The first seed of random rounds: SEED in the environment, or `otherwise`. */
uint64_t world_seed(uint64_t otherwise);

#endif
