/*
 * admin.h - the operator's Unix socket: one command line in, an answer out, then close.
 *
 * Takes:   command lines from sidestepctl; what main gives it to look at.
 * Gives:   text or JSON; reload and drain on request.
 * Owns:    the listening socket (mode 0600) and the connections that wait for an answer.
 * Thread:  control. Never blocks on a client: slow readers are dropped at a bound.
 * Errors:  the first line of an answer is "ok" or "error"; every refusal says why.
 *
 * Commands: status, stats, stages, clusters, limits, secrets, config, flows, pairs, reload, drain, why, diff,
 * apply, rollback, history, canary, top, tap. The last two are answered by "ok" and a line of JSON each time something is to be told, until
 * the client goes; what a slow one does not take is left out and counted. What follows the first line is
 * one JSON object; that of an error is {"errors": [...]}. A command's words (ctrl/why has why's) follow it with a byte 0x1f
 * before each.
 */
#ifndef SS_ADMIN_H
#define SS_ADMIN_H

#include "apply/apply.h"
#include "canary/canary.h"
#include "base/clock.h"
#include "contract/counters.h"
#include "contract/endpoints.h"
#include "contract/names.h"
#include "model/model_discovery.h"
#include "model/secret_state.h"
#include "telemetry/tele.h"

struct event_base;
struct ss_admin;

/* A port as an operator sees it; filled by main, which may look into dataplane/port. */
struct ss_admin_port {
	const char *name, *device;
	char driver[32];
	uint8_t mac[6];
	uint16_t mtu, queues;
	bool link_up, tx_ip_csum, tx_tcp_csum, rx_csum, multi_segs, rss;
	uint32_t pool_size, pool_held;
};

/* Requests of one source to one cluster, that came in plaintext, over TLS, over mutual TLS. */
struct ss_admin_pair {
	const char *source;
	uint32_t cluster; /* name id */
	uint64_t requests[3];
};

/* What the admin socket cannot reach by itself. Every function may be NULL: the answer says so. */
struct ss_admin_ask {
	/* Fills up to n entries; returns how many ports there are. */
	uint32_t (*ports)(void *arg, struct ss_admin_port *out, uint32_t n);
	/* Writes one line per rule, or the driver's message, to out (n bytes); of port i. */
	void (*flows)(void *arg, uint32_t port, char *out, size_t n);
	/* Starts the drain; the process ends when it is over. False: one is running already. */
	bool (*drain)(void *arg);
	/* How the i-th secret or trust stands; false: there are not so many. */
	bool (*secret)(void *arg, uint32_t i, struct ss_secret_state *out);
	/* The i-th source and cluster; false: there are not so many. */
	bool (*pair)(void *arg, uint32_t i, struct ss_admin_pair *out);
	/* How the i-th cluster's discovery stands; false: there are not so many. */
	bool (*discovery)(void *arg, uint32_t i, struct ss_discovery_state *out);
	void *arg;
};

struct ss_admin_conf {
	const char *socket;
	int fd; /* what ss_admin_claim gave for it; taken */
	struct event_base *base;
	struct ss_apply *apply;
	struct ss_publish *publish;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits;
	struct ss_tele *tele; /* what has just happened, and happens; NULL: nobody knows */
	struct ss_canary_room *canary; /* NULL: there are none */
	uint32_t n_workers;
	struct ss_counters *const *counters; /* one per worker */
	const struct ss_clock *clock;        /* the workers', for ejected_until */
	struct ss_admin_ask ask;
};

/*
 * Binds the socket, or says who has it: a stale file is replaced, a live one refused. The first thing a
 * process does, before it opens ports: a second process on the same configuration must not take the
 * devices away from the first. Clients wait until ss_admin_create. A descriptor, or SS_ERR_CONFIG and a
 * sentence in err (err_n bytes).
 */
int ss_admin_claim(const char *socket, char *err, size_t err_n);
/* Gives up a claim that no ss_admin_create took. */
void ss_admin_abandon(const char *socket, int fd);

/* Takes conf->fd on success. SS_ERR_NO_MEM. */
int ss_admin_create(struct ss_admin **out, const struct ss_admin_conf *conf);
void ss_admin_free(struct ss_admin *a);
/* Call often (every loop turn or few ms while a reload waits): answers waiters whose generation all
 * workers have adopted. True while somebody waits. */
bool ss_admin_poll(struct ss_admin *a);

#endif
