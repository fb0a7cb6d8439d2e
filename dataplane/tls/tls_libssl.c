/*
 * OpenSSL's records: TLS 1.2, and every version where the configuration says so. Plaintext is opened into
 * fresh mbufs, as much of one as the records at hand fill; what is sealed is gathered first, so that small
 * writes share a record. Two copies a record; the reference that our own are compared with.
 */
#include <openssl/err.h>

#include "tls/tls_int.h"

static enum tls_got outcome(const struct ss_tls_conn *c)
{
	switch (SSL_get_error(c->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: /* an answer of OpenSSL's own found no mbufs: seal's business */
		return TLS_GOT_ALL;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_GOT_NOTIFY;
	default:
		return TLS_GOT_ERROR;
	}
}

/* Fills one mbuf. */
static enum tls_got open_one(struct ss_tls_conn *c)
{
	enum tls_got got = TLS_GOT_MORE;

	if (!SSL_has_pending(c->ssl) && ss_tcp_rx(c->tcp)->len == 0)
		return TLS_GOT_ALL;
	struct rte_mbuf *m = ss_buf_alloc(c->t->conf.bufs);
	if (!m)
		return TLS_GOT_NO_MEM;
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

enum tls_got ss_tls_libssl_open(struct ss_tls_conn *c)
{
	enum tls_got got = TLS_GOT_MORE;

	while (got == TLS_GOT_MORE && c->rx.len < c->t->conf.max_plain)
		got = open_one(c);
	return got;
}

int ss_tls_libssl_seal(struct ss_tls_conn *c)
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

int ss_tls_libssl_notify(struct ss_tls_conn *c)
{
	ERR_clear_error();
	int r = SSL_shutdown(c->ssl);

	if (r < 0 && SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_WRITE)
		return SS_ERR_FULL;
	ERR_clear_error();
	c->notified = true;
	return 0;
}
