/*
 * OpenSSL's input and output. In a handshake's step they are the trip's flat bytes. Afterwards, where OpenSSL
 * does the records, tcp's receive queue and a queue of mbufs: bytes are copied once, by the call that needs
 * them contiguous, and nothing is allocated per record.
 */
#include "tls/tls_int.h"

static uint32_t flat_read(struct tls_trip *t, void *dst, uint32_t n)
{
	n = ss_min_u32(n, t->in_n - t->in_used);
	memcpy(dst, t->in + t->in_used, n);
	t->in_used += n;
	return n;
}

static uint32_t flat_write(struct tls_trip *t, const void *src, uint32_t n)
{
	n = ss_min_u32(n, TLS_TRIP_OUT - t->out_n);
	memcpy(t->out + t->out_n, src, n);
	t->out_n += n;
	return n;
}

static uint32_t queue_read(struct ss_tls_conn *c, void *dst, uint32_t n)
{
	/* After the handshake it may be shown tickets, and nothing else. */
	struct ss_bufq *in = c->tickets ? &c->tickets->in : ss_tcp_rx(c->tcp);
	uint32_t got = ss_bufq_read(in, 0, dst, n);
	ss_bufq_drop(in, got);
	if (!c->tickets && got)
		ss_tcp_consumed(c->tcp, got);
	return got;
}

static int bio_read(BIO *b, char *dst, int n)
{
	struct tls_shake *k = BIO_get_data(b);
	uint32_t got;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	got = k->trip ? flat_read(k->trip, dst, (uint32_t)n) : queue_read(k->c, dst, (uint32_t)n);
	if (got == 0) {
		/* Also at the peer's FIN: whether that is an orderly end is decided in tls_record.c. */
		BIO_set_retry_read(b);
		return -1;
	}
	return (int)got;
}

static uint32_t queue_write(struct ss_tls_conn *c, const void *src, uint32_t n)
{
	if (c->tickets) /* an alert about one: the connection is no longer its business */
		return n;
	return ss_bufq_append(&c->out, c->t->conf.bufs, src, n) < 0 ? 0 : n;
}

static int bio_write(BIO *b, const char *src, int n)
{
	struct tls_shake *k = BIO_get_data(b);
	uint32_t put;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	put = k->trip ? flat_write(k->trip, src, (uint32_t)n) : queue_write(k->c, src, (uint32_t)n);
	if (put == 0) {
		BIO_set_retry_write(b);
		return -1;
	}
	return (int)put;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH: /* ss_tls_out does it, once per call into OpenSSL */
	case BIO_CTRL_SET_CLOSE:
		return 1;
	default:
		return 0;
	}
}

BIO_METHOD *ss_tls_bio_create(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sidestep tcp");

	if (!m)
		return NULL;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

int ss_tls_bio_attach(struct tls_shake *k)
{
	BIO *b = BIO_new(k->tools->bio);

	if (!b)
		return SS_ERR_NO_MEM;
	BIO_set_data(b, k);
	BIO_set_init(b, 1);
	SSL_set_bio(k->ssl, b, b); /* takes b; with the same one twice, one reference (SSL_set_bio(3)) */
	return 0;
}

void ss_tls_out(struct ss_tls_conn *c)
{
	if (c->slim || c->out.len == 0)
		return;
	if (c->tcp_over) {
		ss_bufq_free(&c->out);
		return;
	}
	/* A refusal means that tcp is over; its news says so. */
	(void)ss_tcp_send(c->tcp, &c->out);
}
