/*
 * model.h - what the operator wants, as plain data.
 *
 * Takes:   values from a configuration source (libconfig now, xDS later).
 * Gives:   one desired state to ctrl/build.
 * Owns:    all strings and arrays, until ss_model_free: they come from ss_model_alloc and ss_model_text.
 *          Every array is (pointer, count).
 * Thread:  control.
 * Units:   nanoseconds, bytes; weights in hundredths of a percent.
 *
 * Each object carries the file and line it came from, so that an error found later can name it.
 */
#ifndef SS_MODEL_H
#define SS_MODEL_H

#include "base/addr.h"
#include "contract/routes.h"
#include "contract/snapshot.h"
#include "contract/tlsconf.h"
#include "mem/region.h"
#include "contract/xfcc.h"
#include "model/model_actions.h"
#include "model/model_balance.h"
#include "model/model_discovery.h"
#include "model/model_canary.h"
#include "model/model_faults.h"
#include "model/model_fields.h"
#include "model/model_health.h"
#include "model/model_limits.h"
#include "model/model_mirrors.h"
#include "model/model_breaker.h"
#include "model/model_retry.h"
#include "model/model_src.h"

struct ss_model_port {
	struct ss_model_src src;
	char *name, *device;
	uint32_t queues, mtu, rx_descriptors, tx_descriptors, mbufs;
	uint32_t n_addrs;
	struct { struct ss_ip ip; uint8_t prefix; } addrs[64];
	struct ss_ip gateway;
};

struct ss_model_secret {
	struct ss_model_src src;
	char *name, *certificate, *private_key; /* PEM files; certificate: leaf first */
	char *staple; /* an OCSP response in DER; NULL: none */
};

struct ss_model_trust {
	struct ss_model_src src;
	char *name, *trust_domain,
		*bundle; /* bundle: file of CAs; trust_domain may be NULL (DNS peers) */
	char *crl;       /* file of revocation lists; NULL: none */
	enum ss_crl_check crl_check;
	bool crl_stale; /* a list is applied also when it should have been replaced */
	bool chain_cache;
	uint32_t n_federates;
	char **federates; /* names of trusts */
};

/* One of a listener's further certificates. */
struct ss_model_certificate {
	char *secret;
	uint32_t n_names;
	char **names; /* server names that get it, "a.example", "*.example"; none: the certificate's */
};

enum ss_unknown_name { SS_UNKNOWN_NAME_FIRST = 0, SS_UNKNOWN_NAME_REFUSE = 1 };

/* tls of a listener or a cluster. */
struct ss_model_tls {
	struct ss_model_src src;
	bool present;
	enum ss_tls_mode mode;       /* listener */
	char *secret, *trust;        /* names; NULL: none */
	uint32_t n_certificates;     /* listener: besides secret's */
	struct ss_model_certificate *certificates;
	enum ss_unknown_name unknown_name; /* listener: a client that asks for a name of no certificate */
	bool client_certificate;     /* listener: require one (default true when trust is set) */
	char *min_version;           /* "1.2", "1.3" */
	char *sni;                   /* cluster */
	bool resume;                 /* cluster: tickets of its endpoints are used */
	uint32_t n_ids;
	struct ss_model_id *ids;
	uint64_t handshake_timeout_ns;
};

#include "model/model_authz.h"
#include "model/model_ext_authz.h"
#include "model/model_jwt.h"

struct ss_model_header_op {
	enum ss_header_op_kind kind;
	char *name, *value;
};

struct ss_model_weighted {
	char *cluster;
	uint32_t weight; /* hundredths of a percent */
	uint32_t n_request_ops, n_response_ops; /* of this share alone */
	struct ss_model_header_op *request_ops, *response_ops;
	struct ss_model_labels subset; /* n 0: the route's, or the whole cluster */
};

