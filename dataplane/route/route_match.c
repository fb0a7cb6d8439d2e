/* route_match.c - host, then the first route in the order of precedence whose every part fits. */
#include "route/route_int.h"
#include "wire/params.h"

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
struct ss_span ss_route_host_of(struct ss_span a, uint8_t *buf)
{
	uint32_t n = a.n, i = n;

	while (i && a.p[i - 1] >= '0' && a.p[i - 1] <= '9')
		i--;
	if (i && a.p[i - 1] == ':' && !(i >= 2 && a.p[i - 2] == ':'))
		n = i - 1;
	if (n && a.p[n - 1] == '.')
		n--;
	if (n > SS_ROUTE_HOST_MAX)
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

const struct ss_host_pattern *ss_route_find_pattern(const struct ss_host_table *t, struct ss_span authority)
{
	uint8_t buf[SS_ROUTE_HOST_MAX];
	struct ss_span host = ss_route_host_of(authority, buf);
	const struct ss_host_pattern *p = host.n ? find_exact(t, host) : NULL;

	/* A "*.x" needs a label before its dot: start after the first byte. */
	for (uint32_t i = 1; !p && t->n_suffix && i < host.n; i++)
		if (host.p[i] == '.')
			p = find_suffix(t, ss_span(host.p + i, host.n - i));
	if (!p && t->n_patterns > t->n_exact + t->n_suffix)
		p = &t->patterns[t->n_patterns - 1];
	return p;
}

static const struct ss_virtual_host *find_host(const struct ss_host_table *t, struct ss_span authority)
{
	const struct ss_host_pattern *p = ss_route_find_pattern(t, authority);

	return p ? &t->hosts[p->host] : NULL;
}

/* -- paths -- */

#define SCANS 8 /* groups of expressions kept for the end; more are scanned as they are found */

struct scans {
	uint32_t n;
	const struct ss_route_slot *slot[SCANS];
};

static const struct ss_route_slot *search(const struct ss_route_index *ix, uint64_t hash, uint8_t kind,
					  struct ss_span text)
{
	uint8_t tag = ss_route_tag(hash);

	for (uint32_t i = (uint32_t)hash & ix->mask; ix->tags[i]; i = (i + 1) & ix->mask) {
		const struct ss_route_slot *s = &ix->slots[i];
		if (ix->tags[i] == tag && s->hash == hash && s->kind == kind && ss_span_eq(s->text, text))
			return s;
	}
	return NULL;
}

/* Most looks end at an empty place: that much is inline. */
static inline const struct ss_route_slot *find_slot(const struct ss_route_index *ix, uint64_t hash,
						    uint8_t kind, struct ss_span text)
{
	return ix->tags[(uint32_t)hash & ix->mask] ? search(ix, hash, kind, text) : NULL;
}

static inline void try_text(struct ss_route_look *k, uint64_t h, uint64_t tail, uint32_t n, uint8_t kind)
{
	uint64_t hash = ss_route_hash_end(h, tail, n, kind);
	const struct ss_route_slot *s = find_slot(k->host->index, hash, kind, ss_span(k->path.p, n));

	if (s)
		ss_route_try_list(k, &s->list);
}

/* Expressions cost most: what text finds first may make them needless. */
static void note_regex(struct ss_route_look *k, uint64_t h, uint64_t tail, uint32_t n, struct scans *scans)
{
	uint64_t hash = ss_route_hash_end(h, tail, n, SS_PATH_REGEX);
	const struct ss_route_slot *s = find_slot(k->host->index, hash, SS_PATH_REGEX, ss_span(k->path.p, n));

	if (s && scans->n < SCANS)
		scans->slot[scans->n++] = s;
	else if (s)
		ss_route_scan_path(k, s);
}

/* All that is `at` to `at` + 7 bytes long. word: the path's bytes from there on. */
static void try_lengths(struct ss_route_look *k, uint64_t h, uint64_t word, uint32_t at, struct scans *scans)
{
	struct ss_route_lengths l = k->host->index->lengths[at / 8];

	for (uint32_t bits = l.prefix | l.segments | l.regex; bits; bits &= bits - 1) {
		uint32_t r = (uint32_t)__builtin_ctz(bits), n = at + r;
		uint64_t tail = word & ((1ull << (8 * r)) - 1);
		if (n > k->path.n)
			return;
		if (l.prefix & (1u << r))
			try_text(k, h, tail, n, SS_PATH_PREFIX);
		if ((l.segments & (1u << r)) && (n == k->path.n || k->path.p[n] == '/'))
			try_text(k, h, tail, n, SS_PATH_SEGMENTS);
		if (l.regex & (1u << r))
			note_regex(k, h, tail, n, scans);
	}
}

static void try_texts(struct ss_route_look *k)
{
	const struct ss_route_index *ix = k->host->index;
	struct scans scans = {0};
	uint64_t h = SS_ROUTE_HASH_START, word = ss_route_word(k->path, 0);
	uint32_t at = 0, last = ss_min_u32(k->path.n, ix->longest) & ~7u;

	for (;; at += 8) {
		try_lengths(k, h, word, at, &scans);
		if (at == last)
			break;
		h = ss_route_mix(h, word);
		word = ss_route_word(k->path, at + 8);
	}
	if (k->path.n <= ix->longest)
		try_text(k, h, word, k->path.n, SS_PATH_EXACT);
	for (uint32_t i = 0; i < scans.n; i++)
		ss_route_scan_path(k, scans.slot[i]);
}

static const struct ss_route *find_route(struct ss_route_look *k)
{
	const struct ss_route_index *ix = k->host->index;

	ss_route_try_list(k, &ix->any);
	if (ix->n_slots)
		try_texts(k);
	if (k->broken || k->best == SS_ROUTE_NONE)
		return NULL;
	return &k->host->routes[k->best];
}

/* -- decision -- */

/* The draw's upper half, scaled to what the weights sum to. */
static const struct ss_weighted_cluster *draw_share(const struct ss_route *r, uint64_t draw)
{
	uint32_t canary = ss_unlikely(r->canary != NULL) ? ss_canary_weight(r->canary) : SS_CANARY_NONE, at;

	if (canary != SS_CANARY_NONE) {
		at = (uint32_t)((draw >> 32) * SS_CANARY_WHOLE >> 32);
		return &r->clusters[at < canary ? r->canary->at : !r->canary->at];
	}
	at = (uint32_t)((draw >> 32) * r->weight_sum >> 32);
	for (uint16_t i = 0; i < r->n_clusters; i++)
		if (at < r->clusters[i].upto)
			return &r->clusters[i];
	return NULL;
}

static const struct ss_weighted_cluster *sticky_share(const struct ss_route_look *k,
						      struct ss_route_decision *out)
{
	const struct ss_route *r = out->route;
	struct ss_span key;

