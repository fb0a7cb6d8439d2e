/*
 * Live connections under a later trust. A new generation may have another bundle, another federation, a longer
 * revocation list; a peer that would not be let in now is not kept either. What is needed for that stands in the
 * connection's mark (contract/trust.h): no certificate, no signature. Some connections are looked at each turn, the
 * oldest first, so that ten thousand of them cost no turn much.
 *
 * No longer trusted is closed at once, with an alert: a goodbye would let it go on with what it has open.
 */
#include "tls/tls_int.h"

#define PER_TURN 64

/* Under what the peer would be judged now; NULL when nobody does. */
static const struct ss_trust *trust_now(const struct ss_tls_conn *c, const struct ss_snapshot *snap)
{
	if (c->server) {
		const struct ss_listener *l = ss_snapshot_listener(snap, c->cookie);

		return l ? l->tls->trust : NULL;
	}
	const struct ss_cluster *cl = c->cluster ? ss_snapshot_cluster(snap, c->cluster) : NULL;

	return cl && cl->tls ? cl->tls->trust : NULL;
}

static void end(struct ss_tls_conn *c, enum ss_trust_verdict v)
{
	c->own.alert = v == SS_TRUST_REVOKED ? SS_TLS_ALERT_CERTIFICATE_REVOKED : SS_TLS_ALERT_UNKNOWN_CA;
	if (!c->own.taken)
		c->own.alert = TLS_NO_ALERT;
	c->why = ss_trust_why(v);
	ss_tls_refuse_record(c, SS_DROP_TLS_DISTRUSTED);
}

static void judge(struct ss_tls_conn *c, const struct ss_snapshot *snap)
{
	struct tls_known *k = c->state == TLS_ST_OPEN ? ss_tls_known(c) : NULL;
	struct ss_trust_mark *m = k ? &k->mark : NULL;
	const struct ss_trust *trust = m && m->trust ? trust_now(c, snap) : NULL;

	if (!trust || m->trust == ss_trust_number(trust))
		return;
	enum ss_trust_verdict v = ss_trust_again(trust, k->names.identity, m);
	if (v == SS_TRUST_GOOD)
		m->trust = ss_trust_number(trust);
	else
		end(c, v);
}

void ss_tls_again_all(struct ss_tls *t)
{
	t->again = ss_tls_conns(t);
}

void ss_tls_again(struct ss_tls *t, const struct ss_snapshot *snap)
{
	if (ss_unlikely(snap->generation != t->generation)) {
		t->generation = snap->generation;
		ss_tls_again_all(t);
		ss_tls_sessions_again(t->sessions);
	}
	ss_tls_sessions_turn(t->sessions, snap);
	if (ss_list_empty(&t->all))
		t->again = 0;
	for (uint32_t i = 0; t->again && i < PER_TURN; i++, t->again--) {
		struct ss_tls_conn *c = ss_list_entry(t->all.next, struct ss_tls_conn, all);

		ss_list_remove(&c->all);
		ss_list_push_back(&t->all, &c->all);
		judge(c, snap);
	}
}
