/*
 * load_opts_int.h - how the command line is read: the table in load_opts.c, readers of single options in
 * load_readers.c, what must fit together in load_fit.c.
 */
#ifndef SS_LOAD_OPTS_INT_H
#define SS_LOAD_OPTS_INT_H

#include "base/err.h"
#include "perf/load/load_opts.h"

struct ss_load_parse {
	struct ss_load_opts *o;
	const char *name; /* of the option at hand */
	char *err;
	size_t err_n;
};

/* Writes "--NAME: " and the sentence; answers SS_ERR_CONFIG. */
int ss_load_bad(const struct ss_load_parse *p, const char *fmt, ...) SS_PRINTF(2, 3);

/* load_readers.c: options with a shape of their own. 0, or SS_ERR_CONFIG. */
int ss_load_read_port(struct ss_load_parse *p, const char *v);
int ss_load_read_address(struct ss_load_parse *p, const char *v);
int ss_load_read_prefix(struct ss_load_parse *p, const char *v);
int ss_load_read_gateway(struct ss_load_parse *p, const char *v);
int ss_load_read_mtu(struct ss_load_parse *p, const char *v);
int ss_load_read_proto(struct ss_load_parse *p, const char *v);
int ss_load_read_header(struct ss_load_parse *p, const char *v);
int ss_load_read_header_set(struct ss_load_parse *p, const char *v);
int ss_load_read_expect_body(struct ss_load_parse *p, const char *v);
int ss_load_read_arrival(struct ss_load_parse *p, const char *v);
int ss_load_read_listen_plain(struct ss_load_parse *p, const char *v);
int ss_load_read_listen_tls(struct ss_load_parse *p, const char *v);
int ss_load_read_delay(struct ss_load_parse *p, const char *v);

/* load_fit.c */
int ss_load_opts_fit(struct ss_load_parse *p);

#endif
