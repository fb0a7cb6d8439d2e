/*
 * counters.h - one worker's counters and histograms: name, kind, value.
 *
 * Takes:   increments from one worker.
 * Gives:   relaxed reads for control, which sums over workers.
 * Owns:    the arrays, for the life of the process.
 * Thread:  the owning worker writes; control reads. "Reset" is a baseline that control remembers.
 */
#ifndef SS_COUNTERS_H
#define SS_COUNTERS_H

#include "base/base.h"
#include "contract/drops.h"
#include "contract/ledger.h"

/* X(NAME, kind, help): kind is c (only grows) or g (level). Metric name: sidestep_<name>[_total]. */
#define SS_COUNTER_LIST(X)                                                      \
	X(TURNS, c, "turns of the worker loop")                                 \
	X(BUSY_TURNS, c, "turns that had packets")                              \
	X(BUSY_NS, c, "nanoseconds spent in turns that had work")               \
	X(IDLE_NS, c, "nanoseconds spent in turns without work, or asleep")     \
	X(SLEEPS, c, "times the worker slept")                                  \
	X(TURN_MAX_NS, g, "longest turn since the last housekeeping")           \
	X(LONG_TURNS, c, "busy turns longer than a millisecond")                \
	X(RX_PACKETS, c, "packets received")                                    \
	X(RX_BYTES, c, "bytes received")                                        \
	X(TX_PACKETS, c, "packets sent")                                        \
	X(TX_BYTES, c, "bytes sent")                                            \
	X(TX_LINEARIZED, c, "chained packets copied because the port takes one segment") \
	X(HANDOVER_PACKETS, c, "packets handed to another worker")              \
	X(TCP_ACCEPTED, c, "connections accepted")                              \
	X(TCP_CONNECTED, c, "connections opened")                               \
	X(TCP_CLOSED, c, "connections ended")                                   \
	X(TCP_CONNS, g, "connections held")                                     \
	X(TCP_RETRANS, c, "segments sent again")                                \
	X(TCP_RTO, c, "retransmission timeouts")                                \
	X(TCP_FAST_RETRANS, c, "fast retransmits")                              \
	X(TLS_HANDSHAKES, c, "TLS handshakes completed")                        \
	X(TLS_RESUMED, c, "TLS handshakes resumed")                             \
	X(TLS_UPSTREAM_RESUMED, c, "of these, with endpoints") \
	X(HTTP_RETIRED, c, "connections ended in order for their age, or before a certificate of theirs ended") \
	X(TLS_STEPS, c, "steps of TLS handshakes")                              \
	X(TLS_STEPS_AWAY, c, "of these, done by handshake threads")             \
	X(TLS_STEPS_NS, c, "nanoseconds that steps of TLS handshakes took, wherever they ran") \
	X(TLS_STEPS_QUEUED, g, "TLS handshakes in a step or waiting for one")   \
	X(TLS_CHAINS_KNOWN, c, "peers whose chain of certificates was known to be good") \
	X(TLS_CHAINS_VERIFIED, c, "peers whose chain was verified, signature by signature") \
	X(TLS_ENGINE_STATE, g, "the engine for keys of TLS handshakes: 0 none configured, 1 in use, 2 turned off") \
	X(TLS_ENGINE_PAUSED, g, "TLS handshakes that wait for an operation of the engine") \
	X(TLS_ENGINE_WAITED, c, "TLS handshakes over that had waited for the engine")  \
	X(TLS_ENGINE_FAILED, c, "TLS handshakes that failed with an operation of the engine") \
	X(TLS_ENGINE_LATE, c, "TLS handshakes that waited for the engine for more than a second") \
	X(TLS_ENGINE_LOST, c, "TLS handshakes given up while the engine had an operation of theirs") \
	X(TLS_ENGINE_FALLBACKS, c, "TLS handshakes done without the engine, because it is turned off") \
	X(TLS_CONNS, g, "TLS connections held")                                 \
	X(TLS_RECORD_LAYER, g, "who opens and seals TLS records: 1 ipsec-mb, 2 evp, 3 openssl") \
	X(TLS_KEY_UPDATES, c, "new sending keys within a TLS connection (KeyUpdate)") \
	X(TLS_KEYS_AGAIN, c, "expanded keys made again: their connection had rested, or others had needed the place") \
	X(TLS_KEYS_HELD, g, "expanded keys held, one for each direction of a TLS connection") \
	X(TLS_TICKETS_KEPT, c, "session tickets of endpoints that were kept for the next connection") \
	X(TLS_TICKETS_DROPPED, c, "session tickets that came and were not kept") \
	X(HTTP_CONNS, g, "HTTP connections held")                               \
	X(HTTP_STREAMS, g, "HTTP streams held")                                 \
	X(HTTP_ARENAS, g, "arena chunks held")                                  \
	X(MBUFS, g, "packet buffers held by this worker (ports apart)")         \
	X(EXCHANGES, g, "exchanges held")                                       \
	X(REQUESTS, c, "requests received")                                     \
	X(RESPONSES_1XX, c, "informational responses")                          \
	X(RESPONSES_2XX, c, "2xx responses")                                    \
	X(RESPONSES_3XX, c, "3xx responses")                                    \
	X(RESPONSES_4XX, c, "4xx responses")                                    \
	X(RESPONSES_5XX, c, "5xx responses")                                    \
	X(RETRIES, c, "requests tried again on another endpoint")               \
	X(HEDGES, c, "tries that were late and lived on beside the next one")   \
	X(HEDGES_WON, c, "of these, answered first")                            \
	X(FAULT_DELAYS, c, "requests delayed by an injected fault")             \
	X(FAULT_ABORTS, c, "requests aborted by an injected fault")             \
	X(FAULTS_OVER, c, "faults not injected: as many under way as the route allows") \
	X(MIRRORS, c, "copies of requests sent to a mirror")                    \
	X(MIRRORS_ANSWERED, c, "of these, answered (whatever the answer)")      \
	X(MIRRORS_FAILED, c, "copies whose connection or stream failed")        \
	X(MIRRORS_LATE, c, "copies not answered in time")                       \
	X(MIRRORS_REFUSED, c, "copies not sent: no endpoint, or over the limits of the mirror's cluster") \
	X(MIRRORS_FULL, c, "copies not sent or given up: no memory set aside for mirrors is left") \
	X(MIRRORS_TOO_LARGE, c, "copies given up: body longer than max_body")   \
	X(MIRRORS_CUT, c, "copies given up: the request itself ended early")    \
	X(EXT_AUTHZ_CHECKS, c, "requests that an external authorizer was asked about") \
	X(EXT_AUTHZ_ALLOWED, c, "of these, allowed")                            \
	X(EXT_AUTHZ_DENIED, c, "of these, denied (in a dry run, too)")          \
	X(EXT_AUTHZ_FAILED, c, "checks without a good answer: one of those below, a 5xx, or no sense") \
	X(EXT_AUTHZ_FAIL_OPEN, c, "of these, let through (fail_open)")          \
	X(EXT_AUTHZ_LATE, c, "checks not answered in time")                     \
	X(EXT_AUTHZ_REFUSED, c, "checks not sent: no endpoint, or over the limits of the authorizer's cluster") \
	X(EXT_AUTHZ_FULL, c, "checks not made: no memory set aside for them is left") \
	X(EXT_AUTHZ_CUT, c, "checks given up: the request itself ended before")  \
	X(EJECTIONS, c, "endpoints ejected by this worker")                     \
	X(EJECTIONS_SPARED, c, "endpoints it found and left in rotation: enforcing percentages") \
	X(UNEJECTIONS, c, "ejections ended by a good health check")             \
	X(HEALTH_PROBES, c, "probes of endpoints begun")                        \
	X(HEALTH_CONNECTS, c, "connections opened for probes")                  \
	X(HEALTH_FAILURES, c, "probes that failed")                             \
	X(HEALTH_LATE, c, "of these, not answered in time")                     \
	X(HEALTH_SKIPPED, c, "probes given up for want of our own memory")      \
	X(HEALTH_DOWN, c, "endpoints that became unhealthy by probes, or said so") \
	X(HEALTH_UP, c, "endpoints that became healthy by probes")              \
	X(HEALTH_ENDPOINTS, g, "endpoints that this worker probes")             \
	X(HEALTH_CONNS, g, "connections held for probes")                       \
	X(PANIC_PICKS, c, "picks that took no heed of health (panic threshold)") \
	X(BREAKERS_OPENED, c, "times a cluster's breaker opened, or opened again after a probe") \
	X(BREAKERS_CLOSED, c, "times a cluster's breaker closed again")         \
	X(EVENTS_LOST, c, "access-log records dropped because the ring was full") \
	X(SAMPLED_TURNS, c, "busy turns that the stage ledger has measured")    \
	X(SAMPLED_BUSY_NS, c, "nanoseconds spent in sampled turns")             \
	X(SAMPLED_MARKS_NS, c, "nanoseconds of these that the ledger itself took") \
	X(SAMPLED_RX_PACKETS, c, "packets received in sampled turns")           \
	X(SAMPLED_TX_PACKETS, c, "packets sent in sampled turns")               \
	X(SAMPLED_REQUESTS, c, "requests received in sampled turns")            \
	X(SNAPSHOT_GENERATION, g, "configuration generation in use")

