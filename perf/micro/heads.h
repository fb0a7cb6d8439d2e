/*
 * heads.h - realistic heads for the benches: a gRPC call, a browser's page load, an API's answer.
 *
 * Takes:   nothing.
 * Gives:   header blocks over constant text.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_MICRO_HEADS_H
#define SS_MICRO_HEADS_H

#include "base/base.h"
#include "wire/hdr.h"

#define HEADS_FIELDS 20

struct head_field {
	const char *name, *value;
	bool fresh; /* differs from message to message */
};

struct head {
	const char *method, *path; /* NULL: a response */
	const char *authority;
	uint16_t status;
	struct head_field f[HEADS_FIELDS];
};

/* Ten fields in all. The last two differ from call to call, so that no table has them. */
static const struct head head_grpc SS_UNUSED = {
	.method = "POST",
	.path = "/shop.v1.CartService/AddItem",
	.authority = "cart.shop.svc.cluster.local:8443",
	.f = {{"content-type", "application/grpc"},
	      {"te", "trailers"},
	      {"user-agent", "grpc-go/1.62.1"},
	      {"grpc-accept-encoding", "gzip"},
	      {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
	      {"x-request-id", "7d7e2b0c-53b1-4f8e-9c2e-1d0f5a3b6c48", true}},
};

static const struct head head_browser SS_UNUSED = {
	.method = "GET",
	.path = "/shop/items/2941?ref=home&page=3",
	.authority = "www.example.com",
	.f = {{"sec-ch-ua", "\"Chromium\";v=\"122\", \"Not(A:Brand\";v=\"24\""},
	      {"sec-ch-ua-mobile", "?0"},
	      {"sec-ch-ua-platform", "\"Linux\""},
	      {"upgrade-insecure-requests", "1"},
	      {"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
			     "Chrome/122.0.0.0 Safari/537.36"},
	      {"accept",
	       "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
	      {"sec-fetch-site", "same-origin"},
	      {"sec-fetch-mode", "navigate"},
	      {"sec-fetch-user", "?1"},
	      {"sec-fetch-dest", "document"},
	      {"referer", "https://www.example.com/shop/"},
	      {"accept-encoding", "gzip, deflate, br"},
	      {"accept-language", "en-GB,en;q=0.9,de;q=0.8"},
	      {"cookie", "session=eyJpZCI6NDIsIm4iOiJzaWRlIn0.Zk3Q2A.s5nXh0fQz; theme=dark"}},
};

static const struct head head_small SS_UNUSED = {
	.method = "GET",
	.path = "/128",
	.authority = "127.0.0.1",
	.f = {{"user-agent", "h2load nghttp2/1.52.0"}},
};

static const struct head head_answer SS_UNUSED = {
	.status = 200,
	.f = {{"server", "nginx/1.22.1"},
	      {"date", "Sat, 21 Nov 2026 16:20:36 GMT"},
	      {"content-type", "application/json"},
	      {"content-length", "128"},
	      {"vary", "Accept-Encoding"},
	      {"cache-control", "no-store"}},
};

/* The head as a block; v has room for HEADS_FIELDS. */
static inline struct ss_hdrs head_block(const struct head *from, struct ss_hdr *v)
{
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, HEADS_FIELDS);
	h.status = from->status;
	h.method = ss_span_str(from->method);
	h.scheme = from->method ? SS_SPAN("https") : SS_SPAN_NONE;
	h.authority = ss_span_str(from->authority);
	h.path = ss_span_str(from->path);
	for (const struct head_field *f = from->f; f < from->f + HEADS_FIELDS && f->name; f++)
		ss_hdrs_add(&h, ss_span_str(f->name), ss_span_str(f->value), 0);
	return h;
}

#endif
