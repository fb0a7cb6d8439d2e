/* load_readers.c - options that are more than a number or a text. */
#include <stdlib.h>

#include "perf/load/load_opts_int.h"

int ss_load_read_port(struct ss_load_parse *p, const char *v)
{
	if (p->o->n_ports == SS_MAX_PORTS)
		return ss_load_bad(p, "more than %d", SS_MAX_PORTS);
	p->o->ports[p->o->n_ports++] = (struct ss_load_port){ .device = v, .mtu = 1500 };
	return 0;
}

static struct ss_load_port *last_port(struct ss_load_parse *p)
{
	if (p->o->n_ports)
		return &p->o->ports[p->o->n_ports - 1];
	ss_load_bad(p, "belongs to the --port before it, and there is none");
	return NULL;
}

int ss_load_read_address(struct ss_load_parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	const char *slash = strchr(v, '/');
	char ip[SS_IP_TEXT];
	uint64_t bits = 24;

	if (!port)
		return SS_ERR_CONFIG;
	if (port->n_addrs == SS_LOAD_MAX_ADDRS)
		return ss_load_bad(p, "a port has at most %d", SS_LOAD_MAX_ADDRS);
	snprintf(ip, sizeof(ip), "%.*s", slash ? (int)(slash - v) : (int)strlen(v), v);
	if (ss_ip_parse(ip, &port->addrs[port->n_addrs].ip) < 0 ||
	    (slash && (ss_load_value_u64(slash + 1, &bits) < 0 || bits < 1 || bits > 32)))
		return ss_load_bad(p, "\"%s\" is no address such as 10.0.0.1/24", v);
	port->addrs[port->n_addrs++].prefix = (uint8_t)bits;
	return 0;
}

int ss_load_read_prefix(struct ss_load_parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	uint64_t bits;

	if (!port)
		return SS_ERR_CONFIG;
	if (!port->n_addrs || ss_load_value_u64(v, &bits) < 0 || bits < 1 || bits > 32)
		return ss_load_bad(p, "is a number from 1 to 32 and follows its --address");
	port->addrs[port->n_addrs - 1].prefix = (uint8_t)bits;
	return 0;
}

int ss_load_read_gateway(struct ss_load_parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);

	if (!port)
		return SS_ERR_CONFIG;
	return ss_ip_parse(v, &port->gateway) < 0 ? ss_load_bad(p, "\"%s\" is no address", v) : 0;
}

int ss_load_read_mtu(struct ss_load_parse *p, const char *v)
{
	struct ss_load_port *port = last_port(p);
	uint64_t n;

	if (!port)
		return SS_ERR_CONFIG;
	if (ss_load_value_u64(v, &n) < 0 || n < 576 || n > 9000)
		return ss_load_bad(p, "is from 576 to 9000");
	port->mtu = (uint32_t)n;
	return 0;
}

int ss_load_read_proto(struct ss_load_parse *p, const char *v)
{
	static const struct { const char *name; enum ss_protocol proto; } names[] = {
		{ "h1", SS_PROTO_H1 }, { "h2", SS_PROTO_H2 }
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++)
		if (strcmp(v, names[i].name) == 0) {
			p->o->proto = names[i].proto;
			return 0;
		}
	return ss_load_bad(p, "is h1 or h2, not \"%s\"", v);
}

static bool is_token(char c)
{
	return c && (strchr("!#$%&'*+-.^_`|~", c) || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		     (c >= 'a' && c <= 'z'));
}

int ss_load_read_header(struct ss_load_parse *p, const char *v)
{
	struct ss_load_opts *o = p->o;
	const char *colon = v, *value;

	while (is_token(*colon))
		colon++;
	if (*colon != ':' || colon == v)
		return ss_load_bad(p, "\"%s\" is not NAME:VALUE", v);
	for (value = colon + 1; *value == ' '; value++)
		;
	if (strpbrk(value, "\r\n"))
		return ss_load_bad(p, "a value has no line breaks");
	if (o->n_headers == SS_LOAD_MAX_HEADERS)
		return ss_load_bad(p, "more than %d fields", SS_LOAD_MAX_HEADERS);
	o->headers[o->n_headers].name = ss_span(v, (uint32_t)(colon - v));
	o->headers[o->n_headers++].value = ss_span_str(value);
	return 0;
}

