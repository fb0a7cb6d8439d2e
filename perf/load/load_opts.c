/* load_opts.c - one table of options makes the parser and the manual. */
#include "perf/load/load_opts.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/err.h"

struct parse {
	struct ss_load_opts *o;
	const char *name; /* of the option at hand */
	char *err;
	size_t err_n;
};

static int bad(const struct parse *p, const char *fmt, ...) SS_PRINTF(2, 3);
static int bad(const struct parse *p, const char *fmt, ...)
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
	int (*own)(struct parse *p, const char *v);
	const char *help;
};

/* -- options with a shape of their own -- */

static int port(struct parse *p, const char *v)
{
	if (p->o->n_ports == SS_MAX_PORTS)
		return bad(p, "more than %d", SS_MAX_PORTS);
	p->o->ports[p->o->n_ports++] = (struct ss_load_port){ .device = v, .mtu = 1500 };
	return 0;
}

static struct ss_load_port *last_port(struct parse *p)
{
	if (p->o->n_ports)
		return &p->o->ports[p->o->n_ports - 1];
	bad(p, "belongs to the --port before it, and there is none");
	return NULL;
}

static int address(struct parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	const char *slash = strchr(v, '/');
	char ip[SS_IP_TEXT];
	uint64_t bits = 24;

	if (!port)
		return SS_ERR_CONFIG;
	if (port->n_addrs == SS_LOAD_MAX_ADDRS)
		return bad(p, "a port has at most %d", SS_LOAD_MAX_ADDRS);
	snprintf(ip, sizeof(ip), "%.*s", slash ? (int)(slash - v) : (int)strlen(v), v);
	if (ss_ip_parse(ip, &port->addrs[port->n_addrs].ip) < 0 ||
	    (slash && (ss_load_value_u64(slash + 1, &bits) < 0 || bits < 1 || bits > 32)))
		return bad(p, "\"%s\" is no address such as 10.0.0.1/24", v);
	port->addrs[port->n_addrs++].prefix = (uint8_t)bits;
	return 0;
}

static int prefix(struct parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	uint64_t bits;

	if (!port)
		return SS_ERR_CONFIG;
	if (!port->n_addrs || ss_load_value_u64(v, &bits) < 0 || bits < 1 || bits > 32)
		return bad(p, "is a number from 1 to 32 and follows its --address");
	port->addrs[port->n_addrs - 1].prefix = (uint8_t)bits;
	return 0;
}

static int gateway(struct parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);

	if (!port)
		return SS_ERR_CONFIG;
	return ss_ip_parse(v, &port->gateway) < 0 ? bad(p, "\"%s\" is no address", v) : 0;
}

static int mtu(struct parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	uint64_t n;

	if (!port)
		return SS_ERR_CONFIG;
	if (ss_load_value_u64(v, &n) < 0 || n < 576 || n > 9000)
		return bad(p, "is from 576 to 9000");
	port->mtu = (uint32_t)n;
	return 0;
}

static int proto(struct parse *p, const char *v)
{
	static const struct { const char *name; enum ss_protocol proto; } names[] = {
		{ "h1", SS_PROTO_H1 }, { "h2", SS_PROTO_H2 }
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++)
		if (strcmp(v, names[i].name) == 0) {
			p->o->proto = names[i].proto;
			return 0;
		}
	return bad(p, "is h1 or h2, not \"%s\"", v);
}

static bool is_token(char c)
{
	return c && (strchr("!#$%&'*+-.^_`|~", c) || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		     (c >= 'a' && c <= 'z'));
}

static int header(struct parse *p, const char *v)
{
	struct ss_load_opts *o = p->o;
	const char *colon = v, *value;

	while (is_token(*colon))
		colon++;
	if (*colon != ':' || colon == v)
		return bad(p, "\"%s\" is not NAME:VALUE", v);
	for (value = colon + 1; *value == ' '; value++)
		;
	if (strpbrk(value, "\r\n"))
		return bad(p, "a value has no line breaks");
	if (o->n_headers == SS_LOAD_MAX_HEADERS)
		return bad(p, "more than %d fields", SS_LOAD_MAX_HEADERS);
	o->headers[o->n_headers++] = (struct ss_load_header){ ss_span(v, (uint32_t)(colon - v)), ss_span_str(value) };
	return 0;
}

static int header_set(struct parse *p, const char *v)
{
	int code = ss_load_header_set(p->o, v);

	if (code == SS_ERR_NOT_FOUND)
		return bad(p, "there is no set \"%s\", only: %s", v, ss_load_header_sets());
	return code < 0 ? bad(p, "more than %d fields", SS_LOAD_MAX_HEADERS) : 0;
}

