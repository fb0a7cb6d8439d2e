/* route_match.c - host, then the first route in the order of the file whose every part fits. */
#include "route/route_int.h"

#define HOST_MAX 255 /* RFC 1035 2.3.4 */

uint16_t ss_route_method_bit(struct ss_span m)
{
	static const struct {
		struct ss_span name;
		uint16_t bit;
	} known[] = {
		{{(const uint8_t *)"GET", 3}, SS_METHOD_GET},
		{{(const uint8_t *)"POST", 4}, SS_METHOD_POST},
		{{(const uint8_t *)"HEAD", 4}, SS_METHOD_HEAD},
		{{(const uint8_t *)"PUT", 3}, SS_METHOD_PUT},
		{{(const uint8_t *)"DELETE", 6}, SS_METHOD_DELETE},
		{{(const uint8_t *)"OPTIONS", 7}, SS_METHOD_OPTIONS},
		{{(const uint8_t *)"PATCH", 5}, SS_METHOD_PATCH},
		{{(const uint8_t *)"CONNECT", 7}, SS_METHOD_CONNECT},
		{{(const uint8_t *)"TRACE", 5}, SS_METHOD_TRACE},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(known); i++)
		if (ss_span_eq(m, known[i].name))
			return known[i].bit;
	return SS_METHOD_OTHER;
}

/* -- host -- */

/* Authority to host: lower case, without port, brackets kept, one trailing dot cut. Empty when too long. */
static struct ss_span host_of(struct ss_span a, uint8_t *buf)
{
	uint32_t n = a.n, i = n;

	while (i && a.p[i - 1] >= '0' && a.p[i - 1] <= '9')
		i--;
	if (i && a.p[i - 1] == ':' && !(i >= 2 && a.p[i - 2] == ':'))
		n = i - 1;
	if (n && a.p[n - 1] == '.')
		n--;
	if (n > HOST_MAX)
		return SS_SPAN_NONE;
	for (i = 0; i < n; i++)
		buf[i] = ss_lower(a.p[i]);
	return ss_span(buf, n);
}

