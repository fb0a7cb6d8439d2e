/*
 * tls_aead_mb.c - libipsec-mb's AES-GCM by its direct calls: no queue, no job objects; a record that lies in
 * one mbuf is one call, else one call for each mbuf between init and finalize.
 */
#include <intel-ipsec-mb.h>

#include <openssl/crypto.h>

#include "base/err.h"
#include "tls/tls_aead.h"

/* What differs between the key lengths, and between the directions. */
struct mb_calls {
	aes_gcm_pre_t expand;
	aes_gcm_init_t init;
	aes_gcm_enc_dec_t whole[2]; /* [sealing] */
	aes_gcm_enc_dec_update_t update[2];
	aes_gcm_enc_dec_finalize_t finish[2];
};

struct mb_lib {
	IMB_MGR *mgr;
	struct gcm_context_data gcm; /* of the record at hand */
	struct mb_calls by[2];       /* by enum tls_alg: AES-128, AES-256 */
};

static void mb_destroy(void *lib)
{
	struct mb_lib *l = lib;

	free_mb_mgr(l->mgr);
	OPENSSL_clear_free(l, sizeof(*l));
}

/* Without the AES instructions version 1 emulates them: EVP does that better. Version 2 gives up by itself. */
static bool emulated(IMB_ARCH arch)
{
#if IMB_VERSION_NUM < 0x20000
	return arch == IMB_ARCH_NOAESNI;
#else
	return false;
#endif
}

static void *mb_create(const struct tls_aead_place *at)
{
	struct mb_lib *l = OPENSSL_zalloc(sizeof(*l));
	IMB_ARCH arch = IMB_ARCH_NONE;

	if (!l)
		return NULL;
	l->mgr = alloc_mb_mgr(0);
	if (l->mgr)
		init_mb_mgr_auto(l->mgr, &arch);
	if (arch == IMB_ARCH_NONE || emulated(arch)) {
		mb_destroy(l);
		return NULL;
	}
	const IMB_MGR *m = l->mgr;
	l->by[TLS_AES_128_GCM] = (struct mb_calls){ m->gcm128_pre, m->gcm128_init,
						    { m->gcm128_dec, m->gcm128_enc },
						    { m->gcm128_dec_update, m->gcm128_enc_update },
						    { m->gcm128_dec_finalize, m->gcm128_enc_finalize } };
	l->by[TLS_AES_256_GCM] = (struct mb_calls){ m->gcm256_pre, m->gcm256_init,
						    { m->gcm256_dec, m->gcm256_enc },
						    { m->gcm256_dec_update, m->gcm256_enc_update },
						    { m->gcm256_dec_finalize, m->gcm256_enc_finalize } };
	return l;
}

static bool mb_takes(enum tls_alg alg)
{
	return alg == TLS_AES_128_GCM || alg == TLS_AES_256_GCM;
}

static int mb_expand(void *lib, enum tls_alg alg, bool sealing, const uint8_t *key, void *x)
{
	struct mb_lib *l = lib;

	l->by[alg].expand(key, x);
	return 0;
}

static void mb_forget(void *x)
{
	OPENSSL_cleanse(x, sizeof(struct gcm_key_data));
}

static void run(struct mb_lib *l, enum tls_alg alg, bool sealing, void *x, const struct tls_job *job, uint8_t *tag)
{
	const struct mb_calls *f = &l->by[alg];
	struct tls_part p = job->part;
	uint8_t *at = rte_pktmbuf_mtod_offset(p.m, uint8_t *, p.off);

	if (ss_likely(p.n <= p.m->data_len - p.off)) {
		f->whole[sealing](x, &l->gcm, at, at, p.n, job->nonce, job->aad, job->aad_n, tag, TLS_TAG);
		return;
	}
	f->init(x, &l->gcm, job->nonce, job->aad, job->aad_n);
	for (; p.n; p.m = p.m->next, p.off = 0) {
		uint32_t take = p.m->data_len - p.off < p.n ? p.m->data_len - p.off : p.n;

		at = rte_pktmbuf_mtod_offset(p.m, uint8_t *, p.off);
		f->update[sealing](x, &l->gcm, at, at, take);
		p.n -= take;
	}
	f->finish[sealing](x, &l->gcm, tag, TLS_TAG);
}

static int mb_seal(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	run(lib, alg, true, x, job, job->tag);
	return 0;
}

static int mb_open(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	uint8_t tag[TLS_TAG];

	run(lib, alg, false, x, job, tag);
	return CRYPTO_memcmp(tag, job->tag, TLS_TAG) == 0 ? 0 : SS_ERR_BAD_TLS;
}

const struct tls_aead_ops ss_tls_mb_ops = {
	.name = "ipsec-mb",
	.xkey = sizeof(struct gcm_key_data),
	.create = mb_create,
	.destroy = mb_destroy,
	.takes = mb_takes,
	.expand = mb_expand,
	.release = mb_forget,
	.forget = mb_forget,
	.seal = mb_seal,
	.open = mb_open,
};
