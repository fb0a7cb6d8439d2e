/*
 * admin_int.h - a question under way, and the answers that can be given at once.
 */
#ifndef SS_ADMIN_INT_H
#define SS_ADMIN_INT_H

#include "admin/admin.h"
#include "base/list.h"
#include "model/json.h"
#include "telemetry/tele_view.h"
#include "why/why.h"

/* One worker's time, as it stood when it was sampled. */
struct ss_admin_sample {
	uint64_t busy_ns, idle_ns;
};

struct evconnlistener;
struct ss_admin {
	struct ss_admin_conf conf;
	char *socket;
	struct evconnlistener *listener;
	struct ss_list clients; /* struct client of admin.c */
	uint32_t n_clients, n_waiting;
	struct ss_why *why;
	uint64_t started_ns;    /* conf.clock */
	/* Busy shares are over the last full second: two samples, and the time of the newer one. */
	uint64_t sampled_ns;
	struct ss_admin_sample before[SS_MAX_WORKERS], last[SS_MAX_WORKERS];
};

/* admin_show.c: each writes members of the answer's object. */
void ss_admin_show_status(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_clusters(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_limits(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_secrets(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_pairs(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_config(struct ss_admin *a, struct ss_json *j);
void ss_admin_show_flows(struct ss_admin *a, struct ss_json *j);
/* admin_stats.c */
void ss_admin_show_stats(struct ss_admin *a, struct ss_json *j);
/* Samples every worker's time once a second. */
void ss_admin_sample(struct ss_admin *a, uint64_t now);
/* Share of the last sampled second that worker i was busy, 0 to 100. */
double ss_admin_busy(const struct ss_admin *a, uint32_t i);
/* admin_stages.c */
void ss_admin_show_stages(struct ss_admin *a, struct ss_json *j);

/* admin_why.c: the answer to a question (line may be NULL, and is taken apart), or why there is none. */
char *ss_admin_why(struct ss_admin *a, char *line, bool *ok);
/* The same of "config=FILE". */
char *ss_admin_diff(struct ss_admin *a, char *line, bool *ok);
/* Every error, and the one sentence (NULL: none), as an answer. */
char *ss_admin_refusal(const struct ss_model_errors *e, const char *why);

/* admin_past.c: the answer about ask->request. m and s: what it is explained by. */
char *ss_admin_past(struct ss_admin *a, const struct ss_why_ask *ask, const struct ss_model *m, const struct ss_snapshot *s,
		    bool *ok);

/* admin_view.c: begins to look ("top" or "tap" with its words); NULL, or why not. */
const char *ss_admin_look(struct ss_admin *a, bool top, char *line, struct ss_tele_view **out);

/* admin_apply.c: what became of "config=FILE" or "number=N", and perhaps "dry_run=yes". */
struct ss_admin_install {
	bool ok;
	char *text;          /* the answer, the caller's */
	uint64_t generation; /* to wait for before it is given; 0: none */
};
void ss_admin_install(struct ss_admin *a, char *line, const char *by, struct ss_admin_install *out);
void ss_admin_show_history(struct ss_admin *a, struct ss_json *j);
/* admin_canary.c: in whose name. */
char *ss_admin_canary(struct ss_admin *a, char *words, const char *by, bool *ok);

#endif