static int cmp_text(struct ss_span a, struct ss_span b)
{
	uint32_t n = ss_min_u32(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static const struct ss_host_pattern *find_exact(const struct ss_host_table *t, struct ss_span host)
{
	uint32_t lo = 0, hi = t->n_exact;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int c = cmp_text(host, t->patterns[mid].text);
		if (c == 0)
			return &t->patterns[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* Suffixes stand longest first, those of one length by text. */
static const struct ss_host_pattern *find_suffix(const struct ss_host_table *t, struct ss_span tail)
{
	const struct ss_host_pattern *p = t->patterns + t->n_exact;
	uint32_t lo = 0, hi = t->n_suffix;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int c = p[mid].text.n != tail.n ? (p[mid].text.n < tail.n ? -1 : 1)
						: cmp_text(tail, p[mid].text);
		if (c == 0)
			return &p[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static const struct ss_virtual_host *find_host(const struct ss_host_table *t, struct ss_span authority)
{
	uint8_t buf[HOST_MAX];
	struct ss_span host = host_of(authority, buf);
	const struct ss_host_pattern *p = host.n ? find_exact(t, host) : NULL;

	/* A "*.x" needs a label before its dot: start after the first byte. */
	for (uint32_t i = 1; !p && t->n_suffix && i < host.n; i++)
		if (host.p[i] == '.')
			p = find_suffix(t, ss_span(host.p + i, host.n - i));
	if (!p && t->n_patterns > t->n_exact + t->n_suffix)
		p = &t->patterns[t->n_patterns - 1];
	return p ? &t->hosts[p->host] : NULL;
}

/* -- headers -- */

bool ss_route_next_field(const struct ss_hdrs *h, struct ss_span name, uint16_t *i, struct ss_span *value)
{
	if (ss_span_eq(name, SS_SPAN("host")) || ss_span_eq(name, SS_SPAN(":authority"))) {
		*value = h->authority;
		return *i == 0 && h->authority.n;
	}
	for (; *i < h->n; (*i)++) {
		if (ss_span_eq(h->v[*i].name, name)) {
			*value = h->v[*i].value;
			return true;
		}
	}
	return false;
}

static bool value_fits(const struct ss_route_header *m, struct ss_span value)
{
	switch (m->kind) {
	case SS_HM_EXACT:
		return ss_span_eq(value, m->value);
	case SS_HM_PREFIX:
		return ss_span_starts(value, m->value);
	case SS_HM_SUFFIX:
		return ss_span_ends(value, m->value);
	default:
		return m->kind == SS_HM_PRESENT;
	}
}

/* Some field of that name fits; inverted: none does. */
static bool header_fits(struct ss_route_look *k, const struct ss_route_header *m)
{
	bool fits = false;
	struct ss_span value;

	if (m->kind == SS_HM_REGEX)
		fits = ss_route_scan_header(k, m->regex);
	else
		for (uint16_t i = 0; !fits && ss_route_next_field(k->head, m->name, &i, &value); i++)
			fits = value_fits(m, value);
	return fits != m->invert;
}

bool ss_route_rest_fits(struct ss_route_look *k, uint32_t i)
{
	const struct ss_route *r = &k->host->routes[i];

	if (r->methods && !(r->methods & k->method))
		return false;
	for (uint16_t h = 0; h < r->n_headers; h++)
		if (!header_fits(k, &r->headers[h]))
			return false;
	return true;
}

/* -- first tier -- */

static void try_list(struct ss_route_look *k, uint32_t first, uint32_t n)
{
	const uint32_t *ids = k->host->index->ids + first;

	for (uint32_t i = 0; i < n && ids[i] < k->best; i++) {
		if (ss_route_rest_fits(k, ids[i])) {
			k->best = ids[i];
			return;
		}
	}
}

static void try_text(struct ss_route_look *k, uint64_t running, uint8_t kind, uint32_t n)
{
	const struct ss_route_index *ix = k->host->index;
	uint64_t hash = ss_route_hash_end(running, kind);
	struct ss_span text = ss_span(k->path.p, n);

	for (uint32_t i = (uint32_t)hash & ix->mask; ix->slots[i].n; i = (i + 1) & ix->mask) {
		const struct ss_route_slot *s = &ix->slots[i];
		if (s->hash == hash && s->kind == kind && ss_span_eq(s->text, text)) {
			try_list(k, s->first, s->n);
			return;
		}
	}
}

static void try_texts(struct ss_route_look *k)
{
	const struct ss_route_index *ix = k->host->index;
	uint32_t most = ss_min_u32(k->path.n, ix->longest);
	uint64_t h = SS_ROUTE_HASH_START;

	for (uint32_t n = 0;; n++) {
		if (ix->lengths[n / 64] & (1ull << (n % 64)))
			try_text(k, h, SS_PATH_PREFIX, n);
		if (n == most)
			break;
		h = ss_route_hash_byte(h, k->path.p[n]);
	}
	if (most == k->path.n)
		try_text(k, h, SS_PATH_EXACT, most);
}

static const struct ss_route *find_route(struct ss_route_look *k)
{
	const struct ss_route_index *ix = k->host->index;

	try_list(k, ix->any_first, ix->any_n);
	try_texts(k);
	ss_route_scan_path(k);
	if (k->broken || k->best == SS_ROUTE_NONE)
		return NULL;
	return &k->host->routes[k->best];
}

/* -- decision -- */

static const struct ss_cluster *draw_cluster(const struct ss_snapshot *s, const struct ss_route *r,
					     uint32_t draw, uint32_t *subset)
{
	for (uint16_t i = 0; i < r->n_clusters; i++)
		if (draw < r->clusters[i].upto) {
			*subset = r->clusters[i].subset;
			return &s->clusters[r->clusters[i].cluster];
		}
	return NULL;
}

static struct ss_span without_query(struct ss_span path)
{
	const uint8_t *q = path.n ? memchr(path.p, '?', path.n) : NULL;

	if (!path.n)
		return ss_span("", 0); /* hyperscan wants a pointer even for nothing */
	return q ? ss_span(path.p, (uint32_t)(q - path.p)) : path;
}

void ss_route_decide(const struct ss_snapshot *s, const struct ss_listener *l,
		     const struct ss_route_request *rq, struct ss_route_decision *out)
{
	struct ss_route_look k = {
		.head = rq->head,
		.path = without_query(rq->head->path),
		.worker = rq->worker,
		.method = ss_route_method_bit(rq->head->method),
		.best = SS_ROUTE_NONE,
	};

	*out = (struct ss_route_decision){.drop = SS_DROP_NO_ROUTE_MATCH};
	k.host = out->host = find_host(l->hosts, rq->head->authority);
	out->route = k.host ? find_route(&k) : NULL;
	if (!out->route)
		return;
	if (!ss_route_allowed(out->route->authz ? out->route->authz : l->authz, k.method, k.path,
			      rq->peer_identity, &out->rule)) {
		out->drop = SS_DROP_DENIED;
		return;
	}
	out->drop = SS_DROP_NONE;
	if (out->route->action != SS_ACTION_CLUSTERS)
		return;
	out->cluster = draw_cluster(s, out->route, rq->draw, &out->subset);
	if (!out->cluster)
		out->drop = SS_DROP_NO_CLUSTER;
}
