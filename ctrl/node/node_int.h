/*
 * node_int.h - the parts of a node, seen only inside this room.
 *
 * node.c makes, serves and ends it; node_poll.c answers signals, workers and the clock; node_ask.c lets
 * the operator's socket and the metrics see what they cannot reach; node_check.c compiles and nothing more;
 * node_canary.c compares shares of splits; node_disco.c lets endpoints be discovered, node_engine.c has the engine, node_outlier.c looks for endpoints that stand out, node_tickets.c the keys of session tickets, node_watch.c other files in place of secrets'.
 */
#ifndef SS_NODE_INT_H
#define SS_NODE_INT_H

#include <sys/stat.h>

#include "admin/admin.h"
#include "apply/apply.h"
#include "base/err.h"
#include "build/build.h"
#include "discovery/discovery.h"
#include "canary/canary.h"
#include "contract/tickets.h"
#include "engine/engine.h"
#include "history/history.h"
#include "loop/log.h"
#include "loop/loop.h"
#include "node/node.h"
#include "outlier/outlier.h"
#include "publish/publish.h"
#include "state/state.h"
#include "start/fleet.h"
#include "telemetry/tele.h"

/* The whole process, in the order in which its parts are made. */
struct ss_node {
	struct ss_loop *loop;
	struct ss_clock clock;
	struct ss_snapshot_box box;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits;
	struct ss_canary_table *canaries;
	struct ss_policies *policies;
	struct ss_wall wall;
	struct ss_state *state;         /* NULL: nothing is kept */
	struct ss_history *history;     /* NULL: the same */
	struct ss_build *build;
	struct ss_outlier *outlier;
	struct ss_disco *disco;
	struct ss_canary_room *canary;
	struct ss_engine *engine;       /* NULL: none is configured */
	struct ss_ticket_ring *tickets; /* NULL: none are given */
	struct stat ticket_file;        /* as it was read last */
	struct ss_fleet *fleet;
	struct ss_publish *publish;
	struct ss_apply *apply;
	struct ss_watch *watch;         /* of secrets' files; NULL: not served yet */
	struct ss_loop_event *quiet;    /* until what is no good is judged; NULL: nothing is */
	char watched[17];               /* hash of the model whose files these are */
	struct ss_admin *admin;
	int admin_fd; /* claimed, and not yet admin's; -1: none */
	struct ss_tele *tele;
	bool draining;
	uint32_t drained; /* workers that said so */
	uint64_t drain_deadline;
	uint64_t steered; /* generation whose listeners the ports have rules for */
};

/* node_check.c: what compiling a model needs. */
int ss_node_make_build(struct ss_node *n, const struct ss_model_process *p);
void ss_node_free_build(struct ss_node *n);

/* node_disco.c: before the first model is applied. */
int ss_node_make_disco(struct ss_node *n, const struct ss_model_process *p);
bool ss_node_ask_discovery(void *arg, uint32_t i, struct ss_discovery_state *out);

/* node_engine.c: before what compiles; and, now and then, whether it has to go. */
int ss_node_make_engine(struct ss_node *n, const struct ss_model_process *p, char *err, size_t err_n);
void ss_node_watch_engine(struct ss_node *n);

/* node_tickets.c: the first keys, refused with err; and those that follow. */
int ss_node_make_tickets(struct ss_node *n, const struct ss_model_process *p, char *err, size_t err_n);
int ss_node_watch_tickets(struct ss_node *n, const struct ss_model_process *p);

/* node_outlier.c: before telemetry; and, now and then, whether a window has ended. */
int ss_node_make_outlier(struct ss_node *n);
void ss_node_watch_outliers(struct ss_node *n);

/* node_canary.c: before admin; then the weights that the state file has, before workers run; then now and then. */
int ss_node_make_canary(struct ss_node *n);
void ss_node_watch_canaries(struct ss_node *n);

/* node_watch.c: begins to watch; and looks whether the model has changed meanwhile. */
int ss_node_watch_secrets(struct ss_node *n);
void ss_node_watch_model(struct ss_node *n);

/* node_ask.c */
int ss_node_make_admin(struct ss_node *n);
int ss_node_make_telemetry(struct ss_node *n, char *err, size_t err_n);

/* node_poll.c; arg is the node. */
bool ss_node_drain(void *arg);
void ss_node_tell_time(struct ss_node *n);
void ss_node_on_end(void *arg);
void ss_node_on_reload(void *arg);
void ss_node_on_poll(void *arg);
/* Logs every error under one message, and empties the list. */
void ss_node_log_errors(const char *msg, struct ss_model_errors *e);

#endif
