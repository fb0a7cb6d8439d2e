/* build_health.c - a cluster's health check, as its probes send it. */
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"
#include "wire/grpc_health.h"
#include "wire/hdr.h"

static void put(struct ss_build_job *j, struct ss_header_op *op, uint16_t *n, const char *name, const char *value)
{
	struct ss_span lower = ss_build_lower(j, name);

	for (uint16_t i = 0; i < *n; i++)
		if (ss_span_eq(op[i].name, lower))
			return; /* the operator's comes first */
	op[(*n)++] = (struct ss_header_op){.name = lower,
					   .value = ss_build_text(j, value),
					   .tok = (uint16_t)ss_hdr_token(lower)};
}

static int build_fields(struct ss_build_job *j, const struct ss_model_health *m, struct ss_health_conf *c)
{
	struct ss_header_op *op = ss_build_array(j, SS_HEALTH_FIELDS, sizeof(*op));
	uint16_t n = 0;

	if (!op)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_fields && n < SS_HEALTH_FIELDS - 3; i++)
		put(j, op, &n, m->fields[i].name, m->fields[i].value);
	if (!m->n_fields)
		put(j, op, &n, "x-health-check", "mesh");
	put(j, op, &n, "user-agent", "sidestep-health");
	if (m->kind == SS_HEALTH_GRPC) {
		/* gRPC over HTTP/2, Requests. */
		put(j, op, &n, "content-type", "application/grpc");
		put(j, op, &n, "te", "trailers");
	} else if (!strcmp(m->method, "POST")) {
		put(j, op, &n, "content-length", "0");
	}
	c->fields = op;
	c->n_fields = n;
	return 0;
}

static int build_message(struct ss_build_job *j, const struct ss_model_health *m, struct ss_health_conf *c)
{
	struct ss_span service = {(const uint8_t *)m->service, (uint32_t)strlen(m->service)};
	uint8_t *p = ss_build_alloc(j, SS_GRPC_REQUEST_MAX);

	if (!p)
		return SS_ERR_NO_MEM;
	c->method = SS_SPAN("POST");
	c->path = SS_SPAN("/grpc.health.v1.Health/Check");
	c->message = ss_span(p, ss_grpc_health_request(p, service));
	return 0;
}

int ss_build_health(struct ss_build_job *j, const struct ss_model_cluster *k, struct ss_cluster *c)
{
	const struct ss_model_health *m = &k->health;
	struct ss_health_conf *h = m->present ? ss_build_alloc(j, sizeof(*h)) : NULL;

	c->health = h;
	if (!m->present)
		return 0;
	if (!h)
		return SS_ERR_NO_MEM;
	*h = (struct ss_health_conf){.kind = (uint8_t)m->kind,
				     .initially_healthy = m->initially_healthy,
				     .reuse = m->reuse,
				     .uneject = m->uneject,
				     .port = m->port,
				     .healthy_threshold = m->healthy_threshold,
				     .unhealthy_threshold = m->unhealthy_threshold,
				     .interval_ns = m->interval_ns,
				     .timeout_ns = m->timeout_ns,
				     .unhealthy_interval_ns = m->unhealthy_interval_ns,
				     .unhealthy_edge_ns = m->unhealthy_edge_ns,
				     .healthy_edge_ns = m->healthy_edge_ns,
				     .no_traffic_ns = m->no_traffic_ns,
				     .jitter_percent = m->jitter_percent,
				     .method = ss_build_text(j, m->method),
				     .path = ss_build_text(j, m->path),
				     .host = ss_build_text(j, m->host ? m->host : k->name),
				     .expect = ss_build_text(j, m->expect)};
	memcpy(h->statuses, m->statuses.bits, sizeof(h->statuses));
	if (m->kind == SS_HEALTH_GRPC && build_message(j, m, h) < 0)
		return SS_ERR_NO_MEM;
	return build_fields(j, m, h);
}

/* Before it can be picked. What a failed build leaves behind goes with the slot. */
void ss_build_first_health(struct ss_build_job *j, const struct ss_model_cluster *m, const struct ss_endpoint *e)
{
	bool unknown = m->health.present && !m->health.initially_healthy;

	if (ss_ep_is_new(j->endpoints, e->ep))
		ss_ep_mark(j->endpoints, e->ep, e->said | (unknown ? SS_EP_FAILED : 0), 0);
}