static int expect_body(struct parse *p, const char *v)
{
	p->o->check = strcmp(v, "pattern") == 0 ? SS_LOAD_CHECK_PATTERN :
		      strcmp(v, "any") == 0	? SS_LOAD_CHECK_ANY :
						  SS_LOAD_CHECK_FILE;
	p->o->body_file = p->o->check == SS_LOAD_CHECK_FILE ? v : NULL;
	return 0;
}

static int arrival(struct parse *p, const char *v)
{
	p->o->poisson = strcmp(v, "poisson") == 0;
	return p->o->poisson || strcmp(v, "even") == 0 ? 0 : bad(p, "is even or poisson, not \"%s\"", v);
}

static int add_listen(struct parse *p, const char *v, bool tls)
{
	struct ss_load_opts *o = p->o;

	if (o->n_listen == SS_LOAD_MAX_LISTEN)
		return bad(p, "more than %d", SS_LOAD_MAX_LISTEN);
	if (ss_load_value_addr(v, &o->listen[o->n_listen].addr) < 0)
		return bad(p, "\"%s\" is no ADDRESS:PORT", v);
	o->listen[o->n_listen++].tls = tls;
	return 0;
}

static int listen_plain(struct parse *p, const char *v)
{
	return add_listen(p, v, false);
}

static int listen_tls(struct parse *p, const char *v)
{
	return add_listen(p, v, true);
}

static int delay(struct parse *p, const char *v)
{
	struct ss_load_delays *d = &p->o->delays;
	const char *colon = strchr(v, ':');
	char text[32];
	uint64_t ns;

	snprintf(text, sizeof(text), "%.*s", colon ? (int)(colon - v) : (int)strlen(v), v);
	if (ss_load_value_duration(text, &ns) < 0)
		return bad(p, "\"%s\" is no duration such as 100us", text);
	if (!colon) {
		d->base_ns = ns;
		return 0;
	}
	if (d->n == SS_LOAD_MAX_DELAYS)
		return bad(p, "more than %d shares", SS_LOAD_MAX_DELAYS);
	if (ss_load_value_share(colon + 1, &d->v[d->n].share) < 0)
		return bad(p, "\"%s\" is no share such as 1%%", colon + 1);
	d->v[d->n++].ns = ns;
	return 0;
}

/* -- the table -- */

#define AT(field) offsetof(struct ss_load_opts, field)
#define GROUP(text) { .help = text }
#define NS_HOUR (3600 * SS_NS_PER_SEC)

