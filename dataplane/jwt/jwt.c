/* jwt.c - where tokens stand, and which were verified before. */
#include "jwt/token.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "jwt/jwt_int.h"
#include "wire/b64url.h"

#define WAYS 4u
/* A token without a key name is tried with at most so many keys. */
#define KEYS_TRIED 4u

struct ss_jwt {
	struct ss_sipkey key; /* strangers choose what is hashed */
	uint32_t sets;
	uint16_t worker;
	uint64_t clock, verified;
	struct jwt_entry *entries;
	struct jwt_entry scratch; /* under verification: what is remembered stays until it has proved good */
};

struct ss_jwt *ss_jwt_create(uint32_t entries, uint16_t worker)
{
	struct ss_jwt *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	/* Some 12 KB each. The kernel gives pages where they are written first: without tokens this costs addresses only. */
	j->entries = calloc(entries, sizeof(*j->entries));
	j->sets = entries / WAYS;
	j->worker = worker;
	ss_sipkey_random(&j->key);
	if (!j->entries) {
		free(j);
		return NULL;
	}
	return j;
}

void ss_jwt_free(struct ss_jwt *j)
{
	if (!j)
		return;
	free(j->entries);
	free(j);
}

uint64_t ss_jwt_verified(const struct ss_jwt *j)
{
	return j->verified;
}

/* -- where it stands -- */

/* RFC 9110 11.1: a scheme's name has no case. */
static bool prefixed(struct ss_span v, struct ss_span prefix)
{
	return v.n >= prefix.n && ss_span_ieq(ss_span(v.p, prefix.n), prefix);
}

static struct ss_span from_query(struct ss_span path, struct ss_span name)
{
	const uint8_t *q = path.n ? memchr(path.p, '?', path.n) : NULL, *end = path.p + path.n;

	while (q && q < end) {
		const uint8_t *start = q + 1,
			      *amp = start < end ? memchr(start, '&', (size_t)(end - start)) : NULL;
		struct ss_span one = ss_span(start, (uint32_t)((amp ? amp : end) - start));
		if (one.n > name.n && one.p[name.n] == '=' && ss_span_starts(one, name))
			return ss_span(one.p + name.n + 1, one.n - name.n - 1);
		q = amp;
	}
	return SS_SPAN_NONE;
}

struct ss_span ss_jwt_token(const struct ss_jwt_provider *p, const struct ss_hdrs *head)
{
	for (uint16_t i = 0; i < head->n; i++) {
		struct ss_span v = head->v[i].value;
		if (!ss_span_eq(head->v[i].name, p->header) || !prefixed(v, p->prefix))
			continue;
		v = ss_span(v.p + p->prefix.n, v.n - p->prefix.n);
		while (v.n && v.p[0] == ' ')
			v = ss_span(v.p + 1, v.n - 1);
		return v;
	}
	return p->param.n ? from_query(head->path, p->param) : SS_SPAN_NONE;
}

/* -- the cache -- */

static struct jwt_entry *set_of(struct ss_jwt *j, uint64_t hash)
{
	return &j->entries[hash % j->sets * WAYS];
}

static struct jwt_entry *find(struct ss_jwt *j, const struct ss_jwt_provider *p, struct ss_span token,
			      uint64_t hash)
{
	struct jwt_entry *e = set_of(j, hash);

	for (uint32_t i = 0; i < WAYS; i++, e++)
		if (e->provider == p->hash && e->hash == hash && ss_span_eq(ss_span(e->token, e->n), token))
			return e;
	return NULL;
}

/* In place of an empty one, or of the one that was asked for longest ago. Spans go along with their bytes. */
static struct jwt_entry *keep(struct ss_jwt *j, uint64_t hash)
{
	struct jwt_entry *set = set_of(j, hash), *e = set;
	const struct jwt_entry *s = &j->scratch;

