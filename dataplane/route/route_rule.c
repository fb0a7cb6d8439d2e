/* route_rule.c - does a rule hold? All of its parts must; a part holds when one of its values fits, or one of
 * its expressions matches. */
#include "route/route_int.h"

static bool text_fits(const struct ss_authz_text *t, struct ss_span v)
{
	struct ss_span want = t->value;

	switch (t->fit) {
	case SS_AUTHZ_EXACT:
		return ss_span_eq(v, want);
	case SS_AUTHZ_PREFIX:
		return ss_span_starts(v, want);
	case SS_AUTHZ_SUFFIX:
		return ss_span_ends(v, want);
	case SS_AUTHZ_PRESENT:
		return v.n > 0;
	case SS_AUTHZ_UNDER:
		/* Whole segments: "/a" and "/a/" both cover "/a", "/a/" and "/a/b", and never "/ab". */
		if (want.n && want.p[want.n - 1] == '/')
			want.n--;
		return ss_span_starts(v, want) && (v.n == want.n || v.p[want.n] == '/');
	}
	return false;
}

static bool some_fits(const struct ss_authz_part *p, struct ss_span v)
{
	for (uint16_t i = 0; i < p->n; i++)
		if (text_fits(&p->texts[i], v))
			return true;
	return false;
}

/* -- addresses -- */

static bool in_net(const struct ss_authz_net *n, const struct ss_ip *ip)
{
	uint32_t whole = n->bits / 8, rest = n->bits % 8;

	if (n->ip.family != ip->family || memcmp(n->ip.b, ip->b, whole))
		return false;
	return !rest || !((n->ip.b[whole] ^ ip->b[whole]) >> (8 - rest));
}

static bool some_net(const struct ss_authz_part *p, const struct ss_ip *ip)
{
	for (uint16_t i = 0; ip && ip->family && i < p->n; i++)
		if (in_net(&p->nets[i], ip))
			return true;
	return false;
}

/* The last element of a comma-separated list, cut off *list; empty when there is none left. */
static struct ss_span last_of(struct ss_span *list)
{
	uint32_t end = list->n, start;

	while (end && (list->p[end - 1] == ' ' || list->p[end - 1] == '\t'))
		end--;
	for (start = end; start && list->p[start - 1] != ','; start--)
		;
	struct ss_span e = ss_span(list->p + start, end - start);
	list->n = start ? start - 1 : 0;
	while (e.n && (e.p[0] == ' ' || e.p[0] == '\t'))
		e = ss_span(e.p + 1, e.n - 1);
	return e;
}

/* The n-th address from the right over all fields of that name: each trusted hop has added one. */
static struct ss_span hop_address(const struct ss_hdrs *h, uint32_t n)
{
	for (uint16_t i = h->n; i-- > 0;) {
		struct ss_span list = h->v[i].value, e;
		if (h->v[i].tok != SS_H_X_FORWARDED_FOR)
			continue;
		while (list.n) {
			e = last_of(&list);
			if (e.n && --n == 0)
				return e;
		}
	}
	return SS_SPAN_NONE;
}

/* Fewer addresses than hops that we trust: somebody went around them, and is who connected. */
static void find_remote(struct ss_route_facts *f)
{
	struct ss_span e = f->trusted_hops ? hop_address(f->rq->head, f->trusted_hops) : SS_SPAN_NONE;
	char text[SS_IP_TEXT];

	f->remote = f->rq->peer ? f->rq->peer->ip : (struct ss_ip){0};
	if (!e.n || e.n >= sizeof(text))
		return;
	memcpy(text, e.p, e.n);
	text[e.n] = 0;
	ss_ip_parse(text, &f->remote); /* leaves it as it is when that is no address */
}

static const struct ss_ip *remote_of(struct ss_route_facts *f)
{
	if (!(f->known & SS_ROUTE_KNOWN_REMOTE)) {
		find_remote(f);
		f->known |= SS_ROUTE_KNOWN_REMOTE;
	}
	return &f->remote;
}

const struct ss_ip *ss_route_fact_ip(struct ss_route_facts *f, uint8_t kind)
{
	if (kind == SS_AUTHZ_REMOTE_IP)
		return remote_of(f);
	if (kind == SS_AUTHZ_SOURCE_IP)
		return f->rq->peer ? &f->rq->peer->ip : NULL;
	return f->rq->local ? &f->rq->local->ip : NULL;
}

/* -- texts -- */

static struct ss_span host_of(struct ss_route_facts *f)
{
	if (!(f->known & SS_ROUTE_KNOWN_HOST)) {
		f->host = ss_route_host_of(f->rq->head->authority, f->host_buf);
		f->known |= SS_ROUTE_KNOWN_HOST;
	}
	return f->host;
}

