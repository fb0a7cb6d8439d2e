/*
 * Our records, opened where they lie. The bytes of own.in, in their order:
 *
 *	open: plaintext | gap: a tag, padding, a header | ciphertext
 *
 * An opened record's plaintext joins what is open already by closing the gap: inside an mbuf the shorter side
 * moves a few bytes, at an mbuf's end nothing does. So several records of one packet become one piece, mbufs
 * that are open to their end move up by ownership, and one mbuf a turn at most is cut.
 */
#include "base/err.h"
#include "tls/tls_int.h"
#include "tls/tls_keys.h"

/* Records without content in a row: as many as OpenSSL allows. */
#define TLS_EMPTIES 32

/* A sender of tiny segments must not make us hold an mbuf for each, nor one of tiny records: what is as small
 * as this is copied behind its forerunner. */
#define TLS_JOIN 256

/* n bytes, all in from's first mbuf. false: not small, or nothing before them. */
static bool join(struct ss_tls_conn *c, struct ss_bufq *to, struct ss_bufq *from, uint32_t n)
{
	if (n > TLS_JOIN || to->len == 0 || ss_bufq_append(to, c->t->conf.bufs, ss_bufq_front(from).p, n) < 0)
		return false;
	ss_bufq_drop(from, n);
	return true;
}

/* The first mbuf of `from` moves to the back of `to`. Returns its bytes. */
static uint32_t move_one(struct ss_tls_conn *c, struct ss_bufq *to, struct ss_bufq *from)
{
	uint32_t n = from->head->data_len;

	if (!join(c, to, from, n))
		(void)ss_bufq_take(to, from, n, c->t->conf.bufs); /* a whole mbuf: nothing to allocate */
	return n;
}

/* What has come becomes own.in's. tcp learns in ss_tls_own_open how much of it was used. */
static int pull(struct ss_tls_conn *c)
{
	struct ss_bufq *rx = ss_tcp_rx(c->tcp);

	if (rx->len == 0)
		return 0;
	if (ss_bufq_own(rx, c->t->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	while (rx->len)
		c->own.owed += move_one(c, &c->own.in, rx);
	return 0;
}

/* What has left own.in, or all: a record may be larger than the window, so its beginning must not fill it. */
static void tell_tcp(struct ss_tls_conn *c, bool all)
{
	struct tls_own *o = &c->own;
	uint32_t kept = all ? 0 : ss_min_u32(o->owed, o->in.len);

	if (o->owed == kept)
		return;
	ss_tcp_consumed(c->tcp, o->owed - kept);
	o->owed = kept;
}

/* Plaintext moves up: whole mbufs; all of it when the last one may be cut. */
static int lift(struct ss_tls_conn *c, bool cut)
{
	struct tls_own *o = &c->own;

	while (o->open && o->open >= o->in.head->data_len)
		o->open -= move_one(c, &c->rx, &o->in);
	if (o->open == 0 || cut) {
		ss_bufq_remove(&o->in, o->open, o->gap);
		o->gap = 0;
	}
	if (o->open == 0 || !cut)
		return 0;
	if (join(c, &c->rx, &o->in, o->open)) {
		o->open = 0;
		return 0;
	}
	if (ss_bufq_take(&c->rx, &o->in, o->open, c->t->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	o->open = 0;
	return 0;
}

/* How many bytes are left when the zeros at the end of k bytes are taken away. */
static uint32_t last_nonzero(const uint8_t *p, uint32_t k)
{
	uint64_t eight;

	for (; k >= 8; k -= 8) {
		memcpy(&eight, p + k - 8, 8);
		if (eight)
			break;
	}
	while (k && p[k - 1] == 0)
		k--;
	return k;
}

/*
 * RFC 8446 5.4: "the receiving implementation scans the field from the end toward the beginning until it
 * finds a non-zero octet. This non-zero octet is the content type". Its offset among n bytes; -1 for none.
 */
static int32_t inner_type_from(const struct rte_mbuf *m, uint32_t off, uint32_t n, uint8_t *type)
{
	uint32_t at = 0;
	int32_t found = -1;

	for (; n; m = m->next, off = 0) {
		const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
		uint32_t k = ss_min_u32(m->data_len - off, n), i = last_nonzero(p, k);

		if (i) {
			found = (int32_t)(at + i) - 1;
			*type = p[i - 1];
		}
		at += k;
		n -= k;
	}
	return found;
}

/* As above; the last mbuf has it, unless padding fills that. */
static int32_t inner_type(const struct ss_bufq *q, uint32_t off, uint32_t n, uint8_t *type)
{
	const struct rte_mbuf *first = ss_bufq_at(q, &off), *m = first;
	uint32_t before = 0, inside = off;

	while (n - before > m->data_len - inside) {
		before += m->data_len - inside;
		m = m->next;
		inside = 0;
	}
	int32_t found = inner_type_from(m, inside, n - before, type);
	return found < 0 ? inner_type_from(first, off, before, type) : (int32_t)before + found;
}

/* An opened record: n bytes of ciphertext lay at off, len of content lie there now. */
static enum tls_got content(struct ss_tls_conn *c, uint8_t type, uint32_t off, uint32_t len, uint32_t n)
{
	struct tls_own *o = &c->own;
	enum tls_got got = TLS_GOT_MORE;

	if (type != SS_TLSREC_APPLICATION && type != SS_TLSREC_TYPE_ALERT && type != SS_TLSREC_HANDSHAKE)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "bad record type");
	if (len == 0 && type != SS_TLSREC_APPLICATION)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "bad length");
	if (len > SS_TLSREC_MAX_PLAIN)
		return ss_tls_own_fail(c, SS_TLS_ALERT_RECORD_OVERFLOW, "data length too long");
	/* RFC 8446 5.1: handshake messages "MUST NOT be interleaved with other record types". */
	if (o->message_n && type != SS_TLSREC_HANDSHAKE)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "mixed handshake and non handshake data");
	o->empties = len ? 0 : (uint8_t)(o->empties + 1);
	if (o->empties > TLS_EMPTIES)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "record too small");
	if (len && type != SS_TLSREC_TYPE_ALERT)
		o->warnings = 0;
	if (type != SS_TLSREC_APPLICATION) {
		got = ss_tls_post(c, type, off, len);
		len = 0;
	}
	if (len) {
		ss_bufq_remove(&o->in, o->open, off - o->open);
		o->open += len;
		o->gap = n - len;
	} else {
		o->gap = off + n - o->open;
	}
	return got;
}

