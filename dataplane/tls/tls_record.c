/*
 * What a turn does with records, whoever opens and seals them: our own record layer, or OpenSSL (until the
 * handshake's secrets are ours, for TLS 1.2, and where the configuration says so).
 */
#include "tls/tls_int.h"

static void peer_is_done(struct ss_tls_conn *c)
{
	if (c->got_notify)
		return;
	c->got_notify = true;
	ss_tls_raise(c, SS_TLS_EV_EOF);
}

/*
 * FIN without close_notify. A body that ends with its connection "is complete only if a valid closure
 * alert has been received" (RFC 9112 9.8): else an attacker may have cut it. A request says its own
 * length, and "servers SHOULD be prepared to receive an incomplete close from the client" (ibid.): many
 * send none. After our own close_notify nothing is expected any more.
 */
static void peer_is_gone(struct ss_tls_conn *c)
{
	if (c->got_notify)
		return;
	if (c->server || c->notified) {
		peer_is_done(c);
		return;
	}
	c->got_notify = true;
	ss_tls_refuse(c, SS_DROP_TLS_TRUNCATED, SS_SPAN("FIN without close_notify"));
}

/* RFC 8446 6.1: "Any data received after a closure alert has been received MUST be ignored." */
static void ignore_rest(struct ss_tls_conn *c)
{
	uint32_t n = ss_tcp_rx(c->tcp)->len;

	ss_tls_own_ignore(c);
	ss_bufq_drop(ss_tcp_rx(c->tcp), n);
	ss_tcp_consumed(c->tcp, n);
}

static void refuse(struct ss_tls_conn *c)
{
	/* TLS 1.3 lets a client finish before the server has judged its certificate: the alert comes
	 * where the first answer should, and is still the handshake's failure. */
	enum ss_drop drop = c->got_data ? SS_DROP_TLS_RECORD : SS_DROP_TLS_HANDSHAKE;

	if (c->own.taken)
		ss_tls_refuse_record(c, drop);
	else
		ss_tls_refuse_openssl(c, drop);
}

void ss_tls_pump(struct ss_tls_conn *c)
{
	uint32_t before = c->rx.len;
	enum tls_got got = TLS_GOT_MORE;

	if (!c->got_notify)
		got = c->own.taken ? ss_tls_own_open(c) : ss_tls_libssl_open(c);
	c->stalled = got == TLS_GOT_MORE || got == TLS_GOT_NO_MEM;
	if (got == TLS_GOT_NO_MEM)
		ss_list_push_once(&c->t->ready, &c->work);
	if (c->rx.len != before) {
		c->got_data = true;
		if (c->tickets)
			ss_tls_tickets_data(c);
		ss_tls_raise(c, SS_TLS_EV_READ);
	}
	ss_tls_out(c);
	if (got == TLS_GOT_ERROR) {
		refuse(c);
		return;
	}
	if (got == TLS_GOT_NOTIFY)
		peer_is_done(c);
	if (c->got_notify)
		ignore_rest(c);
	if (got == TLS_GOT_ALL && c->tcp_eof)
		peer_is_gone(c);
}

static int seal_all(struct ss_tls_conn *c)
{
	return c->own.taken ? ss_tls_own_seal(c) : ss_tls_libssl_seal(c);
}

/* Our close_notify. 0, or SS_ERR_FULL. */
static int notify(struct ss_tls_conn *c)
{
	int err = c->own.taken ? ss_tls_own_alert(c, SS_TLS_WARNING, SS_TLS_ALERT_CLOSE_NOTIFY) :
				 ss_tls_libssl_notify(c);

	c->notified = err == 0;
	return err;
}

void ss_tls_seal(struct ss_tls_conn *c)
{
	int err = seal_all(c);

	ss_tls_out(c);
	if (err == 0 && c->shut && !c->notified) {
		err = notify(c);
		ss_tls_out(c);
		if (err == 0)
			ss_tcp_shutdown(c->tcp);
	}
	if (err == SS_ERR_FULL) {
		ss_tls_dirty(c);
		return;
	}
	if (err < 0)
		return;
	if (c->released)
		ss_tls_close(c);
	else if (c->room_short && ss_tls_room(c))
		ss_tls_raise(c, SS_TLS_EV_ROOM);
}
