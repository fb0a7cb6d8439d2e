/*
 * up_int.h - pools and balancing state, shared by the files of this room.
 *
 * up_pick.c chooses an endpoint, with those that up_choice_int.h names; up_pool.c keeps connections and lines,
 * up_outlier.c hears how requests ended, upstream.c is the door.
 */
#ifndef SS_UP_INT_H
#define SS_UP_INT_H

#include "base/rng.h"
#include "mem/pool.h"
#include "upstream/upstream.h"

enum up_conn_state { UP_CONNECTING = 0, UP_OPEN, UP_CLOSING };

struct up_conn {
	struct ss_list all;    /* pool->conns, then up->dead */
	struct ss_list usable; /* pool->usable while it may have a free slot */
	struct up_pool *pool;
	struct ss_http_conn *http;
	uint8_t state;     /* enum up_conn_state */
	bool counted;      /* among its cluster's connections */
	uint8_t priority;  /* of the request that it was opened for */
	uint32_t promised; /* slots given to waiters that have not used them yet */
};

/* One endpoint of one cluster: the slot in the endpoint table says which. */
struct up_pool {
	struct ss_list conns, usable;
	struct ss_list line;   /* ss_up_wait.node, oldest first */
	struct ss_list live;   /* up->live while it has connections or waiters */
	struct ss_list hungry; /* up->hungry: its line may need another connection */
	struct ss_list again;  /* up->again: a slot came back without news */
	struct ss_addr addr;
	uint32_t cluster, slot; /* name id, place of struct up_cluster */
	uint64_t generation;    /* snapshot by which it was looked at last; 0: never used */
	uint64_t tls_hash;
	uint8_t protocol;
	uint8_t version; /* of HTTP, as seen last: 0 not known */
	uint32_t n_line, n_connecting, n_conns;
	/* What balancing knows of it (up_sight.c, up_ewma.c). */
	bool down;       /* when it was looked at last */
	uint64_t since;  /* it is up; 0: not looked at */
	uint64_t rtt_at; /* of the last observation; 0: none */
	double rtt_ns;   /* peak EWMA */
};

struct up_cluster {
	uint32_t name;
	uint32_t cursor; /* picks so far */
	/* A large cluster's endpoints are looked at by and by (up_sight.c). */
	uint32_t scan_at, scan_left; /* the next one, how many are left */
	uint64_t scanned;            /* when the last ones were looked at: once in a turn */
	uint64_t scan_due;           /* when some of those looked at want another look */
	bool stale;                  /* a pick has found one down that the lists have */
	/* up_delay.c, where the cluster has a watermark. */
	uint64_t standing, least; /* wait that nobody escaped: in the last while, and in this one so far */
	uint64_t look_at;         /* the end of this one */
};

struct ss_up {
	struct ss_up_conf conf;
	uint64_t generation, edition;
	bool draining;
	uint32_t n_line;
	struct ss_pool *conns;
	struct up_pool *pools;       /* by endpoint slot */
	struct up_cluster *clusters; /* by cluster slot */
	struct ss_list live, hungry, again, dead;
	struct ss_rng rng;   /* what is left to chance */
	struct ss_list late; /* waiters that failed during a call down; on `ready` next time */
};

/* up_pick.c: index into c->endpoints, or UINT32_MAX and why. */
uint32_t up_pick(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now,
		 enum ss_drop *why);
/* What was picked is taken, and let go. */
void up_pick_begin(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w);
void up_pick_end(struct ss_up *u, struct ss_up_wait *w);
/* The pool is another endpoint's now: nothing is known of it. */
void up_pick_forget(struct up_pool *p);
/* Requests under way in a tier of a cluster, of all workers; counted where balancing has a bound. */
_Atomic uint32_t *up_load_of(struct ss_up *u, uint32_t slot, uint32_t tier);
/* up_ewma.c: an endpoint answered after so long, or failed. c: NULL when it is gone. */
void up_pick_latency(struct ss_up *u, const struct ss_cluster *c, uint32_t ep, uint64_t ns, uint64_t now);
void up_pick_failed(struct ss_up *u, const struct ss_cluster *c, uint32_t ep, uint64_t now);
/* The cluster's balancing state; made new where its slot was another cluster's. */
struct up_cluster *up_cluster_of(struct ss_up *u, const struct ss_cluster *c);

/* up_delay.c: a request of w's rank would have to stand in p's line. May it? */
bool up_delay_admits(struct ss_up *u, const struct ss_cluster *c, const struct up_pool *p, const struct ss_up_wait *w,
		     uint64_t now);
/* Somebody got a connection after so long. */
void up_delay_seen(struct up_cluster *k, uint64_t ns, uint64_t now);

/* up_pool.c */
struct up_pool *up_pool_of(struct ss_up *u, const struct ss_cluster *c, const struct ss_endpoint *e);
void up_pool_retire(struct ss_up *u, struct up_pool *p);
struct up_conn *up_pool_free_slot(struct up_pool *p);
void up_pool_serve(struct ss_up *u, struct up_pool *p, uint64_t now, struct ss_list *ready);
void up_pool_settle(struct up_pool *p);
void up_conn_news(struct ss_up *u, struct up_conn *c, uint32_t events, uint64_t now, struct ss_list *ready);
void up_conn_retire(struct ss_up *u, struct up_conn *c);
/* Takes w out of its pool's line. */
void up_line_leave(struct ss_up *u, struct ss_up_wait *w);
/* A promised slot is free again. */
void up_unpromise(struct ss_up *u, struct ss_up_wait *w);

#endif
