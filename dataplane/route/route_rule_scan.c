/* route_rule_scan.c - expressions in rules: each subject's values are scanned once, for all rules of a
 * policy. */
#include <hs.h>

#include "route/route_int.h"

static const struct ss_route_scratch *scratch_of(const struct ss_route_facts *f)
{
	return &f->regex->scratch[f->rq->worker];
}

static int on_hit(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
		  void *arg)
{
	uint64_t *hits = arg;

	hits[id / 64] |= 1ull << (id % 64);
	return 0;
}

static void scan_value(struct ss_route_facts *f, const struct ss_authz_subject *s, struct ss_span value)
{
	const struct ss_route_scratch *scratch = scratch_of(f);
	const char *p = value.n ? (const char *)value.p : ""; /* hyperscan wants a pointer even for nothing */

	for (uint32_t i = 0; i < s->n_dbs; i++)
		if (hs_scan(s->dbs[i], p, value.n, 0, scratch->field, on_hit, scratch->hits) != HS_SUCCESS)
			f->broken = true;
}

static void scan_subject(struct ss_route_facts *f, uint32_t subject)
{
	const struct ss_authz_subject *s = &f->regex->subjects[subject];
	struct ss_route_fact_walk w = {0};
	struct ss_span value;

	/* The route is decided: its hits are not wanted any more. */
	if (!f->scanned)
		memset(scratch_of(f)->hits, 0, (f->regex->n + 63) / 64 * 8);
	f->scanned |= 1ull << subject;
	while (ss_route_next_fact(f, s->kind, s->key, &w, &value))
		scan_value(f, s, value);
}

bool ss_route_rule_matches(const struct ss_authz_part *p, struct ss_route_facts *f)
{
	const uint64_t *hits = ss_route_scan_subjects(f, 1ull << p->subject);

	for (uint16_t i = 0; i < p->n_regex; i++)
		if (hits[p->regex[i] / 64] & (1ull << (p->regex[i] % 64)))
			return true;
	return false;
}

const uint64_t *ss_route_scan_subjects(struct ss_route_facts *f, uint64_t subjects)
{
	for (uint64_t left = subjects & ~f->scanned; left; left &= left - 1)
		scan_subject(f, (uint32_t)__builtin_ctzll(left));
	return scratch_of(f)->hits;
}