static const struct def defs[] = {
	GROUP("ports and cores"),
	{ "port", "DEVICE", OWN, .own = port, .help = "a DPDK device: net_memif0,role=..., net_af_xdp0,iface=..., PCI; repeatable" },
	{ "address", "IP[/BITS]", OWN, .own = address, .help = "an address of the last --port (default /24); repeatable" },
	{ "prefix", "BITS", OWN, .own = prefix, .help = "of the last --address" },
	{ "gateway", "IP", OWN, .own = gateway, .help = "of the last --port" },
	{ "mtu", "BYTES", OWN, .own = mtu, .help = "of the last --port (1500)" },
	{ "lcore", "CPU", U32, AT(lcore), .max = 1023, .help = "where the worker spins (1)" },
	{ "control-core", "CPU", U32, AT(control_core), AT(control_set), .max = 1023, .help = "of the thread that reports (that of the worker)" },
	{ "memory", "MB", U32, AT(memory_mb), .min = 64, .max = 1048576, .help = "for packet buffers (512)" },
	{ "mbufs", "N", U32, AT(mbufs), .min = 1024, .max = 8388608, .help = "packet buffers for sending, and as many for each port (16384)" },
	{ "descriptors", "N", U32, AT(descriptors), .min = 64, .max = 32768, .help = "of each port's rings (1024)" },
	{ "hugepages", NULL, FLAG, AT(hugepages), .help = "take memory from hugepages" },
	GROUP("client"),
	{ "target", "ADDRESS:PORT", ADDR, AT(target), AT(client), .help = "send requests there" },
	{ "proto", "h1|h2", OWN, .is_set = AT(proto_set), .own = proto, .help = "HTTP/1.1 (default) or HTTP/2, over TLS by ALPN" },
	{ "tls", NULL, FLAG, AT(tls), .help = "TLS; the server is always verified" },
	{ "ca", "FILE", TEXT, AT(ca), .help = "whom the server's certificate must come from" },
	{ "cert", "FILE", TEXT, AT(cert), .help = "our certificate: mutual TLS" },
	{ "key", "FILE", TEXT, AT(key), .help = "its key" },
	{ "sni", "NAME", TEXT, AT(sni), .help = "the server's DNS name: asked for, and verified unless --server-id is given" },
	{ "server-id", "SPIFFE-ID", TEXT, AT(server_id), .help = "the server's identity: verified" },
	{ "method", "TEXT", TEXT, AT(method), .help = "(GET, or POST with --request-size)" },
	{ "path", "TEXT", TEXT, AT(path), .help = "(/)" },
	{ "authority", "TEXT", TEXT, AT(authority), .help = "host (--sni, else the target)" },
	{ "header", "NAME:VALUE", OWN, .own = header, .help = "one more field; repeatable" },
	{ "header-set", "NAME", OWN, .own = header_set, .help = "many at once: browser (10 fields), service (5), grpc (5)" },
	{ "request-size", "BYTES", SIZE, AT(request_size), .max = 1ull << 40, .help = "body of each request (0)" },
	{ "connections", "N", U32, AT(connections), .max = SS_LOAD_MAX_CONNS, .help = "that carry requests (1)" },
	{ "streams", "N", U32, AT(streams), .min = 1, .max = 1000, .help = "requests at once on each, h2 only (1)" },
	{ "idle", "N", U32, AT(idle), .max = SS_LOAD_MAX_CONNS, .help = "more connections that are opened and held (0)" },
	{ "rate", "PER-SECOND", RATE, AT(rate), .help = "open loop: requests a second in all, latency from the intended time" },
	{ "arrival", "even|poisson", OWN, .own = arrival, .help = "how an open loop spaces them (even)" },
	{ "churn", "N", U32, AT(churn), .max = UINT32_MAX, .help = "a new connection after every N requests (0: never)" },
	{ "resume", NULL, FLAG, AT(resume), .help = "resume TLS from tickets of earlier connections (default: full handshakes)" },
	{ "warmup", "TIME", DURATION, AT(warmup_ns), .max = NS_HOUR, .help = "before measuring, once all connections are open (1s)" },
	{ "duration", "TIME", DURATION, AT(duration_ns), .max = 1000 * NS_HOUR, .help = "of measuring (10s); origin: until ended" },
	{ "requests", "N", U64, AT(requests), .max = UINT64_MAX - 1, .help = "measure so many instead" },
	{ "timeout", "TIME", DURATION, AT(timeout_ns), .min = SS_NS_PER_MS, .max = NS_HOUR, .help = "of a request and of opening a connection (10s)" },
	{ "expect-status", "N", U32, AT(expect_status), .min = 100, .max = 599, .help = "(200)" },
	{ "expect-size", "BYTES", SIZE, AT(expect_size), .max = 1ull << 40, .help = "of each response body (any)" },
	{ "expect-body", "WHAT", OWN, .own = expect_body, .help = "pattern (default; as our origin and --print-body give), any, or a file" },
	GROUP("origin"),
	{ "listen", "ADDRESS:PORT", OWN, .own = listen_plain, .help = "answer there, h1 and h2 in plaintext; repeatable" },
	{ "listen-tls", "ADDRESS:PORT", OWN, .own = listen_tls, .help = "the same over TLS, by ALPN; repeatable" },
	{ "origin-cert", "FILE", TEXT, AT(origin_cert), .help = "its certificate" },
	{ "origin-key", "FILE", TEXT, AT(origin_key), .help = "its key" },
	{ "origin-ca", "FILE", TEXT, AT(origin_ca), .help = "demand client certificates from there" },
	{ "origin-tickets", NULL, FLAG, AT(origin_tickets), .help = "give out tickets, so that clients may resume" },
	{ "response-size", "BYTES", SIZE, AT(response_size), .max = 1ull << 40, .help = "body of each response (128); a path /size/N has N instead" },
	{ "response-status", "N", U32, AT(response_status), .min = 200, .max = 599, .help = "(200)" },
	{ "delay", "TIME[:SHARE]", OWN, .own = delay, .help = "wait before answering; with 10ms:1% in that share of requests; repeatable" },
	{ "max-connections", "N", U32, AT(max_connections), .min = 1, .max = SS_LOAD_MAX_CONNS, .help = "accepted at once (4096)" },
	{ "max-streams", "N", U32, AT(max_streams), .min = 1, .max = 65536, .help = "on one h2 connection at once (256)" },
	GROUP("report"),
	{ "json", "FILE", TEXT, AT(json), .help = "write the figures there as well (-: standard output instead of the text)" },
	{ "quiet", NULL, FLAG, AT(quiet), .help = "no progress line" },
	{ "print-body", "BYTES", SIZE, AT(print_bytes), AT(print_body), .max = 1ull << 40, .help = "write a body of that size to standard output, and end" },
	{ "version", NULL, FLAG, AT(version), .help = "" },
	{ "help", NULL, FLAG, AT(help), .help = "" },
};

