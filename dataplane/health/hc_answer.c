/* hc_answer.c - what the whole answer to a probe means. */
#include <string.h>

#include "health/hc_int.h"
#include "wire/grpc_health.h"
#include "wire/number.h"

static struct ss_span body_of(const struct hc_probe *p, uint8_t scratch[SS_HEALTH_BODY])
{
	uint32_t n = ss_min_u32(p->body.len, SS_HEALTH_BODY);

	return n ? ss_span(ss_bufq_peek(&p->body, 0, n, scratch), n) : SS_SPAN_NONE;
}

static bool has(struct ss_span body, struct ss_span text)
{
	for (uint32_t i = 0; i + text.n <= body.n; i++)
		if (memcmp(body.p + i, text.p, text.n) == 0)
			return true;
	return false;
}

static bool says(const struct ss_hdrs *h, struct ss_span name)
{
	return ss_hdrs_find_name(h, name) != NULL;
}

/* The status of the call is in the trailers, or in the head where there is nothing else. */
static bool grpc_status(const struct hc_probe *p, uint64_t *status)
{
	const struct ss_hdrs *t = ss_http_trailers(p->stream);
	const struct ss_hdr *f = ss_hdrs_find(t ? t : ss_http_head(p->stream), SS_H_GRPC_STATUS);

	return f && ss_number(f->value, status);
}

static void read_grpc(const struct hc_probe *p, struct hc_result *r)
{
	uint8_t scratch[SS_HEALTH_BODY];
	uint64_t status, serving;

	r->why = SS_HEALTH_WHY_GRPC;
	if (r->status != 200 || !grpc_status(p, &status))
		return;
	r->status = (uint32_t)ss_min_u64(status, UINT16_MAX);
	if (status || ss_grpc_health_status(body_of(p, scratch), &serving) < 0)
		return;
	r->status = (uint32_t)ss_min_u64(serving, UINT16_MAX);
	r->why = serving == SS_GRPC_SERVING ? SS_HEALTH_WHY_GOOD : SS_HEALTH_WHY_NOT_SERVING;
}

static void read_http(const struct hc_probe *p, const struct ss_health_conf *conf, struct hc_result *r)
{
	uint8_t scratch[SS_HEALTH_BODY];

	if (!ss_health_expects(conf, r->status))
		r->why = SS_HEALTH_WHY_STATUS;
	else if (conf->expect.n && !has(body_of(p, scratch), conf->expect))
		r->why = SS_HEALTH_WHY_BODY;
	else
		r->why = SS_HEALTH_WHY_GOOD;
}

struct hc_result hc_answer(const struct hc_probe *p, const struct ss_health_conf *conf)
{
	const struct ss_hdrs *h = ss_http_head(p->stream);
	struct hc_result r = {.status = h->status, .degraded = says(h, SS_SPAN("x-envoy-degraded"))};

	if (conf->kind == SS_HEALTH_GRPC)
		read_grpc(p, &r);
	else
		read_http(p, conf, &r);
	if (says(h, SS_SPAN("x-envoy-immediate-health-check-fail")))
		r.why = SS_HEALTH_WHY_TOLD;
	return r;
}
