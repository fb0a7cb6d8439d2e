/*
 * route_rule_index.c - the rules that may hold: everything that some rule stands under (contract/authz.h) is
 * looked up once for the request.
 */
#include "route/route_int.h"

static void try_list(struct ss_route_hunt *h, uint32_t first, uint32_t n)
{
	const uint32_t *ids = h->a->index->ids + first;

	for (uint32_t i = 0; i < n; i++)
		ss_route_try_rule(h, ids[i]);
}

/* What is looked up: a kind, and the name of a header or a claim. */
struct key {
	uint8_t kind;
	struct ss_span name;
	uint64_t name_hash;
};

static void try_hash(struct ss_route_hunt *h, const struct key *k, uint8_t fit, uint64_t hash,
		     struct ss_span text)
{
	const struct ss_authz_index *ix = h->a->index;

	for (uint32_t i = (uint32_t)hash & ix->mask; ix->slots[i].n; i = (i + 1) & ix->mask) {
		const struct ss_authz_slot *s = &ix->slots[i];
		if (s->hash == hash && s->kind == k->kind && s->fit == fit && ss_span_eq(s->text, text) &&
		    ss_span_eq(s->name, k->name)) {
			try_list(h, s->first, s->n);
			return;
		}
	}
}

static void try_text(struct ss_route_hunt *h, const struct key *k, uint8_t fit, struct ss_span text)
{
	uint64_t seed = ss_authz_seed(k->kind, fit, k->name_hash);

	try_hash(h, k, fit, ss_authz_hash_text(text, seed), text);
}

static bool has_length(const struct ss_authz_lengths *l, uint32_t n)
{
	return l->bits[n / 64] & (1ull << (n % 64));
}

/* At every length that some prefix has. */
static void try_prefixes(struct ss_route_hunt *h, const struct key *k, struct ss_span text)
{
	const struct ss_authz_lengths *l = &h->a->index->prefixes[k->kind];
	uint64_t hash = SS_AUTHZ_HASH_START, seed = ss_authz_seed(k->kind, SS_AUTHZ_PREFIX, k->name_hash);
	uint32_t most = ss_min_u32(text.n, l->longest);

	for (uint32_t n = 0;; n++) {
		if (has_length(l, n))
			try_hash(h, k, SS_AUTHZ_PREFIX, ss_authz_hash_end(hash, seed), ss_span(text.p, n));
		if (n == most)
			return;
		hash = ss_authz_hash_byte(hash, text.p[n]);
	}
}

/* The same from the end. */
static void try_suffixes(struct ss_route_hunt *h, const struct key *k, struct ss_span text)
{
	const struct ss_authz_lengths *l = &h->a->index->suffixes[k->kind];
	uint64_t hash = SS_AUTHZ_HASH_START, seed = ss_authz_seed(k->kind, SS_AUTHZ_SUFFIX, k->name_hash);
	uint32_t most = ss_min_u32(text.n, l->longest);

	for (uint32_t n = 0;; n++) {
		if (has_length(l, n))
			try_hash(h, k, SS_AUTHZ_SUFFIX, ss_authz_hash_end(hash, seed),
				 ss_span(text.p + text.n - n, n));
		if (n == most)
			return;
		hash = ss_authz_hash_byte(hash, text.p[text.n - n - 1]);
	}
}

static void try_value(struct ss_route_hunt *h, const struct key *k, struct ss_span value)
{
	uint8_t fits = h->a->index->fits[k->kind];

	if (fits & (1u << SS_AUTHZ_EXACT))
		try_text(h, k, SS_AUTHZ_EXACT, value);
	if (fits & (1u << SS_AUTHZ_PRESENT))
		try_text(h, k, SS_AUTHZ_PRESENT, SS_SPAN_NONE);
	if (fits & (1u << SS_AUTHZ_PREFIX))
		try_prefixes(h, k, value);
	if (fits & (1u << SS_AUTHZ_SUFFIX))
		try_suffixes(h, k, value);
}

static void try_facts(struct ss_route_hunt *h, uint8_t kind, struct ss_span name)
{
	struct key k = {kind, name, ss_authz_hash_name(name)};
	struct ss_route_fact_walk w = {0};
	struct ss_span value;

	while (ss_route_next_fact(h->f, kind, name, &w, &value))
		try_value(h, &k, value);
}