struct ss_model_route {
	struct ss_model_src src;
	char *name;
	enum ss_path_match path_kind;
	char *path;
	uint16_t methods;
	uint32_t n_headers;
	struct ss_model_header_match *headers;
	uint32_t n_query, n_cookies, n_ids, n_snis, n_ports;
	struct ss_model_header_match *query, *cookies;
	struct ss_model_id *ids; /* of the peer */
	char **snis;             /* "a.example", "*.example" */
	uint32_t *ports;         /* the listener's */
	enum ss_route_action action;
	uint32_t n_clusters;
	struct ss_model_weighted *clusters;
	uint16_t direct_status;
	char *direct_body, *direct_type;
	uint64_t timeout_ns, idle_timeout_ns, max_stream_ns;
	uint32_t max_retries; /* over the policy's, when it is set */
	bool max_retries_set;
	enum ss_priority priority;
	struct ss_model_retry retry;
	char *prefix_rewrite;
	struct ss_model_redirect redirect;
	struct ss_model_rewrite rewrite;
	struct ss_model_cors cors;
	struct ss_model_maintenance maintenance;
	struct ss_model_sticky sticky;
	uint32_t n_request_ops, n_response_ops;
	struct ss_model_header_op *request_ops, *response_ops;
	enum ss_jwt_need token;
	struct ss_model_authz authz;
	struct ss_model_labels subset; /* of destinations that name none */
	struct ss_model_hashes hash;   /* n 0: the cluster's */
	struct ss_model_limit_names limits;
	struct ss_model_fault fault;
	struct ss_model_mirrors mirrors;
	struct ss_model_canary canary;
};

struct ss_model_host {
	struct ss_model_src src;
	char *name;
	uint32_t n_domains;
	char **domains; /* "a.example", "*.example", "*" */
	enum ss_precedence precedence;
	struct ss_model_limit_names limits;
	struct ss_model_retry retry; /* of routes without their own */
	struct ss_model_cors cors; /* of routes that have none of their own, as the next */
	struct ss_model_maintenance maintenance;
	uint32_t n_request_ops, n_response_ops; /* after the routes' */
	struct ss_model_header_op *request_ops, *response_ops;
	uint32_t n_routes;
	struct ss_model_route *routes;
	struct ss_model_authz authz;
};

struct ss_model_xfcc {
	enum ss_xfcc_mode mode;
	bool cert, chain, subject, uri, dns;
};

struct ss_model_listener {
	struct ss_model_src src;
	char *name;
	struct ss_addr addr;
	enum ss_protocol protocol;
	uint32_t max_connections;
	bool edge;
	uint32_t trusted_hops;
	struct ss_model_xfcc xfcc;
	struct ss_model_jwt jwt;
	struct ss_model_tls tls;
	struct ss_model_authz authz;
	struct ss_model_limit_names limits;
	struct ss_model_maintenance maintenance;
	struct ss_http_limits http;
	uint32_t n_hosts;
	char **hosts; /* names of virtual hosts */
};

struct ss_model_endpoint {
	struct ss_model_src src;
	struct ss_addr addr;
	char *hostname; /* NULL: none */
	uint32_t weight;
	uint32_t priority; /* 0 first */
	struct ss_model_locality locality;
	struct ss_model_labels labels;
	uint32_t said; /* enum ss_ep_flag of SS_EP_CONFIGURED; 0: healthy */
};

struct ss_model_cluster {
	struct ss_model_src src;
	char *name;
	enum ss_protocol protocol;
	struct ss_model_balance balance;
	uint64_t connect_timeout_ns;
	struct ss_caps caps[SS_PRIORITY_COUNT]; /* whole process */
	struct ss_retry_budget budget;
	struct ss_model_breaker breaker;
	uint64_t pending_delay_ns; /* 0: none */
	bool mesh_hop;
	struct ss_model_tls tls;
	struct ss_outlier_conf outlier;
	struct ss_model_health health;
	struct ss_http_limits http;
	struct ss_model_discovery discovery; /* present: endpoints are lent by ctrl/discovery */
	uint32_t n_endpoints;
	struct ss_model_endpoint *endpoints;
};

