/*
 * Who opens and seals records: our own layer over one of its backends, or OpenSSL. After the handshake its keys
 * come over to the connection (tls_secrets.c has made them), and the SSL object goes where nobody needs it.
 */
#include "base/err.h"
#include "tls/tls_int.h"

static int pick(const struct ss_tls *t, struct tls_aead **out, const struct tls_aead_ops *ops)
{
	struct tls_aead_place at = { .device = t->conf.device, .queue = t->conf.worker, .counters = t->conf.counters };
	uint32_t slots = t->conf.expanded_keys ? t->conf.expanded_keys : TLS_KEYS;

	/* More than two for each connection would never be used. */
	return ss_tls_aead_create(out, ops, &at, ss_min_u32(slots, 2 * ss_tls_max_conns(&t->conf)));
}

static int pick_gcm(struct ss_tls *t, enum ss_tls_records want)
{
	if (want == SS_TLS_RECORDS_CRYPTODEV)
		return pick(t, &t->gcm, &ss_tls_device_ops);
#ifdef SS_HAVE_IPSEC_MB
	return pick(t, &t->gcm, &ss_tls_mb_ops);
#else
	return SS_ERR_NOT_FOUND;
#endif
}

int ss_tls_records_create(struct ss_tls *t)
{
	enum ss_tls_records want = t->conf.records;
	int err;

	if (want == SS_TLS_RECORDS_OPENSSL)
		return 0;
	if ((err = pick(t, &t->chacha, &ss_tls_evp_ops)) < 0)
		return err;
	err = want == SS_TLS_RECORDS_EVP ? SS_ERR_NOT_FOUND : pick_gcm(t, want);
	if (err == SS_ERR_NOT_FOUND && (want == SS_TLS_RECORDS_AUTO || want == SS_TLS_RECORDS_EVP)) {
		t->gcm = t->chacha;
		err = 0;
	}
	return err;
}

void ss_tls_records_free(struct ss_tls *t)
{
	if (t->gcm != t->chacha)
		ss_tls_aead_free(t->gcm);
	ss_tls_aead_free(t->chacha);
	t->gcm = t->chacha = NULL;
}

void ss_tls_rest(struct ss_tls *t)
{
	bool over;

	if (t->now < t->rest_at || !t->gcm)
		return;
	over = ss_tls_aead_sweep(t->gcm);
	if (t->chacha != t->gcm)
		over &= ss_tls_aead_sweep(t->chacha);
	t->rest_at = over ? t->now + TLS_REST_NS : t->now;
}

uint32_t ss_tls_keys_held(const struct ss_tls *t)
{
	if (!t->gcm)
		return 0;
	return t->gcm->held + (t->chacha != t->gcm ? t->chacha->held : 0);
}

enum ss_tls_records ss_tls_records(const struct ss_tls *t)
{
	if (!t->gcm)
		return SS_TLS_RECORDS_OPENSSL;
	if (t->gcm == t->chacha)
		return SS_TLS_RECORDS_EVP;
	return t->gcm->ops == &ss_tls_device_ops ? SS_TLS_RECORDS_CRYPTODEV : SS_TLS_RECORDS_IPSEC_MB;
}

void ss_tls_own_begin(struct ss_tls_conn *c)
{
	struct tls_shake *k = c->shake;

	if (k->taken) {
		c->own.rd = k->rd;
		c->own.wr = k->wr;
		c->own.taken = true;
		OPENSSL_cleanse(&k->rd, sizeof(k->rd));
		OPENSSL_cleanse(&k->wr, sizeof(k->wr));
		if (k->ssl)
			ss_tls_tickets_begin(c);
	}
	c->ssl = k->ssl;
	if (c->ssl && (!k->taken || c->tickets))
		return;
	c->ssl = NULL;
	c->shake = NULL;
	ss_tls_shake_free(k);
}

void ss_tls_own_end(struct ss_tls_conn *c)
{
	struct ss_tls *t = c->t;

	ss_tls_shake_free(c->shake);
	c->shake = NULL;
	c->ssl = NULL;
	ss_tls_tickets_end(c);
	if (c->own.taken) {
		ss_tls_aead_forget(ss_tls_aead_of(t, &c->own.rd), &c->own.rd);
		ss_tls_aead_forget(ss_tls_aead_of(t, &c->own.wr), &c->own.wr);
	} else {
		OPENSSL_cleanse(&c->own.rd, sizeof(c->own.rd));
		OPENSSL_cleanse(&c->own.wr, sizeof(c->own.wr));
	}
	ss_bufq_free(&c->own.in);
}
