/*
 * events.h - what a worker tells control about a finished exchange or a refused connection.
 *
 * Takes:   records from one worker.
 * Gives:   the same records, in order, to control, which formats and writes them.
 * Owns:    a single-producer single-consumer ring of fixed-size records.
 * Thread:  produce: the worker. consume: control. Never blocks; a full ring loses the newest
 *          record and the producer counts it (SS_C_EVENTS_LOST).
 */
#ifndef SS_EVENTS_H
#define SS_EVENTS_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/base.h"
#include "contract/drops.h"

enum ss_event_kind {
	SS_EVENT_REQUEST = 1, /* an exchange ended */
	SS_EVENT_REFUSED = 2, /* a connection was refused or broke; `drop` says why */
	SS_EVENT_EJECTED = 3, /* endpoint left rotation: ejection */
	SS_EVENT_BREAKER = 4, /* a cluster's breaker opened or closed: detail */
	SS_EVENT_HEALTH = 5,  /* an endpoint's health changed: watch */
	SS_EVENT_CANARY = 6,  /* a canary was judged, or told: canary */
};

/* What policies said. */
enum ss_event_authz {
	SS_EVENT_AUTHZ_NONE = 0, /* nobody asked them */
	SS_EVENT_AUTHZ_ALLOWED = 1,
	SS_EVENT_AUTHZ_DENIED = 2,
	SS_EVENT_AUTHZ_DRY_RUN_DENIED = 3, /* allowed; `rule` is the one that would deny */
};

#define SS_EVENT_TEXT 512

enum ss_event_watch_kind {
	SS_EVENT_WATCH_UNHEALTHY = 0, SS_EVENT_WATCH_HEALTHY, SS_EVENT_WATCH_DEGRADED, SS_EVENT_WATCH_NOT_DEGRADED,
	SS_EVENT_WATCH_UNEJECTED,
};

/* An ejection, as struct ss_ep_ejection; rates in hundredths of a percent. 0: plays no role. */
struct ss_event_ejection {
	uint8_t why;              /* enum ss_ep_eject */
	bool spared;              /* it stays: the enforcing percentage */
	uint32_t in_a_row, limit;
	uint32_t times;           /* ejections in a row */
	uint32_t ejected, of;     /* endpoints of the cluster that are ejected now, of all */
	uint32_t rate, mean, deviation, threshold; /* of good requests; threshold: of what was compared */
	uint64_t requests, failures; /* in the interval */
	uint64_t for_ns;
};

/* A decision about a canary and what it stands on: [0] is stable's, [1] the canary's; requests are those of the window. */
struct ss_event_canary {
	uint8_t act, stand;    /* enum ss_canary_act, ss_canary_stand: control's */
	uint8_t why;           /* enum ss_canary_why: the same */
	bool judged;           /* the numbers from here on are there */
	bool sure;
	uint32_t from, weight; /* hundredths of a percent; SS_CANARY_NONE: the configuration's */
	uint32_t window;
	uint64_t window_ns, step_ns; /* how long they have lasted */
	uint64_t requests[2], failures[2];
	double p99_ns[2], error_ratio, p99_ratio, slowdown, slow_low, slow_high, error_high;
	double p_errors, p_p99, p_fails_more, p_slower, alpha;
	char by[96];
};

/* What changed of an endpoint, with the numbers that did it. 0: plays no role. */
struct ss_event_watch {
	uint8_t what;      /* enum ss_event_watch_kind */
	uint8_t why;       /* enum ss_health_why */
	uint32_t status;   /* of the last probe: HTTP's, gRPC's, or the serving status */
	uint32_t in_a_row, limit; /* so many results in a row; the threshold */
	uint32_t down, of; /* endpoints of the cluster that are unhealthy now, of all */
	uint64_t for_ns;   /* how long it had been the other way */
};

/*
 * Ids are those of the name table (contract/names.h), 0 for none. Text fields lie one after the
 * other in `text`, cut to fit; *_n are their lengths.
 */
struct ss_event {
	uint64_t time_ns;     /* ss_clock time of the end */
	uint64_t duration_ns; /* first byte of the request to end of response */
	uint64_t upstream_ns; /* request sent to response headers; 0 without upstream */
	uint64_t bytes_in, bytes_out;
	uint64_t generation;  /* configuration that decided */
	uint32_t listener, virtual_host, route, cluster; /* name ids */
	uint32_t rule; /* name id: that decided; 0: none held */
	uint32_t own;  /* name id: the identity that we showed the client */
	struct ss_addr downstream, upstream;
	uint16_t status, drop; /* drop: enum ss_drop, 0 for none */
	uint8_t kind, protocol /* 1: h1, 2: h2 */, tls /* 0 plain, 1 TLS, 2 mutual TLS */, attempts;
	uint8_t worker;
	uint8_t authz; /* enum ss_event_authz */
	bool audited;  /* an audit rule marks it */
	bool delayed;  /* by an injected fault */
	uint16_t method_n, authority_n, path_n, request_id_n, peer_n, trace_n, user_agent_n, detail_n;
	union {
		char text[SS_EVENT_TEXT];
		struct ss_event_watch watch; /* SS_EVENT_HEALTH */
		struct ss_event_ejection ejection; /* SS_EVENT_EJECTED */
		struct ss_event_canary canary; /* SS_EVENT_CANARY; route: the canary's name */
	};
};

struct ss_event_ring;

/* size: power of two, records. */
struct ss_event_ring *ss_event_ring_create(uint32_t size);
void ss_event_ring_free(struct ss_event_ring *r);
/* The next record to fill, or NULL when full; becomes visible with ss_event_commit. */
struct ss_event *ss_event_reserve(struct ss_event_ring *r);
void ss_event_commit(struct ss_event_ring *r);
/* The oldest record, or NULL; gone with ss_event_release. */
const struct ss_event *ss_event_peek(struct ss_event_ring *r);
void ss_event_release(struct ss_event_ring *r);

/* Appends s to ev->text after what is there, cut to the room left; stores its length in *len.
 * Call in the order in which the *_n fields stand above. used: bytes of text filled so far. */
void ss_event_put(struct ss_event *ev, uint32_t *used, uint16_t *len, const void *s, uint32_t n);

#endif
