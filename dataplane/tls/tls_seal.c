/*
 * Our records, sealed where they lie: the header goes into the headroom of the first mbuf, the inner type and
 * the tag behind the last one. What a turn has queued shares records, as large as it makes them.
 *
 * Sealing destroys the plaintext: an mbuf that anyone else can see is copied first (ss_bufq_own).
 */
#include "base/err.h"
#include "tls/tls_int.h"
#include "tls/tls_keys.h"

/* A library that fails in the middle leaves nothing that could be sent. */
static int broken(struct ss_tls_conn *c, const char *why)
{
	c->own.alert = TLS_NO_ALERT;
	c->why = why;
	ss_tls_refuse_record(c, SS_DROP_TLS_RECORD);
	return SS_ERR_CLOSED;
}

int ss_tls_seal_record(struct ss_tls_conn *c, struct tls_half *h, struct ss_bufq *q, uint32_t n, uint8_t type,
		       struct ss_bufq *out)
{
	struct ss_bufpool *bufs = c->t->conf.bufs;
	struct ss_bufq rec;
	uint8_t nonce[TLS_IV], *head = NULL, *end = NULL;

	ss_bufq_init(&rec);
	if (ss_bufq_take(&rec, q, n, bufs) < 0)
		return SS_ERR_FULL;
	if (ss_bufq_own(&rec, bufs) < 0 || !(end = ss_bufq_extend(&rec, SS_TLSREC_INNER_TYPE + TLS_TAG, bufs)) ||
	    !(head = ss_bufq_prepend(&rec, SS_TLSREC_HEADER, bufs)))
		goto undo;
	ss_tlsrec_protect(head, (uint16_t)(n + SS_TLSREC_INNER_TYPE + TLS_TAG));
	end[0] = type;
	ss_tls_nonce(h, nonce);
	struct tls_job job = { nonce, head, SS_TLSREC_HEADER,
			       { .off = SS_TLSREC_HEADER, .n = n + SS_TLSREC_INNER_TYPE }, end + SS_TLSREC_INNER_TYPE };
	job.part.m = ss_bufq_at(&rec, &job.part.off);
	int err = ss_tls_aead_seal(ss_tls_aead_of(c->t, h), h, &job);
	if (err == SS_ERR_NO_MEM)
		goto undo;
	if (err < 0) {
		ss_bufq_free(&rec);
		return broken(c, "sealing failed");
	}
	h->seq++;
	ss_bufq_move(out, &rec);
	return 0;
undo:
	if (head)
		ss_bufq_remove(&rec, 0, SS_TLSREC_HEADER);
	if (end)
		ss_bufq_remove(&rec, n, SS_TLSREC_INNER_TYPE + TLS_TAG);
	ss_bufq_move(&rec, q);
	ss_bufq_move(q, &rec);
	return SS_ERR_FULL;
}

static int seal(struct ss_tls_conn *c, struct ss_bufq *q, uint32_t n, uint8_t type)
{
	return ss_tls_seal_record(c, &c->own.wr, q, n, type, &c->out);
}

static int seal_bytes(struct ss_tls_conn *c, uint8_t type, const uint8_t *p, uint32_t n)
{
	struct ss_bufq q;
	int err;

	ss_bufq_init(&q);
	if (ss_bufq_append(&q, c->t->conf.bufs, p, n) < 0)
		return SS_ERR_FULL;
	err = seal(c, &q, n, type);
	ss_bufq_free(&q);
	return err;
}

int ss_tls_own_alert(struct ss_tls_conn *c, enum ss_tls_alert_level level, uint8_t alert)
{
	const uint8_t bytes[] = { (uint8_t)level, alert };

	return seal_bytes(c, SS_TLSREC_TYPE_ALERT, bytes, sizeof(bytes));
}

/*
 * RFC 8446 4.6.3: "sent by either the client or the server after it has sent a Finished message". Ours goes
 * when the peer has asked for it, and by itself long before the limit of 5.5; the peer is asked for its own
 * when it has not thought of it.
 */
static int key_update(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;
	uint64_t limit = ss_tls_suite_of(o->wr.alg)->limit;
	bool ask = !o->rekey_asked && o->rd.seq >= limit;
	const uint8_t message[] = { SS_TLS_KEY_UPDATE, 0, 0, 1, ask };

	if (c->notified || (!o->rekey && !ask && o->wr.seq < limit))
		return 0;
	int err = seal_bytes(c, SS_TLSREC_HANDSHAKE, message, sizeof(message));
	if (err < 0)
		return err;
	ss_tls_aead_rest(ss_tls_aead_of(c->t, &o->wr), &o->wr);
	/* Nothing may follow under the old keys. */
	if (!ss_tls_keys_update(&o->wr))
		return broken(c, "no new keys");
	ss_count(c->t->conf.counters, SS_C_TLS_KEY_UPDATES, 1);
	o->rekey = false;
	o->rekey_asked |= ask;
	return 0;
}

int ss_tls_own_seal(struct ss_tls_conn *c)
{
	int err = key_update(c);

	while (err == 0 && c->tx.len) {
		err = seal(c, &c->tx, ss_min_u32(c->tx.len, SS_TLSREC_MAX_PLAIN), SS_TLSREC_APPLICATION);
		if (err == 0)
			err = key_update(c);
	}
	return err;
}
