/*
 * why.h - what would become of a request, and which line of the configuration says so.
 *
 * Takes:   a snapshot with the model that it was built from; a request in words.
 * Gives:   the decision with everything that took part in it, as members of a JSON object (docs/why.md).
 * Owns:    the place of the control thread among those who decide: a cache of tokens, an arena.
 * Thread:  control.
 * Errors:  SS_ERR_CONFIG with a sentence for a question that cannot be asked.
 *
 * It decides with the functions that the workers decide with (dataplane/route, dataplane/jwt), which are pure: what it
 * says cannot differ from what they do. Where the file says so is in the model alone; no worker carries it.
 */
#ifndef SS_WHY_H
#define SS_WHY_H

#include "base/clock.h"
#include "contract/names.h"
#include "contract/snapshot.h"
#include "model/json.h"
#include "model/model.h"

#define SS_WHY_HEADERS 64u

/* What stands between the words of a question: no field value may have it. */
#define SS_WHY_SEP '\x1f'

/* A request in words; all borrowed. What is not said is NULL. */
struct ss_why_ask {
	const char *listener, *method, *authority, *path;
	const char *identity; /* that the peer's certificate would have */
	const char *source;   /* the peer's address */
	const char *sni;
	const char *config;   /* a file in place of what is in force */
	const char *request;  /* the id of one that has happened, in place of all others */
	uint32_t n_headers;
	const char *headers[SS_WHY_HEADERS]; /* "name: value" */
};

struct ss_why;

struct ss_why_conf {
	struct ss_names *names;        /* borrowed, as all of these */
	struct ss_ep_table *endpoints;
	const struct ss_clock *clock;
	uint32_t n_workers;
};

/* What is decided, for who compares it with what has happened. */
struct ss_why_verdict {
	uint8_t end;     /* enum ss_route_end */
	uint16_t status; /* of an answer that we make; 0: an endpoint's */
	uint32_t host, route, cluster; /* name ids; cluster 0: none, or drawn */
};

int ss_why_create(struct ss_why **out, const struct ss_why_conf *conf);
void ss_why_free(struct ss_why *w);

/* "listener=L", "method=GET", "header=name: value" and so on, with SS_WHY_SEP between them; takes line apart. */
int ss_why_read(struct ss_why_ask *ask, char *line, char *err, size_t err_n);
/* verdict may be NULL. */
int ss_why_explain(struct ss_why *w, const struct ss_snapshot *s, const struct ss_model *m, const struct ss_why_ask *ask,
		   struct ss_json *j, struct ss_why_verdict *verdict, char *err, size_t err_n);

struct ss_event;
/* Who decided about a request that has happened, by its record: "decided", a member of the object that j is in. m: the model
 * that it was decided by, for file and line; NULL: that is not in force any more, and names are all that is known. */
void ss_why_past(const struct ss_why *w, const struct ss_model *m, const struct ss_event *ev, struct ss_json *j);

#endif
