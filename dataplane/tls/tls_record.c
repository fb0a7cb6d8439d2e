/*
 * Records to plaintext and back. Plaintext is opened into fresh mbufs, as much of one as the records at
 * hand fill; what was queued during a turn is gathered, so that small writes share a record.
 */
#include <openssl/err.h>

#include "tls/tls_int.h"

/* How an attempt to read ended. */
enum got { GOT_ALL, GOT_MORE, GOT_NO_MEM, GOT_NOTIFY, GOT_ERROR };

static enum got outcome(const struct ss_tls_conn *c)
{
	switch (SSL_get_error(c->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: /* an answer of OpenSSL's own found no mbufs: seal's business */
		return GOT_ALL;
	case SSL_ERROR_ZERO_RETURN:
		return GOT_NOTIFY;
	default:
		return GOT_ERROR;
	}
}

/* Fills one mbuf. */
static enum got open_one(struct ss_tls_conn *c)
{
	enum got got = GOT_MORE;

	if (!SSL_has_pending(c->ssl) && ss_tcp_rx(c->tcp)->len == 0)
		return GOT_ALL;
	struct rte_mbuf *m = ss_buf_alloc(c->t->conf.bufs);
	if (!m)
		return GOT_NO_MEM;
	while (rte_pktmbuf_tailroom(m)) {
		size_t n;

		ERR_clear_error();
		if (SSL_read_ex(c->ssl, rte_pktmbuf_mtod_offset(m, void *, m->data_len), rte_pktmbuf_tailroom(m),
				&n) != 1) {
			got = outcome(c);
			break;
		}
		rte_pktmbuf_append(m, (uint16_t)n);
	}
	ss_bufq_push(&c->rx, m);
	return got;
}

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

void ss_tls_pump(struct ss_tls_conn *c)
{
	uint32_t before = c->rx.len;
	enum got got = GOT_MORE;

	while (got == GOT_MORE && c->rx.len < c->t->conf.max_plain && !c->got_notify)
		got = open_one(c);
	c->stalled = got == GOT_MORE || got == GOT_NO_MEM;
	if (got == GOT_NO_MEM)
		ss_list_push_once(&c->t->ready, &c->work);
	if (c->rx.len != before) {
		c->got_data = true;
		ss_tls_raise(c, SS_TLS_EV_READ);
	}
	ss_tls_out(c);
	if (got == GOT_ERROR) {
		/* TLS 1.3 lets a client finish before the server has judged its certificate: the alert comes
		 * where the first answer should, and is still the handshake's failure. */
		ss_tls_refuse_openssl(c, c->got_data ? SS_DROP_TLS_RECORD : SS_DROP_TLS_HANDSHAKE);
		return;
	}
	if (got == GOT_NOTIFY)
		peer_is_done(c);
	if (c->got_notify && ss_tcp_rx(c->tcp)->len) {
		/* RFC 8446 6.1: "Any data received after a closure alert has been received MUST be ignored." */
		uint32_t n = ss_tcp_rx(c->tcp)->len;

		ss_bufq_drop(ss_tcp_rx(c->tcp), n);
		ss_tcp_consumed(c->tcp, n);
	}
	if (got == GOT_ALL && c->tcp_eof)
		peer_is_gone(c);
}

/* Seals tx. 0; SS_ERR_FULL when there are no mbufs just now; SS_ERR_CLOSED when the connection was refused. */
static int seal_all(struct ss_tls_conn *c)
{
	while (c->tx.len) {
		uint32_t n = ss_min_u32(c->tx.len, SS_TLSREC_MAX_PLAIN);
		const uint8_t *p = ss_bufq_peek(&c->tx, 0, n, c->t->scratch);
		size_t done;

		ERR_clear_error();
		if (SSL_write_ex(c->ssl, p, n, &done) != 1) {
			int why = SSL_get_error(c->ssl, 0);

			if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
				return SS_ERR_FULL;
			ss_tls_refuse_openssl(c, SS_DROP_TLS_RECORD);
			return SS_ERR_CLOSED;
		}
		ss_bufq_drop(&c->tx, (uint32_t)done);
	}
	return 0;
}

/* 0, or SS_ERR_FULL. */
static int notify(struct ss_tls_conn *c)
{
	ERR_clear_error();
	int r = SSL_shutdown(c->ssl);

	if (r < 0 && SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_WRITE)
		return SS_ERR_FULL;
	ERR_clear_error();
	c->notified = true;
	return 0;
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