enum ss_counter {
#define SS_COUNTER_X(name, kind, help) SS_C_##name,
	SS_COUNTER_LIST(SS_COUNTER_X)
#undef SS_COUNTER_X
	SS_C_COUNT
};

/*
 * Log-linear histogram of nanoseconds: for each power of two, 16 equal parts; relative error at
 * most 1/16. Covers 0 to 2^40 ns (18 minutes); larger values land in the last bucket.
 */
#define SS_HIST_SUB_BITS 4
#define SS_HIST_BUCKETS ((41 - SS_HIST_SUB_BITS) << SS_HIST_SUB_BITS)

struct ss_hist {
	uint64_t count, sum;
	uint64_t bucket[SS_HIST_BUCKETS];
};

/* Written by one worker only; control reads with relaxed loads. */
struct ss_counters {
	uint64_t v[SS_C_COUNT];
	uint64_t drops[SS_DROP_COUNT];
	struct ss_ledger ledger;   /* nanoseconds by stage */
	struct ss_hist request_ns; /* first byte of the request to last byte of the response, queued */
} SS_CACHE_ALIGNED;

static inline void ss_count(struct ss_counters *c, enum ss_counter k, uint64_t n)
{
	__atomic_store_n(&c->v[k], c->v[k] + n, __ATOMIC_RELAXED);
}

