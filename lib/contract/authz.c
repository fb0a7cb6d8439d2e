#include "contract/authz.h"

struct ss_span ss_authz_namespace(struct ss_span id)
{
	struct ss_span domain = ss_id_trust_domain(id), rest, ns;
	uint32_t n = 0;

	if (!domain.n)
		return SS_SPAN_NONE;
	rest = ss_span(domain.p + domain.n, (uint32_t)(id.p + id.n - (domain.p + domain.n)));
	if (!ss_span_starts(rest, SS_SPAN("/ns/")))
		return SS_SPAN_NONE;
	rest = ss_span(rest.p + 4, rest.n - 4);
	while (n < rest.n && rest.p[n] != '/')
		n++;
	ns = ss_span(rest.p, n);
	rest = ss_span(rest.p + n, rest.n - n);
	return n && ss_span_starts(rest, SS_SPAN("/sa/")) && rest.n > 4 ? ns : SS_SPAN_NONE;
}
