/* route_fields.c - matches of headers apart from routes: whom a fault is meant for, what is worth a retry. */
#include <hs.h>

#include "route/route_int.h"

static int on_match(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	*(bool *)arg = true;
	return 1;
}

static bool expression_fits(const struct ss_field_set *s, const struct ss_route_field *f, struct ss_span value,
			    uint16_t worker)
{
	bool found = false;

	hs_scan(s->dbs[f->regex], (const char *)(value.n ? value.p : (const uint8_t *)""), value.n, 0,
		s->scratch[worker].field, on_match, &found);
	return found;
}

static bool holds(const struct ss_field_set *s, const struct ss_route_field *f, const struct ss_hdrs *h,
		  uint16_t worker)
{
	struct ss_span value;
	bool fits = false;

	for (uint16_t i = 0; !fits && ss_route_next_field(h, f->name, &i, &value); i++)
		fits = f->kind == SS_HM_REGEX ? expression_fits(s, f, value, worker)
					      : ss_route_value_fits(f, value);
	return fits != f->invert;
}

bool ss_route_all_hold(const struct ss_field_set *s, const struct ss_hdrs *h, uint16_t worker)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (!holds(s, &s->v[i], h, worker))
			return false;
	return true;
}

bool ss_route_one_holds(const struct ss_field_set *s, const struct ss_hdrs *h, uint16_t worker)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (holds(s, &s->v[i], h, worker))
			return true;
	return false;
}