static void find_id(struct ss_route_facts *f)
{
	if (f->known & SS_ROUTE_KNOWN_ID)
		return;
	f->domain = ss_id_trust_domain(f->rq->peer_identity);
	f->namespace = ss_authz_namespace(f->rq->peer_identity);
	f->known |= SS_ROUTE_KNOWN_ID;
}

/* Those of which there is one. */
static struct ss_span one_fact(struct ss_route_facts *f, uint8_t kind)
{
	switch (kind) {
	case SS_AUTHZ_ID:
		return f->rq->peer_identity;
	case SS_AUTHZ_DOMAIN:
		find_id(f);
		return f->domain;
	case SS_AUTHZ_NAMESPACE:
		find_id(f);
		return f->namespace;
	case SS_AUTHZ_TOKEN:
		return f->rq->claims ? f->rq->claims->principal : SS_SPAN_NONE;
	case SS_AUTHZ_PATH:
		return f->path;
	case SS_AUTHZ_HOST:
		return host_of(f);
	case SS_AUTHZ_SNI:
		return f->rq->sni;
	}
	return SS_SPAN_NONE;
}

/* A claim that is a list has many; numbers, true and false as they are written. */
static bool next_claim(const struct ss_claims *c, struct ss_span key, struct ss_route_fact_walk *w,
		       struct ss_span *value)
{
	if (!w->begun) {
		uint16_t at = ss_claims_find(c, key);
		bool list = at && c->nodes[at].type == SS_JSCAN_ARRAY;
		w->begun = true;
		w->i = list ? (uint16_t)(at + 1) : at;
		w->end = at ? c->nodes[at].next : 0;
	}
	for (; w->i < w->end; w->i = c->nodes[w->i].next) {
		if (!c->nodes[w->i].text.n)
			continue;
		*value = c->nodes[w->i].text;
		w->i = c->nodes[w->i].next;
		return true;
	}
	return false;
}

/* A value that is not there fits nothing, not even an empty text; a header's may be there and empty. */
bool ss_route_next_fact(struct ss_route_facts *f, uint8_t kind, struct ss_span key,
			struct ss_route_fact_walk *w, struct ss_span *value)
{
	bool found;

	if (kind == SS_AUTHZ_CLAIM)
		return next_claim(f->rq->claims, key, w, value);
	if (kind == SS_AUTHZ_HEADER) {
		found = ss_route_next_field(f->rq->head, key, &w->i, value);
		w->i++;
		return found;
	}
	if (w->begun)
		return false;
	w->begun = true;
	*value = one_fact(f, kind);
	return value->n || kind == SS_AUTHZ_PATH;
}

/* -- parts -- */

static bool some_id(const struct ss_authz_part *p, struct ss_span id)
{
	for (uint16_t i = 0; id.n && i < p->n; i++)
		if (ss_id_matches(&p->ids[i], id))
			return true;
	return false;
}

static bool some_port(const struct ss_authz_part *p, const struct ss_addr *local)
{
	for (uint16_t i = 0; local && i < p->n; i++)
		if (p->ports[i] == local->port)
			return true;
	return false;
}

static bool some_text(const struct ss_authz_part *p, struct ss_route_facts *f)
{
	struct ss_route_fact_walk w = {0};
	struct ss_span value;

	while (p->n && ss_route_next_fact(f, p->kind, p->key, &w, &value))
		if (some_fits(p, value))
			return true;
	return false;
}

static bool value_fits(const struct ss_authz_part *p, struct ss_route_facts *f)
{
	switch (p->kind) {
	case SS_AUTHZ_ID:
		return some_id(p, f->rq->peer_identity);
	case SS_AUTHZ_SOURCE_IP:
	case SS_AUTHZ_REMOTE_IP:
	case SS_AUTHZ_LOCAL_IP:
		return some_net(p, ss_route_fact_ip(f, p->kind));
	case SS_AUTHZ_PATH:
		return some_fits(p, f->path);
	case SS_AUTHZ_PORT:
		return some_port(p, f->rq->local);
	}
	return some_text(p, f);
}

static bool part_fits(const struct ss_authz_part *p, struct ss_route_facts *f)
{
	return value_fits(p, f) || (p->n_regex && ss_route_rule_matches(p, f));
}

uint16_t ss_route_rule_misfit(const struct ss_authz_rule *r, struct ss_route_facts *f)
{
	uint16_t i = 0;

	while (i < r->n_parts && part_fits(&r->parts[i], f) != r->parts[i].invert)
		i++;
	return i;
}

bool ss_route_rule_holds(const struct ss_authz_rule *r, struct ss_route_facts *f)
{
	return ss_route_rule_misfit(r, f) == r->n_parts;
}
