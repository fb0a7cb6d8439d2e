/*
 * tls_aead_evp.c - OpenSSL's EVP: every cipher of ours, on every machine; several times the price of
 * tls_aead_mb.c for small records. It stands in where libipsec-mb is missing, checks it, and does
 * ChaCha20-Poly1305 (which is faster here).
 */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "tls/tls_aead.h"

struct evp_key {
	EVP_CIPHER_CTX *cipher;
};

/* Fetched once: a lookup by name costs more than a record. */
struct evp_lib {
	EVP_CIPHER *by[TLS_ALGS];
};

static void evp_destroy(void *lib)
{
	struct evp_lib *l = lib;

	for (int i = 0; i < TLS_ALGS; i++)
		EVP_CIPHER_free(l->by[i]);
	OPENSSL_free(l);
}

static void *evp_create(const struct tls_aead_place *at)
{
	static const char *const names[TLS_ALGS] = { [TLS_AES_128_GCM] = "AES-128-GCM",
						     [TLS_AES_256_GCM] = "AES-256-GCM",
						     [TLS_CHACHA20_POLY1305] = "ChaCha20-Poly1305" };
	struct evp_lib *l = OPENSSL_zalloc(sizeof(*l));

	for (int i = 0; l && i < TLS_ALGS; i++) {
		l->by[i] = EVP_CIPHER_fetch(NULL, names[i], NULL);
		if (!l->by[i]) {
			evp_destroy(l);
			l = NULL;
		}
	}
	ERR_clear_error();
	return l;
}

static bool evp_takes(enum tls_alg alg)
{
	return true;
}

static int evp_expand(void *lib, enum tls_alg alg, bool sealing, const uint8_t *key, void *x)
{
	struct evp_lib *l = lib;
	struct evp_key *k = x;

	if (!k->cipher)
		k->cipher = EVP_CIPHER_CTX_new();
	if (k->cipher && EVP_CipherInit_ex2(k->cipher, l->by[alg], key, NULL, sealing, NULL) == 1)
		return 0;
	ERR_clear_error();
	return SS_ERR_NO_MEM;
}

static void evp_release(void *x)
{
	struct evp_key *k = x;

	EVP_CIPHER_CTX_free(k->cipher);
	k->cipher = NULL;
}

static void evp_forget(void *x)
{
	struct evp_key *k = x;

	if (k->cipher)
		EVP_CIPHER_CTX_reset(k->cipher);
}

/* Everything but the tag. */
static bool run(struct evp_key *k, const struct tls_job *job)
{
	struct tls_part p = job->part;
	int n;

	if (EVP_CipherInit_ex2(k->cipher, NULL, NULL, job->nonce, -1, NULL) != 1 ||
	    EVP_CipherUpdate(k->cipher, NULL, &n, job->aad, (int)job->aad_n) != 1)
		return false;
	for (; p.n; p.m = p.m->next, p.off = 0) {
		uint32_t take = p.m->data_len - p.off < p.n ? p.m->data_len - p.off : p.n;
		uint8_t *at = rte_pktmbuf_mtod_offset(p.m, uint8_t *, p.off);

		if (EVP_CipherUpdate(k->cipher, at, &n, at, (int)take) != 1)
			return false;
		p.n -= take;
	}
	return true;
}

static int evp_seal(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	struct evp_key *k = x;
	uint8_t none[16];
	int n;

	if (run(k, job) && EVP_CipherFinal_ex(k->cipher, none, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, job->tag) == 1)
		return 0;
	ERR_clear_error();
	return SS_ERR_BAD_TLS;
}

static int evp_open(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	struct evp_key *k = x;
	uint8_t none[16];
	int n;

	if (run(k, job) && EVP_CIPHER_CTX_ctrl(k->cipher, EVP_CTRL_AEAD_SET_TAG, TLS_TAG, job->tag) == 1 &&
	    EVP_CipherFinal_ex(k->cipher, none, &n) == 1)
		return 0;
	ERR_clear_error();
	return SS_ERR_BAD_TLS;
}

const struct tls_aead_ops ss_tls_evp_ops = {
	.name = "evp",
	.xkey = sizeof(struct evp_key),
	.create = evp_create,
	.destroy = evp_destroy,
	.takes = evp_takes,
	.expand = evp_expand,
	.release = evp_release,
	.forget = evp_forget,
	.seal = evp_seal,
	.open = evp_open,
};
