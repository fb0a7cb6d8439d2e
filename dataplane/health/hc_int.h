/*
 * hc_int.h - a probe, and what the files of this room do for each other.
 *
 * health.c is the door and walks generations; hc_probe.c takes a probe from its beginning to an answer, or none;
 * hc_answer.c says what an answer means; hc_judge.c counts, marks the endpoint, and says when the next one begins.
 */
#ifndef SS_HC_INT_H
#define SS_HC_INT_H

#include "base/rng.h"
#include "buf/buf.h"
#include "contract/counters.h"
#include "health/health.h"
#include "timer/wheel.h"

/* Probes are begun together by this much, so that a worker that sleeps is not woken for each. */
#define HC_TICK_NS (25 * SS_NS_PER_MS)
/* The first probes of a generation: one in this time, of a cluster. */
#define HC_FIRST_NS (250 * SS_NS_PER_US)
/* More of an answer than this is not waited for: it is judged by what is there. */
#define HC_BODY_MAX 65536u

enum hc_state {
	HC_NOBODY = 0, /* no endpoint has this slot, or none that is probed */
	HC_RESTS,      /* until its timer */
	HC_CONNECTS,
	HC_ASKS,       /* a request is out */
};

struct hc_probe {
	struct ss_timer timer; /* when it begins; when it is late */
	struct ss_http_conn *conn;
	struct ss_http_stream *stream;
	struct ss_bufq body;   /* of the answer, what is looked at */
	struct ss_addr addr;
	uint64_t began, last;  /* this probe, or the last one */
	uint64_t tls_hash;     /* of the connection */
	uint32_t slot, cluster; /* of the endpoint table; name id */
	uint32_t good, bad;    /* in a row */
	uint32_t bytes;        /* of the body so far */
	uint8_t state;         /* enum hc_state */
	uint8_t kind, protocol; /* of the connection */
	bool fresh;            /* its connection was opened for this very probe */
	bool has_head;         /* of the answer */
	bool judged;           /* some probe has had a result */
};

/* What a probe came to. */
struct hc_result {
	enum ss_health_why why;
	uint32_t status; /* of HTTP or gRPC, or the serving status */
	bool degraded;
};

struct ss_health {
	struct ss_health_room conf;
	uint32_t n_probes, n_used, n_conns;
	uint32_t top; /* no probe from here on was ever used */
	struct hc_probe *probes; /* of slots conf.worker, conf.worker + n_workers, ... */
	struct ss_wheel wheel;
	struct ss_list due;  /* hc_probe.timer.node: their time has come */
	struct ss_rng rng;
	uint64_t generation;
	bool stopped;
	/* The walk through a new generation or edition: clusters and their endpoints, then those whom it does not have. */
	bool walks, leaves;
	bool whole;      /* all clusters; else those whose endpoints have changed after the edition `after` */
	bool once_more;  /* another edition came meanwhile */
	uint64_t after, upto; /* upto: the edition when the walk began */
	uint32_t at_cluster, at;
};

/* The endpoint, where this generation probes it; else NULL. */
const struct ss_endpoint *hc_endpoint(const struct hc_probe *p, const struct ss_snapshot *snap,
				      const struct ss_cluster **c);
/* It is not probed any more: its health plays no role, whatever it was. */
void hc_leave(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap);

/* hc_probe.c */
void hc_begin(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap, uint64_t now);
void hc_timer(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap, uint64_t now);
void hc_conn_news(struct ss_health *h, struct ss_http_conn *c, const struct ss_snapshot *snap, uint64_t now);
void hc_stream_news(struct ss_health *h, struct ss_http_stream *s, const struct ss_snapshot *snap, uint64_t now);
/* Gives up what is under way; the connection goes. */
void hc_give_up(struct ss_health *h, struct hc_probe *p);

/* hc_answer.c: what the whole answer on p->stream means. */
struct hc_result hc_answer(const struct hc_probe *p, const struct ss_health_conf *conf);

/* hc_judge.c */
void hc_judge(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct hc_result *r,
	      uint64_t now);
/* Arms the timer of one that rests. `after`: the interval in force. */
void hc_rest(struct ss_health *h, struct hc_probe *p, uint64_t after, const struct ss_health_conf *conf, uint64_t now);
/* When a probe of this slot begins next that began last at `began`: at its phase of the interval. */
uint64_t hc_next_at(uint64_t seed, uint32_t slot, uint64_t interval, uint64_t began, uint64_t now);

#endif
