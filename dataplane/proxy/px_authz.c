/* px_authz.c - what the policies said about a request: counted by policy, and kept for the record. */
#include "contract/policies.h"
#include "proxy/px_ext_authz.h"

/* A snapshot of a test may come without the table. */
static struct ss_policy_counts *row(const struct px_exchange *x, const struct ss_snapshot *snap,
				    const struct ss_authz_rule *r)
{
	return snap->policies
		       ? ss_policies_row(snap->policies, x->p->conf.worker, r ? r->slot : SS_POLICY_DEFAULT)
		       : NULL;
}

static void count(const struct px_exchange *x, const struct ss_snapshot *snap,
		  const struct ss_route_decision *d)
{
	struct ss_policy_counts *c = row(x, snap, d->rule);

	if (!c)
		return;
	ss_policy_count(d->drop == SS_DROP_DENIED ? &c->denied : &c->allowed);
	if (d->dry_denied)
		ss_policy_count(&row(x, snap, d->dry_rule)->dry_run_denied);
	if (d->audit)
		ss_policy_count(&row(x, snap, d->audit)->audited);
}

void px_authorized(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
		   const struct ss_route_decision *d)
{
	const struct ss_authz_rule *by = d->dry_denied ? d->dry_rule : d->rule;

	if (!d->authorized)
		return;
	count(x, snap, d);
	x->authz = d->drop == SS_DROP_DENIED ? SS_EVENT_AUTHZ_DENIED
		   : d->dry_denied         ? SS_EVENT_AUTHZ_DRY_RUN_DENIED
					   : SS_EVENT_AUTHZ_ALLOWED;
	x->rule = by ? by->name : d->audit ? d->audit->name : 0;
	x->audited = d->audit != NULL;
	x->own = l->own_id;
	if (x->asked && x->asked->would_deny && x->authz == SS_EVENT_AUTHZ_ALLOWED) {
		x->authz = SS_EVENT_AUTHZ_DRY_RUN_DENIED;
		x->rule = x->asked->would_deny;
	}
}

void px_unauthenticated(struct px_exchange *x, const struct ss_listener *l)
{
	x->authz = SS_EVENT_AUTHZ_DENIED;
	x->own = l->own_id;
}
