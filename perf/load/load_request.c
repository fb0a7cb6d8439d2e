/* load_request.c - the client's making: its pools, and the one head that all requests share. */
#include <ctype.h>
#include <stdlib.h>

#include "base/err.h"
#include "perf/load/load_int.h"

static int read_file(struct ss_load_client *c, char *err, size_t err_n)
{
	FILE *f = fopen(c->o->body_file, "rb");
	uint8_t *bytes = NULL;
	long n = -1;

	if (f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0) {
		rewind(f);
		bytes = malloc((size_t)n + 1);
		if (bytes && fread(bytes, 1, (size_t)n, f) != (size_t)n) {
			free(bytes);
			bytes = NULL;
		}
	}
	if (f)
		fclose(f);
	if (!bytes) {
		snprintf(err, err_n, "--expect-body: cannot read %s", c->o->body_file);
		return SS_ERR_CONFIG;
	}
	c->reference.file = bytes;
	c->reference.file_n = (uint64_t)n;
	return 0;
}

static int lower_names(struct ss_load_client *c)
{
	const struct ss_load_opts *o = c->o;
	size_t n = 0;
	uint8_t *p;

	for (uint32_t i = 0; i < o->n_headers; i++)
		n += o->headers[i].name.n;
	p = c->lower = malloc(n + 1);
	if (!p)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < o->n_headers; i++) {
		struct ss_span name = o->headers[i].name;

		for (uint32_t b = 0; b < name.n; b++)
			p[b] = ss_lower(name.p[b]);
		ss_hdrs_add(&c->head, ss_span(p, name.n), o->headers[i].value, 0);
		p += name.n;
	}
	return 0;
}

/* Fields that frame the message are http's own business. */
static int check_fields(const struct ss_load_client *c, char *err, size_t err_n)
{
	for (uint16_t i = 0; i < c->head.n; i++) {
		const struct ss_hdr *f = &c->head.v[i];

		if (!ss_hdr_connection_specific(f->tok) && f->tok != SS_H_HOST && f->tok != SS_H_CONTENT_LENGTH)
			continue;
		snprintf(err, err_n, "--header: %.*s is made by the program (--authority, --request-size)",
			 (int)f->name.n, (const char *)f->name.p);
		return SS_ERR_CONFIG;
	}
	return 0;
}

static int make_head(struct ss_load_client *c, char *err, size_t err_n)
{
	const struct ss_load_opts *o = c->o;
	const char *authority = o->authority ? o->authority : o->sni ? o->sni : c->authority;

	ss_addr_text(&o->target, c->authority);
	ss_hdrs_init(&c->head, c->fields, SS_ARRAY_LEN(c->fields));
	c->head.method = ss_span_str(o->method);
	c->head.scheme = o->tls ? SS_SPAN("https") : SS_SPAN("http");
	c->head.authority = ss_span_str(authority);
	c->head.path = ss_span_str(o->path);
	if (lower_names(c) < 0)
		return SS_ERR_NO_MEM;
	if (check_fields(c, err, err_n) < 0)
		return SS_ERR_CONFIG;
	if (o->request_size) {
		snprintf(c->length, sizeof(c->length), "%llu", (unsigned long long)o->request_size);
		ss_hdrs_add(&c->head, SS_SPAN("content-length"), ss_span_str(c->length), 0);
	}
	return 0;
}

static int make_conns(struct ss_load_client *c)
{
	const struct ss_load_opts *o = c->o;

	c->n_conns = o->connections + o->idle;
	c->conns = calloc(c->n_conns, sizeof(*c->conns));
	c->requests = ss_pool_create("requests", sizeof(struct ss_load_request), o->connections * o->streams + 1);
	if (!c->conns || !c->requests)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < c->n_conns; i++) {
		struct ss_load_conn *k = &c->conns[i];

		ss_list_init(&k->free);
		ss_list_init(&k->closed);
		k->idle = i >= o->connections;
		ss_list_push_back(&c->closed, &k->closed);
	}
	return 0;
}

int ss_load_client_create(struct ss_load_client *c, uint64_t now, char *err, size_t err_n)
{
	int code;

	ss_list_init(&c->free);
	ss_list_init(&c->closed);
	ss_list_init(&c->in_flight);
	ss_load_hist_clear(&c->tally.latency);
	ss_load_hist_clear(&c->tally.connect);
	c->reference.check = c->o->check;
	c->reference.pattern = c->pattern;
	c->opened_at = now;
	c->sending = true;
	c->paced = c->o->rate > 0;
	c->pace.next = SS_NEVER;
	c->pace.gap = 1;
	snprintf(err, err_n, "no memory for the client's %u connections", c->o->connections + c->o->idle);
	if ((code = make_conns(c)) < 0 || (code = make_head(c, err, err_n)) < 0)
		return code;
	return c->o->check == SS_LOAD_CHECK_FILE ? read_file(c, err, err_n) : 0;
}

void ss_load_client_free(struct ss_load_client *c)
{
	ss_load_tickets_free(&c->tickets);
	ss_pool_free(c->requests);
	free((uint8_t *)(uintptr_t)c->reference.file);
	free(c->lower);
	free(c->conns);
}
