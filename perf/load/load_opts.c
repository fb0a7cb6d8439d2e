/* load_opts.c - one table of options makes the parser and the manual. */
#include "perf/load/load_opts_int.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

int ss_load_bad(const struct ss_load_parse *p, const char *fmt, ...)
{
	int n = snprintf(p->err, p->err_n, "--%s: ", p->name);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < p->err_n)
		vsnprintf(p->err + n, p->err_n - (size_t)n, fmt, ap);
	va_end(ap);
	return SS_ERR_CONFIG;
}

enum kind { FLAG, TEXT, U32, U64, SIZE, DURATION, RATE, ADDR, OWN };

struct def {
	const char *name, *arg;
	enum kind kind;
	size_t at, is_set; /* offsets in ss_load_opts; is_set: a bool to raise, 0: none */
	uint64_t min, max;
	int (*own)(struct ss_load_parse *p, const char *v);
	const char *help;
};

/* -- the table -- */

#define AT(field) offsetof(struct ss_load_opts, field)
#define GROUP(text) { .help = text }
#define NS_HOUR (3600 * SS_NS_PER_SEC)

static const struct def defs[] = {
	GROUP("ports and cores"),
	{ "port", "DEVICE", OWN, .own = ss_load_read_port,
	  .help = "a DPDK device: net_memif0,role=..., net_af_xdp0,iface=..., PCI; repeatable" },
	{ "address", "IP[/BITS]", OWN, .own = ss_load_read_address,
	  .help = "an address of the last --port (default /24); repeatable" },
	{ "prefix", "BITS", OWN, .own = ss_load_read_prefix, .help = "of the last --address" },
	{ "gateway", "IP", OWN, .own = ss_load_read_gateway, .help = "of the last --port" },
	{ "mtu", "BYTES", OWN, .own = ss_load_read_mtu, .help = "of the last --port (1500)" },
	{ "lcore", "CPU", U32, AT(lcore), .max = 1023, .help = "where the worker spins (1)" },
	{ "control-core", "CPU", U32, AT(control_core), AT(control_set), .max = 1023,
	  .help = "of the thread that reports (that of the worker)" },
	{ "memory", "MB", U32, AT(memory_mb), .min = 64, .max = 1048576,
	  .help = "for packet buffers (512)" },
	{ "mbufs", "N", U32, AT(mbufs), .min = 1024, .max = 8388608,
	  .help = "packet buffers for sending, and as many for each port (16384)" },
	{ "descriptors", "N", U32, AT(descriptors), .min = 64, .max = 32768,
	  .help = "of each port's rings (1024)" },
	{ "hugepages", NULL, FLAG, AT(hugepages), .help = "take memory from hugepages" },
	GROUP("client"),
	{ "target", "ADDRESS:PORT", ADDR, AT(target), AT(client), .help = "send requests there" },
	{ "proto", "h1|h2", OWN, .is_set = AT(proto_set), .own = ss_load_read_proto,
	  .help = "HTTP/1.1 (default) or HTTP/2, over TLS by ALPN" },
	{ "tls", NULL, FLAG, AT(tls), .help = "TLS; the server is always verified" },
	{ "ca", "FILE", TEXT, AT(ca), .help = "whom the server's certificate must come from" },
	{ "cert", "FILE", TEXT, AT(cert), .help = "our certificate: mutual TLS" },
	{ "key", "FILE", TEXT, AT(key), .help = "its key" },
	{ "sni", "NAME", TEXT, AT(sni),
	  .help = "the server's DNS name: asked for, and verified unless --server-id is given" },
	{ "server-id", "SPIFFE-ID", TEXT, AT(server_id), .help = "the server's identity: verified" },
	{ "method", "TEXT", TEXT, AT(method), .help = "(GET, or POST with --request-size)" },
	{ "path", "TEXT", TEXT, AT(path), .help = "(/)" },
	{ "authority", "TEXT", TEXT, AT(authority), .help = "host (--sni, else the target)" },
	{ "header", "NAME:VALUE", OWN, .own = ss_load_read_header, .help = "one more field; repeatable" },
	{ "header-set", "NAME|FILE", OWN, .own = ss_load_read_header_set,
	  .help = "many at once: browser (10 fields), service (5), grpc (5), or a file of NAME:VALUE lines" },
	{ "request-size", "BYTES", SIZE, AT(request_size), .max = 1ull << 40,
	  .help = "body of each request (0)" },
	{ "connections", "N", U32, AT(connections), .max = SS_LOAD_MAX_CONNS,
	  .help = "that carry requests (1)" },
	{ "streams", "N", U32, AT(streams), .min = 1, .max = 1000,
	  .help = "requests at once on each, h2 only (1)" },
	{ "idle", "N", U32, AT(idle), .max = SS_LOAD_MAX_CONNS,
	  .help = "more connections that are opened and held (0)" },
	{ "rate", "PER-SECOND", RATE, AT(rate),
	  .help = "open loop: requests a second in all, latency from the intended time" },
	{ "arrival", "even|poisson", OWN, .own = ss_load_read_arrival,
	  .help = "how an open loop spaces them (even)" },
	{ "churn", "N", U32, AT(churn), .max = UINT32_MAX,
	  .help = "a new connection after every N requests (0: never)" },
	{ "resume", NULL, FLAG, AT(resume),
	  .help = "resume TLS from tickets of earlier connections (default: full handshakes)" },
	{ "warmup", "TIME", DURATION, AT(warmup_ns), .max = NS_HOUR,
	  .help = "before measuring, once all connections are open (1s)" },
	{ "duration", "TIME", DURATION, AT(duration_ns), .max = 1000 * NS_HOUR,
	  .help = "of measuring (10s); origin: until ended" },
	{ "requests", "N", U64, AT(requests), .max = UINT64_MAX - 1, .help = "measure so many instead" },
	{ "timeout", "TIME", DURATION, AT(timeout_ns), .min = SS_NS_PER_MS, .max = NS_HOUR,
	  .help = "of a request and of opening a connection (10s)" },
	{ "expect-status", "N", U32, AT(expect_status), .min = 100, .max = 599, .help = "(200)" },
	{ "expect-size", "BYTES", SIZE, AT(expect_size), .max = 1ull << 40,
	  .help = "of each response body (any)" },
	{ "expect-body", "WHAT", OWN, .own = ss_load_read_expect_body,
	  .help = "pattern (default; as our origin and --print-body give), any, or a file" },
	GROUP("origin"),
	{ "listen", "ADDRESS:PORT", OWN, .own = ss_load_read_listen_plain,
	  .help = "answer there, h1 and h2 in plaintext; repeatable" },
	{ "listen-tls", "ADDRESS:PORT", OWN, .own = ss_load_read_listen_tls,
	  .help = "the same over TLS, by ALPN; repeatable" },
	{ "origin-cert", "FILE", TEXT, AT(origin_cert), .help = "its certificate" },
	{ "origin-key", "FILE", TEXT, AT(origin_key), .help = "its key" },
	{ "origin-ca", "FILE", TEXT, AT(origin_ca), .help = "demand client certificates from there" },
	{ "origin-tickets", NULL, FLAG, AT(origin_tickets),
	  .help = "give out tickets, so that clients may resume" },
	{ "response-size", "BYTES", SIZE, AT(response_size), .max = 1ull << 40,
	  .help = "body of each response (128); a path /size/N has N instead" },
	{ "response-status", "N", U32, AT(response_status), .min = 200, .max = 599, .help = "(200)" },
	{ "delay", "TIME[:SHARE]", OWN, .own = ss_load_read_delay,
	  .help = "wait before answering; with 10ms:1% in that share of requests; repeatable" },
	{ "max-connections", "N", U32, AT(max_connections), .min = 1, .max = SS_LOAD_MAX_CONNS,
	  .help = "accepted at once (4096)" },
	{ "max-streams", "N", U32, AT(max_streams), .min = 1, .max = 65536,
	  .help = "on one h2 connection at once (256)" },
	GROUP("report"),
	{ "json", "FILE", TEXT, AT(json),
	  .help = "write the figures there as well (-: standard output instead of the text)" },
	{ "quiet", NULL, FLAG, AT(quiet), .help = "no progress line" },
	{ "print-body", "BYTES", SIZE, AT(print_bytes), AT(print_body), .max = 1ull << 40,
	  .help = "write a body of that size to standard output, and end" },
	{ "version", NULL, FLAG, AT(version), .help = "" },
	{ "help", NULL, FLAG, AT(help), .help = "" },
};