	for (uint32_t i = 1; i < WAYS; i++)
		if (e->provider && (!set[i].provider || set[i].used < e->used))
			e = &set[i];
	memcpy(e, s, offsetof(struct jwt_entry, nodes));
	memcpy(e->token, s->token, s->n);
	memcpy(e->payload, s->payload, sizeof(s->payload));
	memcpy(e->principal, s->principal, s->claims.principal.n);
	for (uint16_t i = 0; i < s->n_nodes; i++) {
		e->nodes[i] = s->nodes[i];
		if (s->nodes[i].type == SS_JSCAN_STRING || s->nodes[i].type == SS_JSCAN_NUMBER)
			e->nodes[i].text.p = e->payload + (s->nodes[i].text.p - s->payload);
	}
	e->claims.nodes = e->nodes;
	if (e->claims.principal.n)
		e->claims.principal.p = e->principal;
	return e;
}

/* -- checking -- */

static bool some_key(struct ss_jwt *j, const struct ss_jwt_provider *p, const struct jwt_parts *t)
{
	uint8_t header[768], sig[JWT_SIGNATURE_MAX];
	enum ss_jwt_alg alg;
	struct ss_span kid;
	int n = ss_b64url(t->signature, sig, sizeof(sig));
	uint32_t tried = 0;

	if (n <= 0 || !ss_jwt_header(t->header, header, sizeof(header), &alg, &kid))
		return false;
	for (uint16_t i = 0; i < p->n_keys && tried < KEYS_TRIED; i++) {
		const struct ss_jwt_key *k = &p->keys[i];
		if (k->alg != alg || (kid.n && !ss_span_eq(kid, k->kid)))
			continue;
		tried++;
		j->verified++;
		if (ss_jwt_signed(k, j->worker, t->signed_text, ss_span(sig, (uint32_t)n)))
			return true;
	}
	return false;
}

/* What costs least is asked first: a signature is computed only for what would be taken. */
static enum ss_drop verify(struct ss_jwt *j, const struct ss_jwt_provider *p, struct ss_span token,
			   uint64_t now_s)
{
	struct jwt_parts t;
	enum ss_drop why;

	if (!ss_jwt_split(token, &t) || !ss_jwt_payload(t.payload, &j->scratch))
		return SS_DROP_TOKEN_INVALID;
	why = ss_jwt_judge(p, &j->scratch, now_s);
	if (why != SS_DROP_NONE)
		return why;
	return some_key(j, p, &t) ? SS_DROP_NONE : SS_DROP_TOKEN_INVALID;
}

static enum ss_drop check(struct ss_jwt *j, const struct ss_jwt_provider *p, struct ss_span token,
			  uint64_t now_s, const struct jwt_entry **good)
{
	uint64_t hash = token.n <= SS_JWT_MAX ? ss_siphash(&j->key, token.p, token.n) : 0;
	struct jwt_entry *e = token.n <= SS_JWT_MAX ? find(j, p, token, hash) : NULL;
	enum ss_drop why;

	if (!e) {
		why = verify(j, p, token, now_s);
		if (why != SS_DROP_NONE)
			return why;
		j->scratch.provider = p->hash;
		j->scratch.hash = hash;
		j->scratch.n = token.n;
		memcpy(j->scratch.token, token.p, token.n);
		e = keep(j, hash);
	}
	e->used = ++j->clock;
	why = ss_jwt_dates(e, now_s);
	if (why != SS_DROP_NONE)
		e->provider = 0;
	*good = e;
	return why;
}

void ss_jwt_check(struct ss_jwt *j, const struct ss_jwt_policy *p, const struct ss_hdrs *head, uint64_t now_s,
		  struct ss_jwt_found *out)
{
	*out = (struct ss_jwt_found){.why = SS_DROP_TOKEN_MISSING};
	for (uint16_t i = 0; i < p->n_providers; i++) {
		struct ss_span token = ss_jwt_token(p->providers[i], head);
		const struct jwt_entry *e = NULL;
		if (!token.n)
			continue;
		out->why = check(j, p->providers[i], token, now_s, &e);
		if (out->why == SS_DROP_NONE) {
			out->provider = p->providers[i];
			out->claims = &e->claims;
			return;
		}
		/* Another issuer's token is the next provider's to judge; anything else is final. */
		if (out->why != SS_DROP_TOKEN_REFUSED)
			return;
	}
}
