/*
 * A connection's handshake, seen from the worker: how it begins, and what becomes of a step's outcome. Which
 * steps run when and where is tls_queue.c's.
 */
#include "base/err.h"
#include "tls/tls_int.h"

/* Keeps its own references: the snapshot may go while the handshake lasts. */
static struct tls_shake *shake_new(struct ss_tls_conn *c, void *const ctx[])
{
	struct tls_shake *k = OPENSSL_zalloc(sizeof(*k));

	if (!k)
		return NULL;
	k->c = c;
	k->tools = &c->t->tools;
	k->server = c->server;
	k->why = "";
	k->executor = ss_crew_threads(c->t->conf.crew) ? ss_crew_pick(c->t->conf.crew, c->t->conf.worker) :
							 c->t->conf.worker;
	k->ctx = ctx[k->executor];
	if (!k->ctx || SSL_CTX_up_ref(k->ctx) != 1) {
		OPENSSL_free(k);
		return NULL;
	}
	return c->shake = k;
}

/* What the peer's certificate is judged by. */
static int expect(struct ss_tls_conn *c, const struct ss_trust *trust, const struct ss_id_match *ids, uint16_t n)
{
	ss_trust_hold(trust);
	c->shake->trust = trust;
	c->shake->generation = c->t->generation;
	return ss_tls_policy_copy(&c->shake->policy, ids, n);
}

int ss_tls_server_begin(struct ss_tls_conn *c, const struct ss_listener *l)
{
	const struct ss_tls_server *s = l->tls;
	struct tls_shake *k = shake_new(c, s->ctx);

	if (!k)
		return SS_ERR_NO_MEM;
	k->asks = s->client_certificate;
	k->xfcc = l->xfcc_fields;
	return k->asks ? expect(c, s->trust, s->ids, s->n_ids) : 0;
}

/* What the handshake has found out so far is what is known of the peer. */
static int know(struct ss_tls_conn *c, const struct tls_shake *k)
{
	const char *sni = c->server ? k->sni : k->name;
	const struct ss_peer_names n = { .identity = ss_span(k->identity, k->identity_n),
					 .sni = sni ? ss_span_str(sni) : SS_SPAN_NONE,
					 .xfcc = ss_span(k->xfcc_line, k->xfcc_n),
					 .until = k->until };
	struct tls_known *was = ss_tls_known(c), *is = ss_tls_peers_hold(c->t->peers, &n, &k->mark);

	if (!is)
		return SS_ERR_NO_MEM;
	c->peer.names = &is->names;
	ss_tls_peers_drop(c->t->peers, was);
	return 0;
}

static int ask_for(struct ss_tls_conn *c, struct ss_span name)
{
	c->shake->name = OPENSSL_strndup((const char *)name.p, name.n);
	return c->shake->name ? know(c, c->shake) : SS_ERR_NO_MEM;
}

static void look_for_session(struct ss_tls_conn *c, const struct ss_tls_client *cl, enum ss_protocol protocol)
{
	const struct ss_tuple *to = ss_tcp_tuple(c->tcp);
	struct tls_shake *k = c->shake;

	k->keeps = true;
	k->key = (struct tls_session_key){ .hash = cl->hash, .cluster = cl->cluster, .protocol = (uint8_t)protocol,
					   .remote = { .ip = to->remote, .port = to->remote_port } };
	(void)ss_tls_sessions_take(c->t->sessions, &k->key, &k->kept);
}

int ss_tls_client_begin(struct ss_tls_conn *c, const struct ss_tls_client *cl, enum ss_protocol protocol)
{
	struct tls_shake *k;
	int err;

	/* Without a name and without identities anyone whom the bundle knows would do: never. */
	if (cl->n_ids == 0 && cl->sni.n == 0)
		return SS_ERR_REFUSED;
	if (!(k = shake_new(c, cl->ctx)))
		return SS_ERR_NO_MEM;
	if ((err = expect(c, cl->trust, cl->ids, cl->n_ids)) < 0)
		return err;
	c->cluster = cl->cluster;
	k->allowed_ns = cl->handshake_timeout_ns;
	k->protocol = (uint8_t)protocol;
	k->expects_name = cl->n_ids == 0;
	if (cl->resume && cl->hash)
		look_for_session(c, cl, protocol);
	else if (cl->session && *cl->session && SSL_SESSION_up_ref(*cl->session) == 1)
		k->kept.session = *cl->session;
	return cl->sni.n ? ask_for(c, cl->sni) : 0;
}