void ss_load_opts_usage(FILE *to)
{
	fputs("usage: sidestep-load --port DEVICE --address IP "
	      "[--target ADDRESS:PORT ...] [--listen ADDRESS:PORT ...]\n"
	      "A load generator (--target), an origin (--listen), or both at once.\n", to);
	for (size_t i = 0; i < SS_ARRAY_LEN(defs); i++) {
		const struct def *d = &defs[i];
		char left[48];

		if (!d->name) {
			fprintf(to, "\n%s:\n", d->help);
			continue;
		}
		snprintf(left, sizeof(left), "--%s%s%s", d->name, d->arg ? " " : "", d->arg ? d->arg : "");
		fprintf(to, "  %-28s %s\n", left, d->help);
	}
	fputs("\nSizes: 128, 16KiB, 1MiB. Times: 100us, 1.5ms, 10s, 2m.\n"
	      "Status: 0 every answer was right, 1 errors, 2 it could not start, "
	      "3 something was held at the end.\n", to);
}

static int ranged(const struct ss_load_parse *p, const struct def *d, const char *v, int code, uint64_t got,
		  uint64_t *out)
{
	if (code < 0)
		return ss_load_bad(p, "\"%s\" is no %s", v, d->arg);
	if (got < d->min || (d->max && got > d->max))
		return ss_load_bad(p, "\"%s\" is not from %llu to %llu", v, (unsigned long long)d->min,
			   (unsigned long long)d->max);
	*out = got;
	return 0;
}

