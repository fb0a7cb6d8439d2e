/* load_headers.c - named sets of request headers, so that runs on different days send the same. */
#include "base/err.h"
#include "perf/load/load_opts.h"

struct field {
	const char *name, *value;
};

/* What a browser's fetch of a page's part looks like: ten fields, about 600 bytes. */
static const struct field browser[] = {
	{ "user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0" },
	{ "accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" },
	{ "accept-language", "en-US,en;q=0.5" },
	{ "accept-encoding", "gzip, deflate, br, zstd" },
	{ "referer", "https://shop.example/catalogue/lamps?page=2" },
	{ "cookie", "id=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=2026-01-01T00.00.00Z" },
	{ "sec-fetch-dest", "document" },
	{ "sec-fetch-mode", "navigate" },
	{ "sec-fetch-site", "same-origin" },
	{ "cache-control", "max-age=0" },
	{ NULL, NULL },
};

/* A call between services with tracing. */
static const struct field service[] = {
	{ "user-agent", "shop-cart/1.4.2" },
	{ "accept", "application/json" },
	{ "x-request-id", "5f0c1d9e-2a57-4f7c-9f0e-6f4f0c3f1b11" },
	{ "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
	{ "authorization", "Bearer c2hvcC1jYXJ0LXRva2VuLXRoYXQtaXMtZm9ydHktZWlnaHQtYnl0ZXM" },
	{ NULL, NULL },
};

/* As gRPC over HTTP/2 asks; give --method POST as well. */
static const struct field grpc[] = {
	{ "te", "trailers" },
	{ "content-type", "application/grpc" },
	{ "user-agent", "grpc-c/40.0.0 (linux; chttp2)" },
	{ "grpc-accept-encoding", "identity, deflate, gzip" },
	{ "grpc-timeout", "5S" },
	{ NULL, NULL },
};

static const struct {
	const char *name;
	const struct field *fields;
} sets[] = { { "browser", browser }, { "service", service }, { "grpc", grpc } };

const char *ss_load_header_sets(void)
{
	return "browser, service, grpc";
}

int ss_load_header_set(struct ss_load_opts *o, const char *name)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(sets); i++) {
		if (strcmp(sets[i].name, name) != 0)
			continue;
		for (const struct field *f = sets[i].fields; f->name; f++) {
			if (o->n_headers == SS_LOAD_MAX_HEADERS)
				return SS_ERR_FULL;
			o->headers[o->n_headers++] = (struct ss_load_header){ ss_span_str(f->name),
									      ss_span_str(f->value) };
		}
		return 0;
	}
	return SS_ERR_NOT_FOUND;
}