/* ---- what a step brings back ---- */

static void count_chains(struct ss_tls_conn *c, struct tls_shake *k)
{
	if (k->chain_known)
		ss_count(c->t->conf.counters, SS_C_TLS_CHAINS_KNOWN, 1);
	if (k->chain_verified)
		ss_count(c->t->conf.counters, SS_C_TLS_CHAINS_VERIFIED, 1);
	k->chain_known = k->chain_verified = false;
}

static void done(struct ss_tls_conn *c, struct tls_shake *k)
{
	if (know(c, k) < 0) { /* one whom no policy could name */
		ss_tls_refuse(c, SS_DROP_TLS_CONNS_FULL, SS_SPAN("no memory for the peer's names"));
		return;
	}
	ss_wheel_cancel(&c->t->wheel, &c->timer);
	ss_count(c->t->conf.counters, SS_C_TLS_HANDSHAKES, 1);
	if (k->resumed)
		ss_count(c->t->conf.counters, SS_C_TLS_RESUMED, 1);
	if (k->resumed && !c->server)
		ss_count(c->t->conf.counters, SS_C_TLS_UPSTREAM_RESUMED, 1);
	c->peer.alpn = k->alpn;
	c->peer.tls = k->tls;
	if (k->generation != c->t->generation)
		ss_tls_again_all(c->t);
	ss_tls_own_begin(c);
	c->state = TLS_ST_OPEN;
	c->handed = true;
	ss_tls_raise(c, c->server ? SS_TLS_EV_ACCEPTED : SS_TLS_EV_CONNECTED);
	if (c->tx.len || c->shut)
		ss_tls_dirty(c);
	/* The first request may have come with the client's Finished. */
	ss_tls_pump(c);
}

static void came_back(struct ss_tls_conn *c, struct tls_shake *k)
{
	count_chains(c, k);
	if (k->sni && !c->peer.names)
		(void)know(c, k); /* should it end before it is over */
	switch ((enum tls_went)k->went) {
	case TLS_WENT_MORE:
		if (c->tcp_eof && ss_tcp_rx(c->tcp)->len == 0)
			ss_tls_refuse(c, SS_DROP_TLS_HANDSHAKE, SS_SPAN("peer closed during the handshake"));
		else
			ss_tls_park(c);
		return;
	case TLS_WENT_AGAIN:
	case TLS_WENT_PAUSED: /* its thread has ended: never with a connection */
		ss_tls_park_anyway(c);
		return;
	case TLS_WENT_DONE:
		done(c, k);
		return;
	case TLS_WENT_FAILED:
		(void)know(c, k); /* the report has what there is */
		ss_tls_refuse(c, (enum ss_drop)k->drop, ss_span(k->text, k->text_n));
	}
}

/* Bytes out first: what failed has its alert among them. False: no mbufs just now. */
static bool unload(struct ss_tls_conn *c, struct tls_trip *trip)
{
	uint32_t n = trip->in_used;

	ss_bufq_drop(ss_tcp_rx(c->tcp), n);
	if (n)
		ss_tcp_consumed(c->tcp, n);
	trip->in_used = 0;
	if (trip->out_n && ss_bufq_append(&c->out, c->t->conf.bufs, trip->out, trip->out_n) < 0)
		return false;
	ss_tls_out(c);
	return true;
}

void ss_tls_land(struct ss_tls_conn *c)
{
	struct tls_trip *trip = c->trip;

	if (!unload(c, trip)) {
		ss_tls_park_anyway(c);
		return;
	}
	c->trip = NULL;
	ss_pool_give(c->t->trips, trip);
	came_back(c, c->shake);
}