/* A field a line, as --header takes it; empty lines and those that start with # are skipped. */
static int header_lines(struct ss_load_parse *p, FILE *f)
{
	struct ss_load_opts *o = p->o;
	char *line = NULL;
	size_t room = 0;
	int code = 0;

	while (code == 0 && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (o->n_lines == SS_LOAD_MAX_HEADERS || !(o->lines[o->n_lines] = strdup(line)))
			code = ss_load_bad(p, "more than %d fields, or no memory", SS_LOAD_MAX_HEADERS);
		else
			code = ss_load_read_header(p, o->lines[o->n_lines++]);
	}
	free(line);
	return code;
}

int ss_load_read_header_set(struct ss_load_parse *p, const char *v)
{
	int code = ss_load_header_set(p->o, v);

	if (code == SS_ERR_NOT_FOUND) {
		FILE *f = fopen(v, "r");

		if (!f)
			return ss_load_bad(p, "\"%s\" is neither a file nor one of: %s", v, ss_load_header_sets());
		code = header_lines(p, f);
		fclose(f);
		return code;
	}
	return code < 0 ? ss_load_bad(p, "more than %d fields", SS_LOAD_MAX_HEADERS) : 0;
}

int ss_load_read_expect_body(struct ss_load_parse *p, const char *v)
{
	p->o->check = strcmp(v, "pattern") == 0 ? SS_LOAD_CHECK_PATTERN :
		      strcmp(v, "any") == 0	? SS_LOAD_CHECK_ANY :
						  SS_LOAD_CHECK_FILE;
	p->o->body_file = p->o->check == SS_LOAD_CHECK_FILE ? v : NULL;
	return 0;
}

int ss_load_read_arrival(struct ss_load_parse *p, const char *v)
{
	p->o->poisson = strcmp(v, "poisson") == 0;
	return p->o->poisson || strcmp(v, "even") == 0 ? 0 : ss_load_bad(p, "is even or poisson, not \"%s\"", v);
}

static int add_listen(struct ss_load_parse *p, const char *v, bool tls)
{
	struct ss_load_opts *o = p->o;

	if (o->n_listen == SS_LOAD_MAX_LISTEN)
		return ss_load_bad(p, "more than %d", SS_LOAD_MAX_LISTEN);
	if (ss_load_value_addr(v, &o->listen[o->n_listen].addr) < 0)
		return ss_load_bad(p, "\"%s\" is no ADDRESS:PORT", v);
	o->listen[o->n_listen++].tls = tls;
	return 0;
}

int ss_load_read_listen_plain(struct ss_load_parse *p, const char *v)
{
	return add_listen(p, v, false);
}

int ss_load_read_listen_tls(struct ss_load_parse *p, const char *v)
{
	return add_listen(p, v, true);
}

int ss_load_read_delay(struct ss_load_parse *p, const char *v)
{
	struct ss_load_delays *d = &p->o->delays;
	const char *colon = strchr(v, ':');
	char text[32];
	uint64_t ns;

	snprintf(text, sizeof(text), "%.*s", colon ? (int)(colon - v) : (int)strlen(v), v);
	if (ss_load_value_duration(text, &ns) < 0)
		return ss_load_bad(p, "\"%s\" is no duration such as 100us", text);
	if (!colon) {
		d->base_ns = ns;
		return 0;
	}
	if (d->n == SS_LOAD_MAX_DELAYS)
		return ss_load_bad(p, "more than %d shares", SS_LOAD_MAX_DELAYS);
	if (ss_load_value_share(colon + 1, &d->v[d->n].share) < 0)
		return ss_load_bad(p, "\"%s\" is no share such as 1%%", colon + 1);
	d->v[d->n++].ns = ns;
	return 0;
}