/* DNS names are compared without regard to case; the table has them in lower case. */
static void try_dns_name(struct ss_route_hunt *h, struct ss_span id)
{
	static const struct key k = {.kind = SS_AUTHZ_ID};
	uint8_t lower[SS_ID_DNS_MAX];
	struct ss_span name = ss_id_dns_key(id, lower);

	if (name.n)
		try_text(h, &k, SS_AUTHZ_EXACT, name);
}

static void try_header(struct ss_route_hunt *h, struct ss_span name, struct ss_span value)
{
	struct key k = {SS_AUTHZ_HEADER, name, 0};

	if (!name.n || !(h->a->index->header_filter & ss_route_name_bit(name)))
		return;
	k.name_hash = ss_authz_hash_name(name);
	try_value(h, &k, value);
}

static void try_headers(struct ss_route_hunt *h)
{
	const struct ss_hdrs *head = h->f->rq->head;

	if (head->authority.n)
		try_header(h, SS_SPAN("host"), head->authority);
	for (uint16_t i = 0; i < head->n; i++)
		if (head->v[i].tok != SS_H_HOST)
			try_header(h, head->v[i].name, head->v[i].value);
}

/* Networks are looked up by their bytes, at every length that some network has. */
static void try_nets(struct ss_route_hunt *h, uint8_t kind)
{
	const struct ss_authz_lengths *l = &h->a->index->prefixes[kind];
	const struct ss_ip *ip = ss_route_fact_ip(h->f, kind);
	struct key k = {.kind = kind};
	struct ss_authz_net net;

	if (!ip || !ip->family)
		return;
	net.ip = *ip;
	for (uint32_t bits = ip->family == 6 ? 128 : 32;; bits--) {
		net.bits = (uint8_t)bits;
		if (bits % 8)
			net.ip.b[bits / 8] &= (uint8_t)(0xff00u >> bits % 8);
		else if (bits < 128)
			net.ip.b[bits / 8] = 0;
		if (has_length(l, ss_authz_net_bit(ip->family, bits)))
			try_text(h, &k, SS_AUTHZ_EXACT, ss_span(&net, sizeof(net)));
		if (!bits)
			return;
	}
}

static void try_port(struct ss_route_hunt *h)
{
	static const struct key k = {.kind = SS_AUTHZ_PORT};

	if (h->f->rq->local)
		try_text(h, &k, SS_AUTHZ_EXACT,
			 ss_span(&h->f->rq->local->port, sizeof(h->f->rq->local->port)));
}

static void try_expressions(struct ss_route_hunt *h)
{
	static const struct key k = {.kind = SS_AUTHZ_REGEX_HIT};
	const uint64_t *hits = ss_route_scan_subjects(h->f, h->a->index->scan);

	for (uint32_t w = 0; w < (h->a->regex->n + 63) / 64; w++) {
		for (uint64_t left = hits[w]; left; left &= left - 1) {
			uint32_t id = w * 64 + (uint32_t)__builtin_ctzll(left);
			try_text(h, &k, SS_AUTHZ_EXACT, ss_span(&id, sizeof(id)));
		}
	}
}

void ss_route_try_index(struct ss_route_hunt *h)
{
	static const uint8_t texts[] = {SS_AUTHZ_ID,   SS_AUTHZ_DOMAIN, SS_AUTHZ_NAMESPACE, SS_AUTHZ_TOKEN,
					SS_AUTHZ_PATH, SS_AUTHZ_HOST,   SS_AUTHZ_SNI};
	static const uint8_t nets[] = {SS_AUTHZ_SOURCE_IP, SS_AUTHZ_REMOTE_IP, SS_AUTHZ_LOCAL_IP};
	const struct ss_authz_index *ix = h->a->index;

	try_list(h, ix->rest_first, ix->rest_n);
	for (size_t i = 0; i < SS_ARRAY_LEN(texts); i++)
		if (ix->fits[texts[i]])
			try_facts(h, texts[i], SS_SPAN_NONE);
	if (ix->fits[SS_AUTHZ_ID] & (1u << SS_AUTHZ_EXACT))
		try_dns_name(h, h->f->rq->peer_identity);
	for (size_t i = 0; i < SS_ARRAY_LEN(nets); i++)
		if (ix->fits[nets[i]])
			try_nets(h, nets[i]);
	if (ix->fits[SS_AUTHZ_PORT])
		try_port(h);
	if (ix->fits[SS_AUTHZ_HEADER])
		try_headers(h);
	for (uint32_t i = 0; ix->fits[SS_AUTHZ_CLAIM] && i < ix->n_claims; i++)
		try_facts(h, SS_AUTHZ_CLAIM, ix->claims[i]);
	if (ix->scan)
		try_expressions(h);
}
