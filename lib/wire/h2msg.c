#include "base/err.h"
#include "wire/chars.h"
#include "wire/h2msg.h"
#include "wire/uri.h"

/* RFC 9113 8.2.2: connection-specific fields; TE only as "trailers". */
static bool connection_specific(const struct ss_hdr *f)
{
	if (f->tok == SS_H_TE)
		return !ss_span_ieq(f->value, SS_SPAN("trailers"));
	return ss_hdr_connection_specific(f->tok);
}

/* Digits only, no overflow. Several equal values or lists are refused (RFC 9110 8.6 lets us). */
static int content_length(const struct ss_hdr *f, uint64_t *length)
{
	uint64_t v = 0;

	if (f->value.n == 0 || f->value.n > 18 || !ss_chars_all(f->value, SS_CH_DIGIT))
		return SS_ERR_BAD_STREAM;
	for (uint32_t i = 0; i < f->value.n; i++)
		v = v * 10 + (f->value.p[i] - '0');
	if (*length != SS_H2MSG_NO_LENGTH)
		return SS_ERR_BAD_STREAM;
	*length = v;
	return 0;
}

static int check_fields(const struct ss_hdrs *h, uint64_t *length)
{
	*length = SS_H2MSG_NO_LENGTH;
	for (uint16_t i = 0; i < h->n; i++) {
		if (connection_specific(&h->v[i]))
			return SS_ERR_BAD_STREAM;
		if (h->v[i].tok == SS_H_CONTENT_LENGTH && content_length(&h->v[i], length) < 0)
			return SS_ERR_BAD_STREAM;
	}
	return 0;
}

/* 8.3.1: Host may stand beside :authority only when it says the same; alone it takes its place. */
static int settle_authority(struct ss_hdrs *h)
{
	struct ss_span host;
	uint16_t port;
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_HOST);

	if (f && h->authority.n && !ss_span_ieq(f->value, h->authority))
		return SS_ERR_BAD_STREAM;
	if (f && !h->authority.n)
		h->authority = f->value;
	if (f && ss_hdrs_remove(h, SS_H_HOST) > 1)
		return SS_ERR_BAD_STREAM;
	if (h->authority.n == 0)
		return SS_ERR_BAD_STREAM;
	return ss_uri_authority(h->authority, &host, &port);
}

static int check_target(const struct ss_hdrs *h)
{
	bool connect = ss_span_eq(h->method, SS_SPAN("CONNECT"));

	if (h->method.n == 0 || !ss_chars_all(h->method, SS_CH_TOKEN) || h->status)
		return SS_ERR_BAD_STREAM;
	/* 8.5: CONNECT has neither scheme nor path; RFC 8441 4: unless :protocol makes it an extended one. */
	if (connect && !h->protocol.n)
		return h->scheme.n || h->path.n ? SS_ERR_BAD_STREAM : 0;
	if (h->protocol.n && !connect)
		return SS_ERR_BAD_STREAM;
	if (h->scheme.n == 0 || h->path.n == 0)
		return SS_ERR_BAD_STREAM;
	if (ss_span_eq(h->path, SS_SPAN("*")))
		return ss_span_eq(h->method, SS_SPAN("OPTIONS")) ? 0 : SS_ERR_BAD_STREAM;
	return h->path.p[0] == '/' ? 0 : SS_ERR_BAD_STREAM;
}

int ss_h2msg_check_request(struct ss_hdrs *h, uint64_t *length)
{
	int err = check_target(h);

	if (err == 0)
		err = check_fields(h, length);
	return err < 0 ? err : settle_authority(h);
}

int ss_h2msg_check_response(struct ss_hdrs *h, uint64_t *length)
{
	/* 101 belongs to HTTP/1.1 (8.6). */
	if (h->status < 100 || h->status == 101 || h->method.n || h->scheme.n || h->authority.n ||
	    h->path.n || h->protocol.n)
		return SS_ERR_BAD_STREAM;
	return check_fields(h, length);
}

int ss_h2msg_check_trailers(const struct ss_hdrs *h)
{
	uint64_t length;

	if (h->status || h->method.n || h->scheme.n || h->authority.n || h->path.n || h->protocol.n)
		return SS_ERR_BAD_STREAM;
	return check_fields(h, &length);
}
