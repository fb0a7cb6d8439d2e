/*
 * disco_int.h - a source of endpoints, seen only inside this room.
 *
 * discovery.c keeps sources, lends their answers and gathers changes; disco_file.c reads files, disco_dns.c asks the DNS.
 */
#ifndef SS_DISCO_INT_H
#define SS_DISCO_INT_H

#include <sys/stat.h>

#include "discovery/discovery.h"
#include "watch/watch.h"

struct disco_source {
	struct disco_source *next;
	struct ss_disco *d;
	struct ss_model *own; /* memory of what follows: the cluster as its model had it */
	struct ss_model_cluster *cluster; /* its name, its discovery, and what endpoints must fit */
	bool followed, wanted;
	struct ss_model *good;  /* the answer in force; NULL: there was none */
	struct ss_model *fresh; /* one that waits to be offered */
	uint64_t due;           /* it is looked at in the round at this time; SS_NEVER: when there is news */
	uint64_t doubted_at;    /* since then nothing good was found: it may be half of a change; 0: all is well */
	struct stat seen;       /* file: as it was read last; zeroed: not yet */
	uint64_t answered_ns;   /* 0: never */
	char *failing;          /* NULL: the last look was good */
	uint64_t failing_since_ns;
	uint64_t updates, failures;
	struct disco_dns *dns;  /* NULL: nobody was asked */
};

struct ss_disco {
	struct ss_disco_conf conf;
	struct disco_source *sources;
	struct ss_watch *watch;
	struct ss_loop_event *timer; /* until the next round; NULL: none is due */
	uint64_t timer_at;
	uint64_t next_round;         /* none before */
};

/* discovery.c: the source that k has, as d knows it; or NULL. */
struct disco_source *disco_find(const struct ss_disco *d, const struct ss_model_cluster *k);
/* discovery.c: an answer, taken; good until the round offers it. Or why there is none: logged and counted. */
void disco_answer(struct disco_source *s, struct ss_model *answer, uint64_t now);
void disco_failed(struct disco_source *s, const char *why, uint64_t now);
/* It wants a look at that time, or soon after. */
void disco_want(struct disco_source *s, uint64_t at);

/* disco_file.c: reads it, if it may have changed. judge: what is no good is refused, and not doubted first. */
void disco_file_look(struct disco_source *s, bool judge, uint64_t now);
/* Could it be another file than what was read last? */
bool disco_file_changed(const struct disco_source *s);

/* disco_dns.c: asks, and answers later; harmless while it is under way. */
void disco_dns_look(struct disco_source *s, uint64_t now);
void disco_dns_free(struct disco_dns *q);

#endif