/* One record, if it is whole. */
static enum tls_got open_one(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;
	uint32_t at = o->open + o->gap;
	uint8_t head[SS_TLSREC_HEADER], tag[TLS_TAG], nonce[TLS_IV], type = 0;
	uint16_t n;

	if (ss_bufq_read(&o->in, at, head, sizeof(head)) < sizeof(head))
		return TLS_GOT_ALL;
	int alert = ss_tlsrec_protected(head, &n);
	if (alert)
		return ss_tls_own_fail(c, (enum ss_tls_alert)alert, "bad record header");
	at += SS_TLSREC_HEADER;
	if (o->in.len < at + n)
		return TLS_GOT_ALL;
	if (n < TLS_TAG + SS_TLSREC_INNER_TYPE)
		return ss_tls_own_fail(c, SS_TLS_ALERT_BAD_RECORD_MAC, "decryption failed or bad record mac");
	ss_bufq_read(&o->in, at + n - TLS_TAG, tag, TLS_TAG);
	ss_tls_nonce(&o->rd, nonce);
	struct tls_job job = { nonce, head, sizeof(head), { .off = at, .n = n - TLS_TAG }, tag };
	job.part.m = ss_bufq_at(&o->in, &job.part.off);
	int err = ss_tls_aead_open(ss_tls_aead_of(c->t, &o->rd), &o->rd, &job);
	if (err == SS_ERR_NO_MEM)
		return TLS_GOT_NO_MEM;
	if (err < 0)
		return ss_tls_own_fail(c, SS_TLS_ALERT_BAD_RECORD_MAC, "decryption failed or bad record mac");
	o->rd.seq++;
	int32_t len = inner_type(&o->in, at, n - TLS_TAG, &type);
	return content(c, type, at, len < 0 ? 0 : (uint32_t)len, n);
}

/* Reading stops at max_plain; what is open then moves up all the same. */
enum tls_got ss_tls_own_open(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;
	enum tls_got got = TLS_GOT_MORE;

	if (pull(c) < 0)
		return TLS_GOT_NO_MEM;
	while (got == TLS_GOT_MORE && c->rx.len + o->open < c->t->conf.max_plain) {
		got = open_one(c);
		lift(c, false);
	}
	if (got == TLS_GOT_NOTIFY || got == TLS_GOT_ERROR) {
		/* Nothing behind counts any more: so nothing needs to be cut. */
		ss_bufq_remove(&o->in, o->open, o->in.len - o->open);
		o->gap = 0;
	}
	if (lift(c, true) < 0)
		got = TLS_GOT_NO_MEM;
	tell_tcp(c, got == TLS_GOT_ALL);
	/* The peer may ask for new keys of ours, and we for new ones of its. */
	if (o->rekey || (!o->rekey_asked && o->rd.seq >= ss_tls_suite_of(o->rd.alg)->limit))
		ss_tls_dirty(c);
	return got;
}

void ss_tls_own_ignore(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;

	ss_bufq_free(&o->in);
	o->open = o->gap = 0;
	tell_tcp(c, true);
}
