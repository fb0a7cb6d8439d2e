/*
 * load_opts.h - the command line of sidestep-load as plain data.
 *
 * Takes:   argc, argv.
 * Gives:   checked options with every default filled in; the manual.
 * Owns:    the lines of header files, until ss_load_opts_free; all other texts point into argv.
 * Thread:  control.
 * Errors:  SS_ERR_CONFIG with a sentence that names the option.
 */
#ifndef SS_LOAD_OPTS_H
#define SS_LOAD_OPTS_H

#include <stdio.h>

#include "base/addr.h"
#include "contract/snapshot.h"
#include "perf/load/load_delay.h"
#include "port/port.h"

#define SS_LOAD_MAX_LISTEN 8
#define SS_LOAD_MAX_HEADERS 64
#define SS_LOAD_MAX_ADDRS 16
/* On the target's ports, a process may open so many connections. */
#define SS_LOAD_MAX_CONNS 1000000

enum ss_load_check { SS_LOAD_CHECK_PATTERN = 0, SS_LOAD_CHECK_ANY = 1, SS_LOAD_CHECK_FILE = 2 };

struct ss_load_port {
	const char *device;
	uint32_t mtu, n_addrs;
	struct { struct ss_ip ip; uint8_t prefix; } addrs[SS_LOAD_MAX_ADDRS];
	struct ss_ip gateway;
};

struct ss_load_listen {
	struct ss_addr addr;
	bool tls;
};

struct ss_load_header {
	struct ss_span name, value; /* name as given; the block is made of it lower case */
};

struct ss_load_opts {
	bool help, print_body, version;
	uint64_t print_bytes;
	/* the process */
	uint32_t n_ports, lcore, control_core, memory_mb, mbufs, descriptors;
	bool control_set, hugepages;
	struct ss_load_port ports[SS_MAX_PORTS];
	/* the client */
	bool client;
	struct ss_addr target;
	enum ss_protocol proto;
	bool proto_set, tls, poisson, resume;
	const char *ca, *cert, *key, *sni, *server_id;
	const char *method, *path, *authority, *body_file;
	uint32_t n_headers;
	struct ss_load_header headers[SS_LOAD_MAX_HEADERS];
	uint32_t n_lines;
	char *lines[SS_LOAD_MAX_HEADERS];
	uint64_t request_size, expect_size; /* expect_size: UINT64_MAX for any */
	uint32_t expect_status;
	enum ss_load_check check;
	uint32_t connections, streams, idle, churn;
	double rate; /* 0: closed loop */
	uint64_t warmup_ns, duration_ns, requests, timeout_ns;
	/* the origin */
	uint32_t n_listen, max_connections, max_streams;
	struct ss_load_listen listen[SS_LOAD_MAX_LISTEN];
	const char *origin_cert, *origin_key, *origin_ca;
	bool origin_tickets;
	uint64_t response_size;
	uint32_t response_status;
	struct ss_load_delays delays;
	/* the report */
	const char *json;
	bool quiet;
};

int ss_load_opts_parse(struct ss_load_opts *o, int argc, char **argv, char *err, size_t err_n);
/* Also after a parse that failed. */
void ss_load_opts_free(struct ss_load_opts *o);
void ss_load_opts_usage(FILE *to);

/* load_values.c: values of options. 0, or SS_ERR_CONFIG. */
int ss_load_value_u64(const char *text, uint64_t *out);      /* 10 */
int ss_load_value_size(const char *text, uint64_t *out);     /* 10, 16KiB, 1MiB */
int ss_load_value_duration(const char *text, uint64_t *out); /* 100us, 1.5ms, 10s, 2m */
int ss_load_value_addr(const char *text, struct ss_addr *out); /* 10.0.0.1:80 */
int ss_load_value_share(const char *text, double *out);      /* 1%, 0.01 */

/* A named set of header fields, appended to o's. SS_ERR_NOT_FOUND, or SS_ERR_FULL. */
int ss_load_header_set(struct ss_load_opts *o, const char *name);
/* The names, for messages. */
const char *ss_load_header_sets(void);

#endif
