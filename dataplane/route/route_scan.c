/* route_scan.c - the second tier: hyperscan over paths and the values of fields. */
#include <hs.h>

#include "route/route_int.h"

static const struct ss_route_scratch *scratch_of(const struct ss_route_look *k)
{
	return &k->host->index->scratch[k->worker];
}

/* Matches come in no order, so that the best so far is carried along. */
static int on_path(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
		   void *arg)
{
	struct ss_route_look *k = arg;

	ss_route_try_list(k, &k->host->index->expressions[id]);
	return 0;
}

void ss_route_scan_path(struct ss_route_look *k, const struct ss_route_slot *s)
{
	for (uint16_t i = 0; i < s->n_dbs && s->dbs[i].first < k->best; i++)
		if (hs_scan(s->dbs[i].db, (const char *)k->path.p, k->path.n, 0, scratch_of(k)->path, on_path, k) !=
		    HS_SUCCESS)
			k->broken = true;
}

static int on_field(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
		    void *arg)
{
	struct ss_route_look *k = arg;
	const struct ss_route_scratch *s = scratch_of(k);

	if (!(s->hits[id / 64] & (1ull << (id % 64))))
		s->hit[k->n_hits++] = id;
	s->hits[id / 64] |= 1ull << (id % 64);
	return 0;
}

static void scan_db(struct ss_route_look *k, uint32_t db)
{
	const struct ss_route_field_db *d = &k->host->index->field_dbs[db];
	const struct ss_route_scratch *s = scratch_of(k);
	struct ss_route_walk w = {0};
	struct ss_span value;

	if (!k->scanned)
		memset(s->hits, 0, (k->host->index->n_field_regex + 63) / 64 * 8);
	k->scanned |= 1ull << db;
	while (ss_route_next_value(k, d->on, d->name, &w, &value))
		if (hs_scan(d->db, (const char *)(value.n ? value.p : (const uint8_t *)""), value.n, 0,
			    s->field, on_field, k) != HS_SUCCESS)
			k->broken = true;
}

const uint32_t *ss_route_scan_name(struct ss_route_look *k, uint32_t regex)
{
	uint32_t db = k->host->index->field_db_of[regex];

	if (!(k->scanned & (1ull << db)))
		scan_db(k, db);
	return scratch_of(k)->hit;
}

bool ss_route_scan_field(struct ss_route_look *k, uint32_t regex)
{
	ss_route_scan_name(k, regex);
	return scratch_of(k)->hits[regex / 64] & (1ull << (regex % 64));
}
