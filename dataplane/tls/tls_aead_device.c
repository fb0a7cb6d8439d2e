/*
 * tls_aead_device.c - AES-GCM by a crypto device: DPDK's cryptodev over Intel QAT, or over software that stands for it.
 *
 * The table asks for a record and wants it done, so the worker waits for the device: one operation is under way, and a
 * device pays only where its AES is much faster than the processor's. That the record layer runs on it, unchanged,
 * is what this is for; to have many operations under way needs records that are opened in a later turn.
 */
#include <rte_cryptodev.h>

#include <openssl/crypto.h>

#include "base/err.h"
#include "tls/tls_aead.h"
#include "tls/tls_device.h"

#define AAD 5u
/* A device that has not answered by then does not answer. Polls and not time, which also goes by while the worker has
 * no processor; a poll takes 10 ns at least, so these are 20 ms. */
#define POLLS 2000000u

/* What the device reads and writes besides the record lies behind the operation, where it can reach it. */
struct beside {
	uint8_t iv[16];
	uint8_t aad[16];
	uint8_t tag[TLS_TAG];
};

struct device_lib {
	const struct ss_tls_device *device;
	uint8_t id;
	uint16_t queue;
	bool dead; /* it has not answered: nothing is given to it any more */
	struct rte_mempool *ops;
	struct rte_crypto_op *op;
};

/* A session is freed by the queue that made it. */
struct device_key {
	uint8_t id;
	void *session;
};

#define BESIDE (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))

static void device_destroy(void *lib)
{
	struct device_lib *l = lib;

	/* What a device that does not answer may still write to stays. */
	if (l->op && !l->dead)
		rte_crypto_op_free(l->op);
	if (!l->dead)
		rte_mempool_free(l->ops);
	OPENSSL_free(l);
}

static void *device_create(const struct tls_aead_place *at)
{
	struct device_lib *l = at->device && at->queue < ss_tls_device_queues(at->device) ? OPENSSL_zalloc(sizeof(*l)) : NULL;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (!l)
		return NULL;
	l->device = at->device;
	l->id = ss_tls_device_id(at->device);
	l->queue = at->queue;
	snprintf(name, sizeof(name), "tls ops %u", at->queue);
	l->ops = rte_crypto_op_pool_create(name, RTE_CRYPTO_OP_TYPE_SYMMETRIC, 1, 0, sizeof(struct beside), SOCKET_ID_ANY);
	if (l->ops)
		l->op = rte_crypto_op_alloc(l->ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	if (l->op)
		return l;
	device_destroy(l);
	return NULL;
}

static bool device_takes(enum tls_alg alg)
{
	return alg == TLS_AES_128_GCM || alg == TLS_AES_256_GCM;
}

/* It clears the session's memory. */
static void device_forget(void *x)
{
	struct device_key *k = x;

	if (k->session)
		rte_cryptodev_sym_session_free(k->id, k->session);
	k->session = NULL;
}

static int device_expand(void *lib, enum tls_alg alg, bool sealing, const uint8_t *key, void *x)
{
	struct device_lib *l = lib;
	struct device_key *k = x;
	struct rte_crypto_sym_xform how = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.aead = { .op = sealing ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
			  .algo = RTE_CRYPTO_AEAD_AES_GCM,
			  .key = { .data = key, .length = alg == TLS_AES_128_GCM ? 16 : 32 },
			  .iv = { .offset = BESIDE + offsetof(struct beside, iv), .length = TLS_IV },
			  .digest_length = TLS_TAG,
			  .aad_length = AAD },
	};

	device_forget(k);
	k->id = l->id;
	k->session = rte_cryptodev_sym_session_create(l->id, &how, ss_tls_device_sessions(l->device));
	return k->session ? 0 : SS_ERR_NO_MEM;
}

/* A record's mbufs in a queue are linked without being one packet; to the device they are. */
struct packet {
	uint16_t nb_segs;
	uint32_t pkt_len;
};

static struct packet as_packet(const struct tls_part *p)
{
	struct packet was = { p->m->nb_segs, p->m->pkt_len };
	uint32_t left = p->off + p->n;

	p->m->nb_segs = 1;
	p->m->pkt_len = p->m->data_len;
	for (struct rte_mbuf *m = p->m; left > m->data_len; m = m->next, p->m->nb_segs++, p->m->pkt_len += m->data_len)
		left -= m->data_len;
	return was;
}

/* Gives the operation to the device and waits. false: it failed, or never answered. */
static bool wait_for(struct device_lib *l)
{
	struct rte_crypto_op *back = NULL;
	bool sent = false;

	for (uint32_t polls = 0; !back; polls++) {
		sent = sent || rte_cryptodev_enqueue_burst(l->id, l->queue, &l->op, 1) == 1;
		if (rte_cryptodev_dequeue_burst(l->id, l->queue, &back, 1) == 0)
			back = NULL;
		if (!back && polls > POLLS) {
			l->dead = true;
			return false;
		}
	}
	return back->status == RTE_CRYPTO_OP_STATUS_SUCCESS;
}

static bool run(struct device_lib *l, const struct device_key *k, const struct tls_job *job)
{
	struct beside *b = rte_crypto_op_ctod_offset(l->op, struct beside *, BESIDE);
	rte_iova_t at = rte_crypto_op_ctophys_offset(l->op, BESIDE);
	struct rte_crypto_sym_op *s = l->op->sym;

	if (l->dead || job->aad_n != AAD)
		return false;
	memcpy(b->iv, job->nonce, TLS_IV);
	memcpy(b->aad, job->aad, AAD);
	l->op->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
	rte_crypto_op_attach_sym_session(l->op, k->session);
	s->m_src = job->part.m;
	s->m_dst = NULL;
	s->aead.data.offset = job->part.off;
	s->aead.data.length = job->part.n;
	s->aead.aad.data = b->aad;
	s->aead.aad.phys_addr = at + offsetof(struct beside, aad);
	s->aead.digest.data = b->tag;
	s->aead.digest.phys_addr = at + offsetof(struct beside, tag);
	struct packet was = as_packet(&job->part);
	bool ok = wait_for(l);

	job->part.m->nb_segs = was.nb_segs;
	job->part.m->pkt_len = was.pkt_len;
	return ok;
}

static int device_seal(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	struct device_lib *l = lib;

	if (!run(l, x, job))
		return SS_ERR_BAD_TLS;
	memcpy(job->tag, rte_crypto_op_ctod_offset(l->op, struct beside *, BESIDE)->tag, TLS_TAG);
	return 0;
}

static int device_open(void *lib, enum tls_alg alg, void *x, const struct tls_job *job)
{
	struct device_lib *l = lib;

	memcpy(rte_crypto_op_ctod_offset(l->op, struct beside *, BESIDE)->tag, job->tag, TLS_TAG);
	return run(l, x, job) ? 0 : SS_ERR_BAD_TLS;
}

const struct tls_aead_ops ss_tls_device_ops = {
	.name = "cryptodev",
	.xkey = sizeof(struct device_key),
	.create = device_create,
	.destroy = device_destroy,
	.takes = device_takes,
	.expand = device_expand,
	.release = device_forget,
	.forget = device_forget,
	.seal = device_seal,
	.open = device_open,
};
