/* why_ask.c - the question: its words, and the head that a connection would have read. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "why/why_int.h"
#include "wire/h1.h"
#include "wire/uri.h"

static int wrong(char *err, size_t err_n, const char *what, const char *word)
{
	snprintf(err, err_n, "%s: \"%.200s\"", what, word);
	return SS_ERR_CONFIG;
}

static const struct {
	const char *word;
	size_t at;
} words[] = {
	{"listener", offsetof(struct ss_why_ask, listener)}, {"method", offsetof(struct ss_why_ask, method)},
	{"authority", offsetof(struct ss_why_ask, authority)}, {"path", offsetof(struct ss_why_ask, path)},
	{"identity", offsetof(struct ss_why_ask, identity)}, {"source", offsetof(struct ss_why_ask, source)},
	{"sni", offsetof(struct ss_why_ask, sni)}, {"config", offsetof(struct ss_why_ask, config)},
	{"request", offsetof(struct ss_why_ask, request)},
};

static const char **place_of(struct ss_why_ask *ask, const char *word)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++)
		if (!strcmp(words[i].word, word))
			return (const char **)((char *)ask + words[i].at);
	return NULL;
}

static int read_word(struct ss_why_ask *ask, char *word, char *err, size_t err_n)
{
	char *value = strchr(word, '=');
	const char **to;

	if (!value)
		return wrong(err, err_n, "not NAME=VALUE", word);
	*value++ = '\0';
	if (!strcmp(word, "header")) {
		if (ask->n_headers == SS_WHY_HEADERS)
			return wrong(err, err_n, "one header too many", value);
		ask->headers[ask->n_headers++] = value;
		return 0;
	}
	to = place_of(ask, word);
	if (!to)
		return wrong(err, err_n, "no such word", word);
	if (*to)
		return wrong(err, err_n, "said twice", word);
	*to = value;
	return 0;
}

int ss_why_read(struct ss_why_ask *ask, char *line, char *err, size_t err_n)
{
	int code = 0;

	*ask = (struct ss_why_ask){0};
	while (line && !code) {
		char *word = line;
		line = strchr(line, SS_WHY_SEP);
		if (line)
			*line++ = '\0';
		code = read_word(ask, word, err, err_n);
	}
	return code;
}

/* -- the head -- */

static void put(struct ss_out *o, const char *text)
{
	ss_out_bytes(o, text, strlen(text));
}

/* A request of a client whose every header is as it was said; the parser's refusals are a worker's. */
static uint32_t compose(const struct why_case *k, uint8_t *p, size_t room)
{
	const struct ss_why_ask *a = k->ask;
	struct ss_out o = ss_out(p, (uint32_t)room);

	put(&o, a->method ? a->method : "GET");
	put(&o, " ");
	put(&o, a->path ? a->path : "/");
	put(&o, " HTTP/1.1\r\nhost: ");
	put(&o, a->authority ? a->authority : "");
	put(&o, "\r\n");
	for (uint32_t i = 0; i < a->n_headers; i++) {
		put(&o, a->headers[i]);
		put(&o, "\r\n");
	}
	put(&o, "\r\n");
	return (uint32_t)(o.p - p);
}

static size_t length(const struct ss_why_ask *a)
{
	size_t n = 64 + (a->method ? strlen(a->method) : 3) + (a->path ? strlen(a->path) : 1) +
		   (a->authority ? strlen(a->authority) : 0);

	for (uint32_t i = 0; i < a->n_headers; i++)
		n += strlen(a->headers[i]) + 2;
	return n;
}

/* As dataplane/http has it (ss_http_request_clean). */
static int clean(struct why_case *k, char *err, size_t err_n)
{
	struct ss_span host, norm;
	uint32_t room = k->came.path.n + 64;
	uint8_t *p = ss_arena_alloc(&k->arena, room);
	struct ss_out out = ss_out(p, p ? room : 0);
	uint16_t port;

	if (!p)
		return SS_ERR_NO_MEM;
	if (k->came.authority.n && ss_uri_authority(k->came.authority, &host, &port) < 0)
		return wrong(err, err_n, "no authority", k->ask->authority ? k->ask->authority : "");
	if (ss_span_eq(k->came.method, SS_SPAN("CONNECT")))
		return 0;
	if (ss_uri_path(k->came.path, 0, &out, &norm) < 0)
		return wrong(err, err_n, "a path that is refused with 400", k->ask->path ? k->ask->path : "/");
	k->came.path = norm;
	return 0;
}

static int read_peer(struct why_case *k, char *err, size_t err_n)
{
	const struct ss_why_ask *a = k->ask;

	if (a->source && ss_ip_parse(a->source, &k->peer.ip) < 0)
		return wrong(err, err_n, "no address", a->source);
	k->rq = (struct ss_route_request){.peer_identity = a->identity ? ss_span_str(a->identity) : SS_SPAN_NONE,
					  .sni = a->sni ? ss_span_str(a->sni) : SS_SPAN_NONE,
					  .peer = a->source ? &k->peer : NULL,
					  .local = &k->l->addr,
					  .worker = (uint16_t)k->s->n_workers};
	return 0;
}

int why_read_head(struct why_case *k, char *err, size_t err_n)
{
	size_t room = length(k->ask);
	uint8_t *p = ss_arena_alloc(&k->arena, room);
	struct ss_h1_head head = {0};
	uint32_t n;
	int rc;

	if (!p)
		return wrong(err, err_n, "a request of too many bytes", k->ask->path ? k->ask->path : "/");
	n = compose(k, p, room);
	ss_hdrs_init(&k->came, k->fields, SS_ARRAY_LEN(k->fields));
	rc = ss_h1_parse_request(p, n, &head, &k->came);
	if (rc <= 0 || (uint32_t)rc != n)
		return wrong(err, err_n, "not a request that is read",
			     head.why ? ss_h1_why_text(head.why) : "it ends too early");
	rc = clean(k, err, err_n);
	return rc < 0 ? rc : read_peer(k, err, err_n);
}
