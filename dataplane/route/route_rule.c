/* route_rule.c - does a rule hold? All of its parts must; a part holds when one of its values fits. */
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

/* A value that is not there fits nothing, not even an empty text. */
static bool there_and_fits(const struct ss_authz_part *p, struct ss_span v)
{
	return v.n && some_fits(p, v);
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
	for (uint16_t i = 0; ip->family && i < p->n; i++)
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

/* -- the rest -- */

static struct ss_span host_of(struct ss_route_facts *f)
{
	if (!(f->known & SS_ROUTE_KNOWN_HOST)) {
		f->host = ss_route_host_of(f->rq->head->authority, f->host_buf);
		f->known |= SS_ROUTE_KNOWN_HOST;
	}
	return f->host;
}

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

/* Any field of that name; an empty value is one, too. */
static bool some_field(const struct ss_authz_part *p, const struct ss_hdrs *h)
{
	struct ss_span value;

	for (uint16_t i = 0; ss_route_next_field(h, p->key, &i, &value); i++)
		if (some_fits(p, value))
			return true;
	return false;
}

/* A claim that is a list fits when one of its texts does; numbers, true and false as they are written. */
static bool some_claim(const struct ss_authz_part *p, const struct ss_claims *c)
{
	uint16_t at = ss_claims_find(c, p->key);

	if (!at)
		return false;
	if (c->nodes[at].type != SS_JSCAN_ARRAY)
		return there_and_fits(p, c->nodes[at].text);
	for (uint16_t i = (uint16_t)(at + 1); i < c->nodes[at].next; i = c->nodes[i].next)
		if (there_and_fits(p, c->nodes[i].text))
			return true;
	return false;
}

static bool part_fits(const struct ss_authz_part *p, struct ss_route_facts *f)
{
	switch (p->kind) {
	case SS_AUTHZ_ID:
		return some_id(p, f->rq->peer_identity);
	case SS_AUTHZ_NAMESPACE:
		return there_and_fits(p, f->namespace);
	case SS_AUTHZ_TOKEN:
		return f->rq->claims && there_and_fits(p, f->rq->claims->principal);
	case SS_AUTHZ_SOURCE_IP:
		return f->rq->peer && some_net(p, &f->rq->peer->ip);
	case SS_AUTHZ_REMOTE_IP:
		return some_net(p, remote_of(f));
	case SS_AUTHZ_LOCAL_IP:
		return f->rq->local && some_net(p, &f->rq->local->ip);
	case SS_AUTHZ_METHOD:
		return p->methods & f->method;
	case SS_AUTHZ_PATH:
		return some_fits(p, f->path);
	case SS_AUTHZ_HOST:
		return there_and_fits(p, host_of(f));
	case SS_AUTHZ_PORT:
		return some_port(p, f->rq->local);
	case SS_AUTHZ_SNI:
		return there_and_fits(p, f->rq->sni);
	case SS_AUTHZ_HEADER:
		return some_field(p, f->rq->head);
	case SS_AUTHZ_CLAIM:
		return some_claim(p, f->rq->claims);
	}
	return false;
}

bool ss_route_rule_holds(const struct ss_authz_rule *r, struct ss_route_facts *f)
{
	for (uint16_t i = 0; i < r->n_parts; i++)
		if (part_fits(&r->parts[i], f) == r->parts[i].invert)
			return false;
	return true;
}
