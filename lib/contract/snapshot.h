/*
 * snapshot.h - one immutable generation of configuration, and how workers come to read it.
 *
 * Takes:   what ctrl/build made; only ctrl/publish stores the pointer.
 * Gives:   the current generation to workers, by one acquire load per turn.
 * Owns:    everything it points to; freed by control when every worker has passed a quiescent
 *          point after the swap and has said that it uses a later generation. A worker holds the pointer
 *          within one turn only: an exchange copies what it needs (ids, timeouts) and finds the rest again by
 *          id. Header operations alone are pointed to, and copied before the worker says so.
 * Thread:  control writes before publication; nobody afterwards.
 * Units:   nanoseconds, bytes.
 */
#ifndef SS_SNAPSHOT_H
#define SS_SNAPSHOT_H

#include <stdatomic.h>

#include "base/addr.h"
#include "contract/balance.h"
#include "contract/endpoints.h"
#include "contract/ext_authz.h"
#include "contract/jwt.h"
#include "contract/policies.h"
#include "contract/probes.h"
#include "contract/routes.h"
#include "contract/tlsconf.h"

enum ss_protocol { SS_PROTO_AUTO = 0, SS_PROTO_H1 = 1, SS_PROTO_H2 = 2 };

/* Bounds of one listener's or cluster's HTTP (defaults in docs/config.md). */
struct ss_http_limits {
	uint32_t max_header_bytes, max_headers;
	uint32_t max_streams;      /* SETTINGS_MAX_CONCURRENT_STREAMS */
	uint32_t stream_window, conn_window;
	uint32_t hpack_table;
	uint64_t idle_timeout_ns;  /* connection without a stream */
	uint64_t request_head_timeout_ns; /* h1: first byte to end of the head */
	uint64_t keepalive_interval_ns, keepalive_timeout_ns; /* h2 PING; 0: off */
	uint64_t settings_timeout_ns;
	uint32_t max_requests;     /* per connection; 0: no bound */
	uint64_t max_connection_age_ns; /* 0: no bound */
};

struct ss_listener {
	uint32_t name; /* name id: stable over generations */
	struct ss_addr addr;
	uint8_t protocol; /* enum ss_protocol; auto: ALPN, else the first bytes */
	uint32_t max_connections;
	const struct ss_tls_server *tls; /* never NULL; mode disable for plaintext */
	const struct ss_host_table *hosts;
	const struct ss_authz *authz;    /* never NULL */
	const struct ss_jwt_policy *jwt; /* NULL: tokens are not looked at */
	const struct ss_limit_list *limits; /* NULL: none */
	const struct ss_maintenance *maintenance; /* NULL: open */
	struct ss_http_limits http;
	uint8_t xfcc; /* enum ss_xfcc_mode */
	uint8_t xfcc_fields; /* enum ss_xfcc_field, what handshakes are to find out for it; 0: nothing */
	uint8_t trusted_hops; /* proxies in front of us whose x-forwarded-for is believed by policies */
	uint32_t own_id; /* name id of the identity that we show here; 0: none */
	bool edge;     /* true: drops x-request-id and x-forwarded-* that came from outside */
	uint32_t line; /* of the configuration file */
};

struct ss_endpoint {
	struct ss_addr addr;
	uint32_t ep;     /* slot in the endpoint table: stable over generations */
	uint32_t name;   /* name id: "address:port" */
	uint32_t weight; /* 1 or more */
	uint8_t said;    /* enum ss_ep_flag: what the configuration says of its health */
};

struct ss_cluster {
	uint32_t name;    /* name id: stable over generations */
	uint32_t slot;    /* in ss_ep_table.cluster */
	uint8_t protocol; /* enum ss_protocol; auto: h2 when ALPN says so, else h1 */
	uint32_t n_endpoints;
	const struct ss_endpoint *endpoints;
	const struct ss_span *hostnames; /* of the same, n 0: none; NULL: nobody has one */
	const struct ss_balance *balance; /* NULL: plain rotation over all endpoints */
	const struct ss_tls_client *tls; /* NULL: plaintext */
	struct ss_outlier_conf outlier;
	const struct ss_health_conf *health; /* NULL: endpoints are not probed */
	uint64_t connect_timeout_ns; /* TCP and TLS together */
	struct ss_caps caps[SS_PRIORITY_COUNT]; /* of all workers together */
	struct ss_retry_budget budget;
	const struct ss_breaker_conf *breaker; /* NULL: none */
	uint64_t pending_delay_ns; /* watermark of the time in line for a connection; 0: none */
	bool mesh_hop; /* what it tells of retries is believed, whoever it is */
	struct ss_http_limits http;
	uint32_t line;
	uint64_t edition; /* of the snapshot in which its endpoints changed last; 0: not since the generation began */
};

struct ss_snapshot {
	uint64_t generation;
	/*
	 * Discovered endpoints change between generations: each such change is another edition of the same
	 * generation, 0 first. All but some clusters' endpoints is the very same memory (decision 32).
	 */
	uint64_t edition;
	char hash[17]; /* hex of 64 bits over the configuration's text, NUL-terminated */
	uint32_t n_workers;
	uint32_t n_listeners, n_clusters, n_limits, n_ext_authz, n_canaries;
	const struct ss_listener *listeners;
	const struct ss_cluster *clusters;
	const struct ss_limit *limits;
	const struct ss_canary *const *canaries; /* of the routes */
	const struct ss_ext_authz *ext_authz;
	const struct ss_wall *wall;   /* NULL: nobody knows the time of day; no token is good then */
	struct ss_policies *policies; /* counters of policies; may be NULL. They outlive snapshots. */
	/* Where things are (ctrl/build/build_places.c). NULL in snapshots made by hand: one looks then. */
	const uint32_t *cluster_at; /* clusters by name id, hashed: place + 1, 0 free; next to it when taken */
	uint32_t cluster_bits;      /* there are 2^this of them, more than half of them free */
	const uint32_t *ep_at;      /* by slot of the endpoint table: place in its cluster */
	void *memory; /* control's: everything the generation owns */
	/* Control's, when it is replaced: of the grace period that began then, the generation that came, and the next one
	 * replaced. */
	uint64_t token, next_generation;
	struct ss_snapshot *newer;
};

/* The one pointer that workers and control share. */
struct rte_rcu_qsbr;
struct ss_snapshot_box {
	_Atomic(const struct ss_snapshot *) current;
	struct rte_rcu_qsbr *qsv; /* one reader per worker; offline while asleep */
};

/* By stable name id; NULL when this generation has none. */
const struct ss_listener *ss_snapshot_listener(const struct ss_snapshot *s, uint32_t name);
const struct ss_cluster *ss_snapshot_cluster(const struct ss_snapshot *s, uint32_t name);
const struct ss_ext_authz *ss_snapshot_ext_authz(const struct ss_snapshot *s, uint32_t name);
/* The endpoint of a cluster that has a slot of the endpoint table; NULL when the cluster has none there. */
const struct ss_endpoint *ss_snapshot_endpoint(const struct ss_snapshot *s, const struct ss_cluster *c, uint32_t ep);

/* Where a name's search in cluster_at begins: ids are small and dense, this spreads them (Knuth 6.4). */
static inline uint32_t ss_snapshot_spread(uint32_t name, uint32_t bits)
{
	return name * 2654435769u >> (32 - bits);
}

#endif