static int number(const struct ss_load_parse *p, const struct def *d, const char *v, void *at)
{
	uint64_t n = 0;
	int code = d->kind == SIZE     ? ss_load_value_size(v, &n) :
		   d->kind == DURATION ? ss_load_value_duration(v, &n) :
					 ss_load_value_u64(v, &n);

	code = ranged(p, d, v, code, n, &n);
	if (code == 0 && d->kind == U32)
		*(uint32_t *)at = (uint32_t)n;
	else if (code == 0)
		*(uint64_t *)at = n;
	return code;
}

static int rate(const struct ss_load_parse *p, const char *v, double *out)
{
	char *end;

	*out = strtod(v, &end);
	return *end || *out < 0.001 || *out > 1e9 ? ss_load_bad(p, "\"%s\" is no number from 0.001 to 1e9", v) : 0;
}

static int set(struct ss_load_parse *p, const struct def *d, const char *v)
{
	void *at = (char *)p->o + d->at;

	p->name = d->name;
	if (d->is_set)
		*(bool *)((char *)p->o + d->is_set) = true;
	switch (d->kind) {
	case FLAG:
		*(bool *)at = true;
		return 0;
	case TEXT:
		*(const char **)at = v;
		return 0;
	case RATE:
		return rate(p, v, at);
	case ADDR:
		return ss_load_value_addr(v, at) < 0 ? ss_load_bad(p, "\"%s\" is no ADDRESS:PORT", v) : 0;
	case OWN:
		return d->own(p, v);
	default:
		return number(p, d, v, at);
	}
}

static void defaults(struct ss_load_opts *o)
{
	*o = (struct ss_load_opts){ .lcore = 1,
				    .memory_mb = 512,
				    .mbufs = 16384,
				    .descriptors = 1024,
				    .proto = SS_PROTO_H1,
				    .path = "/",
				    .expect_size = UINT64_MAX,
				    .expect_status = 200,
				    .connections = 1,
				    .streams = 1,
				    .warmup_ns = SS_NS_PER_SEC,
				    .timeout_ns = 10 * SS_NS_PER_SEC,
				    .max_connections = 4096,
				    .max_streams = 256,
				    .response_size = 128,
				    .response_status = 200 };
}

static void fill_in(struct ss_load_opts *o)
{
	if (!o->control_set)
		o->control_core = o->lcore;
	if (!o->method)
		o->method = o->request_size ? "POST" : "GET";
	if (o->client && !o->duration_ns && !o->requests)
		o->duration_ns = 10 * SS_NS_PER_SEC;
}

void ss_load_opts_free(struct ss_load_opts *o)
{
	while (o->n_lines)
		free(o->lines[--o->n_lines]);
}

int ss_load_opts_parse(struct ss_load_opts *o, int argc, char **argv, char *err, size_t err_n)
{
	struct option longs[SS_ARRAY_LEN(defs) + 1] = { 0 };
	struct ss_load_parse p = { .o = o, .err = err, .err_n = err_n };
	int n = 0, code = 0, which = 0;

	for (size_t i = 0; i < SS_ARRAY_LEN(defs); i++)
		if (defs[i].name)
			longs[n++] = (struct option){ defs[i].name, defs[i].arg ? required_argument : no_argument,
						      &which, (int)i };
	defaults(o);
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	for (int got; code == 0 && (got = getopt_long(argc, argv, ":", longs, NULL)) != -1;) {
		if (got != 0) {
			snprintf(err, err_n, "%s: %s; --help lists the options", argv[optind - 1],
				 got == ':' ? "needs a value" : "no such option");
			return SS_ERR_CONFIG;
		}
		code = set(&p, &defs[which], optarg);
	}
	if (code == 0 && optind < argc) {
		snprintf(err, err_n, "%s: every argument is an option", argv[optind]);
		return SS_ERR_CONFIG;
	}
	if (code < 0 || o->help || o->version || o->print_body)
		return code;
	fill_in(o);
	return ss_load_opts_fit(&p);
}
