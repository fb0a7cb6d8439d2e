/*
 * route_list.c - the first route of a list that fits. A long list is asked by what the request has: its
 * headers, parameters and cookies are walked once, and those with a name that exact matches are about are
 * looked up with their value. The cost grows with the request, not with the list.
 */
#include "route/route_int.h"
#include "wire/params.h"

static const struct ss_route_name *find_name(const struct ss_route_inner *in, uint8_t on, struct ss_span name)
{
	uint64_t h;

	h = ss_route_hash(SS_ROUTE_HASH_START, name, on);
	for (uint32_t i = (uint32_t)h & in->names_mask; in->names[i].name.n; i = (i + 1) & in->names_mask)
		if (in->names[i].hash == h && in->names[i].on == on && ss_span_eq(in->names[i].name, name))
			return &in->names[i];
	return NULL;
}

static void try_fit(struct ss_route_look *k, const struct ss_route_inner *in, const struct ss_route_name *n,
		    uint8_t fit, struct ss_span value)
{
	uint64_t h = ss_route_hash(n->hash, value, fit);

	for (uint32_t i = (uint32_t)h & in->values_mask; in->values[i].name; i = (i + 1) & in->values_mask) {
		const struct ss_route_value *v = &in->values[i];
		if (v->hash == h && v->name == n && v->fit == fit && ss_span_eq(v->value, value)) {
			ss_route_try_list(k, &v->list);
			return;
		}
	}
}

static void try_ranges(struct ss_route_look *k, const struct ss_route_ranges *r, struct ss_span value)
{
	uint32_t lo = 0, hi = r->n;
	int64_t v;

	if (!ss_whole_number(value, &v) || v < r->from[0] || v >= r->from[hi])
		return;
	while (hi - lo > 1) {
		uint32_t mid = (lo + hi) / 2;
		if (v < r->from[mid])
			hi = mid;
		else
			lo = mid;
	}
	for (uint32_t s = r->n + lo; s; s = r->stretch[s].up)
		ss_route_try_list(k, &r->stretch[s].list);
}

/* What the value matches was found in one scan for all expressions over the name. More may be found meanwhile: of other
 * names, by the lists that are tried. */
static void try_expressions(struct ss_route_look *k, const struct ss_route_inner *in, const struct ss_route_name *n)
{
	const uint32_t *hit = ss_route_scan_name(k, n->expression - 1);

	for (uint32_t i = 0; i < k->n_hits; i++)
		try_fit(k, in, n, SS_HM_REGEX, ss_span(&hit[i], sizeof(hit[i])));
}

static void try_named(struct ss_route_look *k, const struct ss_route_inner *in, uint8_t on,
		      struct ss_span name, struct ss_span value)
{
	const struct ss_route_name *n = find_name(in, on, name);
	uint32_t len;

	if (!n)
		return;
	try_fit(k, in, n, SS_HM_EXACT, value);
	for (uint64_t left = n->prefixes; left && (len = (uint32_t)__builtin_ctzll(left)) <= value.n;
	     left &= left - 1)
		try_fit(k, in, n, SS_HM_PREFIX, ss_span(value.p, len));
	for (uint64_t left = n->suffixes; left && (len = (uint32_t)__builtin_ctzll(left)) <= value.n;
	     left &= left - 1)
		try_fit(k, in, n, SS_HM_SUFFIX, ss_span(value.p + value.n - len, len));
	if (n->ranges)
		try_ranges(k, n->ranges, value);
	if (n->expression && n->expression_first < k->best)
		try_expressions(k, in, n);
	ss_route_try_list(k, &n->there);
}

/* Most names are nobody's: that much is inline. */
static inline void try_value(struct ss_route_look *k, const struct ss_route_inner *in, uint8_t on, struct ss_span name,
			     struct ss_span value)
{
	if (name.n && (in->filter[on] & ss_route_name_bit(name)))
		try_named(k, in, on, name, value);
}

/* There are lists of identities. DNS names are compared without regard to case; the table has them in lower case. */
static void try_id(struct ss_route_look *k, const struct ss_route_inner *in)
{
	uint8_t lower[SS_ID_DNS_MAX];
	struct ss_span name = ss_id_dns_key(k->rq->peer_identity, lower);

	try_value(k, in, SS_ROUTE_ON_ID, SS_SPAN("id"), k->rq->peer_identity);
	if (name.n)
		try_fit(k, in, find_name(in, SS_ROUTE_ON_ID, SS_SPAN("id")), SS_HM_EXACT, name);
}

/* RFC 6066 3: names are compared without regard to case; the table has them in lower case. */
static void try_sni(struct ss_route_look *k, const struct ss_route_inner *in)
{
	uint8_t lower[SS_ROUTE_HOST_MAX];
	struct ss_span sni = k->rq->sni;

	if (!sni.n || sni.n > sizeof(lower))
		return;
	for (uint32_t i = 0; i < sni.n; i++)
		lower[i] = ss_lower(sni.p[i]);
	try_value(k, in, SS_ROUTE_ON_SNI, SS_SPAN("sni"), ss_span(lower, sni.n));
}

static void try_headers(struct ss_route_look *k, const struct ss_route_inner *in)
{
	try_value(k, in, SS_ON_HEADER, SS_SPAN("host"), k->head->authority);
	for (uint16_t i = 0; i < k->head->n; i++)
		if (k->head->v[i].tok != SS_H_HOST)
			try_value(k, in, SS_ON_HEADER, k->head->v[i].name, k->head->v[i].value);
}

static void try_unless(struct ss_route_look *k, const struct ss_route_inner *in)
{
	for (uint32_t i = 0; i < in->n_unless && in->unless[i].list.first < k->best; i++)
		if (ss_route_field_fits(k, in->unless[i].field))
			ss_route_try_list(k, &in->unless[i].list);
}

static void try_inner(struct ss_route_look *k, const struct ss_route_inner *in)
{
	struct ss_span name, value, rest = k->query;

	if (in->filter[SS_ROUTE_ON_ID] && k->rq->peer_identity.n)
		try_id(k, in);
	if (in->filter[SS_ROUTE_ON_SNI])
		try_sni(k, in);
	if (in->filter[SS_ROUTE_ON_PORT])
		try_value(k, in, SS_ROUTE_ON_PORT, SS_SPAN("port"), ss_span(&k->port, sizeof(k->port)));
	if (in->filter[SS_ON_HEADER])
		try_headers(k, in);
	while (rest.n && in->filter[SS_ON_QUERY] && ss_query_next(&rest, &name, &value))
		try_value(k, in, SS_ON_QUERY, name, value);
	for (uint16_t i = 0; in->filter[SS_ON_COOKIE] && i < k->head->n; i++) {
		rest = k->head->v[i].value;
		while (k->head->v[i].tok == SS_H_COOKIE && ss_cookie_next(&rest, &name, &value))
			try_value(k, in, SS_ON_COOKIE, name, value);
	}
	ss_route_try_list(k, &in->rest);
	try_unless(k, in);
}

void ss_route_try_list(struct ss_route_look *k, const struct ss_route_list *l)
{
	if (!l->n || l->first >= k->best)
		return;
	if (l->inner) {
		try_inner(k, l->inner);
		return;
	}
	for (uint32_t i = 0; i < l->n && l->ids[i] < k->best; i++) {
		if (ss_route_rest_fits(k, l->ids[i])) {
			k->best = l->ids[i];
			return;
		}
	}
}