static inline void ss_gauge(struct ss_counters *c, enum ss_counter k, uint64_t value)
{
	__atomic_store_n(&c->v[k], value, __ATOMIC_RELAXED);
}

static inline void ss_count_drop(struct ss_counters *c, enum ss_drop d)
{
	__atomic_store_n(&c->drops[d], c->drops[d] + 1, __ATOMIC_RELAXED);
}

static inline uint64_t ss_counter_read(const struct ss_counters *c, enum ss_counter k)
{
	return __atomic_load_n(&c->v[k], __ATOMIC_RELAXED);
}

const char *ss_counter_name(enum ss_counter k); /* lower case, as in the list */
char ss_counter_kind(enum ss_counter k);        /* 'c' or 'g' */
const char *ss_counter_help(enum ss_counter k);

uint32_t ss_hist_index(uint64_t ns);
/* Largest value that falls into bucket i. */
uint64_t ss_hist_upper(uint32_t i);
void ss_hist_add(struct ss_hist *h, uint64_t ns);
/* The value below which a share q (0..1) of the samples lie; 0 when there are none. */
uint64_t ss_hist_quantile(const struct ss_hist *h, double q);
/* Adds src to dst with relaxed loads. */
void ss_hist_sum(struct ss_hist *dst, const struct ss_hist *src);

#endif