	if (ss_route_sticky_key(k, r->sticky, &key))
		return ss_route_keep_share(r, key);
	if (!r->sticky->cookie)
		return draw_share(r, k->rq->draw);
	out->fresh = true;
	return ss_route_keep_share(r, ss_route_fresh_key(k->rq->draw, out->key));
}

void ss_route_look_at(struct ss_route_look *k, const struct ss_listener *l, const struct ss_route_request *rq)
{
	const struct ss_hdrs *head = rq->head;

	*k = (struct ss_route_look){
		.rq = rq,
		.head = head,
		.path = ss_path_only(head->path),
		.worker = rq->worker,
		.port = l->addr.port,
		.method = ss_route_method_bit(head->method),
		.best = SS_ROUTE_NONE,
	};
	if (k->path.n < head->path.n)
		k->query = ss_span(head->path.p + k->path.n + 1, head->path.n - k->path.n - 1);
	if (k->method == SS_METHOD_OPTIONS)
		k->asked = ss_route_preflight(head);
	if (!k->path.n)
		k->path = ss_span("", 0); /* hyperscan wants a pointer even for nothing */
}

static void draw_cluster(const struct ss_snapshot *s, const struct ss_route_look *k,
			 struct ss_route_decision *out)
{
	const struct ss_route *r = out->route;

	out->share = r->sticky ? sticky_share(k, out) : draw_share(r, k->rq->draw);
	if (!out->share) {
		out->drop = SS_DROP_NO_CLUSTER;
		return;
	}
	out->cluster = &s->clusters[out->share->cluster];
	out->subset = out->share->subset;
}

/* host_buf is written before it is read: no need to clear it. */
void ss_route_facts_of(struct ss_route_facts *f, const struct ss_listener *l, const struct ss_route_look *k)
{
	f->rq = k->rq;
	f->path = k->path;
	f->method = k->method;
	f->trusted_hops = l->trusted_hops;
	f->known = 0;
	f->broken = false;
}

static bool authorize(const struct ss_listener *l, const struct ss_route_look *k, struct ss_route_decision *out)
{
	struct ss_route_facts f;

	ss_route_facts_of(&f, l, k);
	return ss_route_authorize(l, &f, out);
}

static const struct ss_maintenance *closed_by(const struct ss_listener *l, const struct ss_route_decision *d)
{
	if (l->maintenance)
		return l->maintenance;
	if (d->host && d->host->maintenance)
		return d->host->maintenance;
	return d->route ? d->route->maintenance : NULL;
}

void ss_route_decide(const struct ss_snapshot *s, const struct ss_listener *l,
		     const struct ss_route_request *rq, struct ss_route_decision *out)
{
	struct ss_route_look k;

	ss_route_look_at(&k, l, rq);
	*out = (struct ss_route_decision){.drop = SS_DROP_NO_ROUTE_MATCH};
	k.host = out->host = find_host(l->hosts, rq->head->authority);
	out->route = k.host ? find_route(&k) : NULL;
	out->maintenance = closed_by(l, out);
	if (!out->route)
		return;
	if (out->route->cors && ss_route_origin_allowed(&k, out->route->cors, &out->origin) && k.asked) {
		out->preflight = true;
		out->drop = SS_DROP_NONE;
		return;
	}
	if (!authorize(l, &k, out)) {
		out->drop = SS_DROP_DENIED;
		return;
	}
	out->drop = SS_DROP_NONE;
	if (out->route->action == SS_ACTION_CLUSTERS)
		draw_cluster(s, &k, out);
}