/* Read at start only; a reload that changes it is refused with the key's name. */
struct ss_model_process {
	struct ss_model_src src;
	char *node;
	struct ss_model_locality locality; /* where this node stands */
	uint32_t n_workers;
	uint32_t control_core;               /* CPU of the control thread */
	uint32_t worker_core[SS_MAX_WORKERS]; /* CPU of each worker */
	bool busy_poll_always;
	uint64_t idle_sleep_ns;
	uint32_t shed_mbufs, shed_conns; /* percent; 0: off */
	uint64_t shed_delay_ns;
	uint32_t stage_sampling; /* one of so many busy turns; 0: none */
	bool hugepages;
	uint32_t memory_mb;
	uint32_t mbufs, conns, h2_conns, tls_conns, upstream_conns, expanded_keys, streams, half_open; /* per worker */
	uint32_t rcv_buf, snd_buf;
	uint64_t time_wait_ns, user_timeout_ns;
	enum ss_tls_records tls_records;
	char *crypto_device; /* whose records are a device's; NULL: none */
	uint32_t handshake_threads;  /* 0: workers do them */
	uint32_t n_handshake_cores;  /* 0: the control thread's */
	uint32_t handshake_core[SS_MAX_EXECUTORS];
	uint32_t handshake_queue;    /* per worker */
	uint32_t handshake_rate;     /* a second, of all workers; 0: any number */
	char *engine, *engine_path;  /* for keys of handshakes; NULL: none */
	uint32_t n_engine_commands;
	char **engine_commands;
	uint64_t ticket_lifetime_ns; /* 0: no session tickets */
	char *ticket_keys;           /* file that appliances share; NULL: keys of our own, in turn */
	uint32_t max_endpoints, max_clusters;
	uint32_t max_limits, max_limit_keys; /* rate limits; buckets of their keys */
	uint32_t max_canaries;
	uint64_t drain_timeout_ns;
	char *state_dir; /* what survives the process; "-": nothing does */
	char *admin_socket;
	uint32_t recent_requests; /* of all workers, for "why --request"; 0: none */
	char *metrics_address; /* NULL: off */
	uint32_t metrics_port;
	char *access_log; /* file, "-" for standard output, NULL: off */
	char *audit_log, *health_log; /* the same */
	bool audit_allowed;
	uint32_t max_policies;
	uint32_t n_ports;
	struct ss_model_port *ports;
};

struct ss_model_names;

struct ss_model {
	struct ss_region memory, texts;
	struct ss_model_names *names;  /* what ss_model_secret() and its like have seen so far */
	char *file;                    /* the file it was read from */
	char hash[17];                 /* hex of 64 bits over what the file says, not how */
	struct ss_model_process process;
	uint32_t profile;  /* which defaults were taken */
	bool default_deny; /* listeners without an authorization of their own */
	uint32_t n_policies, n_jwt_providers, n_ext_authz;
	struct ss_model_policy *policies;
	struct ss_model_jwt_provider *jwt_providers;
	struct ss_model_ext_authz *ext_authz;
	uint32_t n_secrets, n_trusts, n_hosts, n_listeners, n_clusters, n_limits;
	struct ss_model_secret *secrets;
	struct ss_model_trust *trusts;
	struct ss_model_host *hosts;
	struct ss_model_listener *listeners;
	struct ss_model_cluster *clusters;
	struct ss_model_limit *limits;
};

/* Errors are collected, not stopped at: an operator sees all of them at once. */
struct ss_model_errors {
	uint32_t n, cap;
	char **text; /* "file:line: key: what is wrong" */
};

/* Do more than `besides` workers run on this core? */
bool ss_model_core_shared(const struct ss_model_process *p, uint32_t core, uint32_t besides);

/* An empty model; NULL without memory. */
struct ss_model *ss_model_new(void);
void ss_model_free(struct ss_model *m);
/* Zeroed memory that lives as long as the model; NULL without memory. */
void *ss_model_alloc(struct ss_model *m, size_t n);
/* A copy that lives as long as the model; NULL for NULL, or without memory. */
char *ss_model_text(struct ss_model *m, const char *text);

#define SS_MODEL_NONE UINT32_MAX
/* Index of the object of that name, or SS_MODEL_NONE. */
uint32_t ss_model_secret(const struct ss_model *m, const char *name);
uint32_t ss_model_trust(const struct ss_model *m, const char *name);
uint32_t ss_model_host(const struct ss_model *m, const char *name);
uint32_t ss_model_cluster(const struct ss_model *m, const char *name);
uint32_t ss_model_limit(const struct ss_model *m, const char *name);
uint32_t ss_model_policy(const struct ss_model *m, const char *name);
uint32_t ss_model_jwt_provider(const struct ss_model *m, const char *name);
uint32_t ss_model_ext_authz(const struct ss_model *m, const char *name);

/* Do two of them have the same address? 1 and which (the latter second), 0, or SS_ERR_NO_MEM. */
int ss_model_twins(const struct ss_model_endpoint *e, uint32_t n, uint32_t twin[2]);

/* printf-like; src may be NULL. */
void ss_model_error(struct ss_model_errors *e, const struct ss_model_src *src, const char *key,
		    const char *fmt, ...) SS_PRINTF(4, 5);
void ss_model_errors_free(struct ss_model_errors *e);

#endif
