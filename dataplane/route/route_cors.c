/* route_cors.c - is it a preflight, and may this origin's scripts read what a route answers? */
#include <hs.h>

#include "contract/cors.h"
#include "route/route_int.h"

/* Fetch 3.2.2: a CORS-preflight request is OPTIONS with Origin and Access-Control-Request-Method. */
uint16_t ss_route_preflight(const struct ss_hdrs *h)
{
	const struct ss_hdr *method;

	if (!ss_span_eq(h->method, SS_SPAN("OPTIONS")) || !ss_hdrs_find_name(h, SS_SPAN("origin")))
		return 0;
	method = ss_hdrs_find_name(h, SS_SPAN("access-control-request-method"));
	return method ? ss_route_method_bit(method->value) : 0;
}

static int on_origin(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
		     void *arg)
{
	*(bool *)arg = true;
	return 1;
}

static bool matches(const struct ss_cors *c, struct ss_span origin, const struct ss_route_look *k)
{
	bool found = false;

	/* No other scan is under way once the route is known. */
	if (c->regexes && hs_scan(c->regexes, (const char *)origin.p, origin.n, 0,
				  k->host->index->scratch[k->worker].field, on_origin, &found) == HS_INVALID)
		return false;
	return found;
}

bool ss_route_origin_allowed(const struct ss_route_look *k, const struct ss_cors *c, struct ss_span *origin)
{
	const struct ss_hdr *f = ss_hdrs_find_name(k->head, SS_SPAN("origin"));
	bool ok = c->any;

	if (!f || !f->value.n)
		return false;
	for (uint16_t i = 0; i < c->n_origins && !ok; i++)
		ok = c->origins[i].kind == SS_ORIGIN_PREFIX ? ss_span_starts(f->value, c->origins[i].text)
							    : ss_span_eq(f->value, c->origins[i].text);
	if (!ok && !matches(c, f->value, k))
		return false;
	*origin = f->value;
	return true;
}