void ss_load_opts_usage(FILE *to)
{
	fputs("usage: sidestep-load --port DEVICE --address IP [--target ADDRESS:PORT ...] [--listen ADDRESS:PORT ...]\n"
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
	      "Status: 0 every answer was right, 1 errors, 2 it could not start, 3 something was held at the end.\n", to);
}

static int ranged(const struct parse *p, const struct def *d, const char *v, int code, uint64_t got, uint64_t *out)
{
	if (code < 0)
		return bad(p, "\"%s\" is no %s", v, d->arg);
	if (got < d->min || (d->max && got > d->max))
		return bad(p, "\"%s\" is not from %llu to %llu", v, (unsigned long long)d->min,
			   (unsigned long long)d->max);
	*out = got;
	return 0;
}

static int number(const struct parse *p, const struct def *d, const char *v, void *at)
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

static int rate(const struct parse *p, const char *v, double *out)
{
	char *end;

	*out = strtod(v, &end);
	return *end || *out < 0.001 || *out > 1e9 ? bad(p, "\"%s\" is no number from 0.001 to 1e9", v) : 0;
}

static int set(struct parse *p, const struct def *d, const char *v)
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
		return ss_load_value_addr(v, at) < 0 ? bad(p, "\"%s\" is no ADDRESS:PORT", v) : 0;
	case OWN:
		return d->own(p, v);
	default:
		return number(p, d, v, at);
	}
}

/* -- what must fit together -- */

static bool owned(const struct ss_load_opts *o, const struct ss_ip *ip)
{
	for (uint32_t i = 0; i < o->n_ports; i++)
		for (uint32_t k = 0; k < o->ports[i].n_addrs; k++)
			if (ss_ip_eq(&o->ports[i].addrs[k].ip, ip))
				return true;
	return false;
}

static int check_client(struct parse *p)
{
	const struct ss_load_opts *o = p->o;

	p->name = "target";
	if (!o->client)
		return o->n_listen ? 0 : bad(p, "or --listen: there is nothing to do without");
	if (owned(o, &o->target.ip))
		return bad(p, "is one of our own addresses; a process does not talk to itself");
	p->name = "tls";
	if (o->tls && (!o->ca || (!o->sni && !o->server_id)))
		return bad(p, "needs --ca, and --sni or --server-id: the server is always verified");
	if (!o->tls && (o->ca || o->cert || o->key || o->sni || o->server_id))
		return bad(p, "is missing, but --ca, --cert, --key, --sni or --server-id is given");
	p->name = "resume";
	if (o->resume && !o->tls)
		return bad(p, "is about TLS, and --tls is not given");
	p->name = "cert";
	if (!o->cert != !o->key)
		return bad(p, "and --key go together");
	p->name = "streams";
	if (o->streams > 1 && o->proto == SS_PROTO_H1)
		return bad(p, "h1 carries one request at a time");
	p->name = "connections";
	if (o->connections + o->idle == 0)
		return bad(p, "none, and no --idle: there is nothing to do");
	return 0;
}

static int check_origin(struct parse *p)
{
	const struct ss_load_opts *o = p->o;
	double sum = 0;

	for (uint32_t i = 0; i < o->n_listen; i++) {
		p->name = o->listen[i].tls ? "listen-tls" : "listen";
		if (!owned(o, &o->listen[i].addr.ip))
			return bad(p, "no --address has that IP");
		if (o->listen[i].tls && (!o->origin_cert || !o->origin_key))
			return bad(p, "needs --origin-cert and --origin-key");
	}
	p->name = "delay";
	for (uint32_t i = 0; i < o->delays.n; i++)
		sum += o->delays.v[i].share;
	return sum > 1.000001 ? bad(p, "the shares are more than all requests") : 0;
}

static int check(struct parse *p)
{
	const struct ss_load_opts *o = p->o;

	p->name = "port";
	if (!o->n_ports)
		return bad(p, "is needed");
	p->name = "address";
	for (uint32_t i = 0; i < o->n_ports; i++)
		if (!o->ports[i].n_addrs)
			return bad(p, "port %s has none", o->ports[i].device);
	return check_client(p) < 0 ? SS_ERR_CONFIG : check_origin(p);
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

int ss_load_opts_parse(struct ss_load_opts *o, int argc, char **argv, char *err, size_t err_n)
{
	struct option longs[SS_ARRAY_LEN(defs) + 1] = { 0 };
	struct parse p = { .o = o, .err = err, .err_n = err_n };
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
	return check(&p);
}
