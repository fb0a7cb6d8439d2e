/*
 * What comes as records after the handshake and is no application data: alerts, and the messages of RFC 8446
 * 4.6. Each refusal is the one that OpenSSL makes, with its words.
 */
#include <openssl/err.h>

#include "base/err.h"
#include "tls/tls_int.h"
#include "tls/tls_keys.h"

/* Warnings in a row, as OpenSSL counts them: the fifth is one too many. */
#define TLS_WARNINGS 5
/* The shortest and the longest NewSessionTicket that its fields allow (RFC 8446 4.6.1). */
#define TICKET_MIN (4 + 4 + 1 + 2 + 1 + 2)
#define TICKET_MAX (4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534)

enum tls_got ss_tls_own_fail(struct ss_tls_conn *c, enum ss_tls_alert alert, const char *why)
{
	c->own.alert = (uint8_t)alert;
	c->why = why;
	return TLS_GOT_ERROR;
}

/* RFC 8446 6: the level says nothing any more, but for warnings in a row, which are bounded. */
static enum tls_got alert_came(struct ss_tls_conn *c, uint32_t off, uint32_t n)
{
	uint8_t a[2];

	if (n != sizeof(a))
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "invalid alert");
	ss_bufq_read(&c->own.in, off, a, sizeof(a));
	if ((a[0] == SS_TLS_WARNING || a[1] == SS_TLS_ALERT_USER_CANCELED) && ++c->own.warnings == TLS_WARNINGS)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "too many warn alerts");
	if (a[1] == SS_TLS_ALERT_USER_CANCELED)
		return TLS_GOT_MORE;
	if (a[1] == SS_TLS_ALERT_CLOSE_NOTIFY)
		return TLS_GOT_NOTIFY;
	const char *why = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + a[1]));
	c->own.alert = TLS_NO_ALERT;
	c->why = why ? why : "unknown alert";
	return TLS_GOT_ERROR;
}

/* The header of a message is whole: may it come, and be so long? */
static enum tls_got message_begins(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;

	o->message_left = ss_get_be24(o->message + 1);
	if (o->message[0] == SS_TLS_KEY_UPDATE) {
		if (o->message_left > 1)
			return ss_tls_own_fail(c, SS_TLS_ALERT_ILLEGAL_PARAMETER, "excessive message size");
		if (o->message_left == 0)
			return ss_tls_own_fail(c, SS_TLS_ALERT_DECODE_ERROR, "bad key update");
		return TLS_GOT_MORE;
	}
	/* RFC 8446 4.6.1: only servers send tickets. 4.6.2: "A client that receives a post-handshake
	 * CertificateRequest message without having sent the "post_handshake_auth" extension MUST send an
	 * "unexpected_message" fatal alert." */
	if (o->message[0] != SS_TLS_NEW_SESSION_TICKET || c->server)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "unexpected message");
	if (o->message_left < TICKET_MIN)
		return ss_tls_own_fail(c, SS_TLS_ALERT_DECODE_ERROR, "length mismatch");
	if (o->message_left > TICKET_MAX)
		return ss_tls_own_fail(c, SS_TLS_ALERT_ILLEGAL_PARAMETER, "excessive message size");
	return TLS_GOT_MORE;
}

/* RFC 8446 4.6.3. last: nothing follows in the record. */
static enum tls_got key_update(struct ss_tls_conn *c, uint8_t request, bool last)
{
	struct tls_own *o = &c->own;

	/* 5.1: "Handshake messages MUST NOT span key changes". */
	if (!last)
		return ss_tls_own_fail(c, SS_TLS_ALERT_UNEXPECTED_MESSAGE, "not on record boundary");
	if (request > 1)
		return ss_tls_own_fail(c, SS_TLS_ALERT_ILLEGAL_PARAMETER, "bad key update");
	ss_tls_aead_rest(ss_tls_aead_of(c->t, &o->rd), &o->rd);
	if (!ss_tls_keys_update(&o->rd))
		return ss_tls_own_fail(c, SS_TLS_ALERT_INTERNAL_ERROR, "out of memory");
	/* Several requests while we are silent are answered once. */
	o->rekey |= request == 1;
	o->rekey_asked = false;
	return TLS_GOT_MORE;
}

/* A part of the body of the message under way; n is at least 1. */
static enum tls_got message_goes_on(struct ss_tls_conn *c, uint32_t off, uint32_t n, bool last)
{
	struct tls_own *o = &c->own;
	uint8_t request;

	if (o->message[0] == SS_TLS_NEW_SESSION_TICKET)
		ss_tls_ticket_part(c, off, n);
	o->message_left -= n;
	if (o->message_left)
		return TLS_GOT_MORE;
	o->message_n = 0;
	if (o->message[0] == SS_TLS_KEY_UPDATE) {
		ss_bufq_read(&o->in, off, &request, 1);
		return key_update(c, request, last);
	}
	if (!ss_tls_ticket_whole(c))
		ss_count(c->t->conf.counters, SS_C_TLS_TICKETS_DROPPED, 1);
	return TLS_GOT_MORE;
}

static enum tls_got messages_came(struct ss_tls_conn *c, uint32_t off, uint32_t n)
{
	struct tls_own *o = &c->own;
	enum tls_got got = TLS_GOT_MORE;

	while (n && got == TLS_GOT_MORE) {
		uint32_t k;

		if (o->message_n < SS_TLS_MESSAGE_HEADER) {
			k = ss_min_u32(SS_TLS_MESSAGE_HEADER - o->message_n, n);
			ss_bufq_read(&o->in, off, o->message + o->message_n, k);
			o->message_n = (uint8_t)(o->message_n + k);
			if (o->message_n == SS_TLS_MESSAGE_HEADER)
				got = message_begins(c);
		} else {
			k = ss_min_u32(o->message_left, n);
			got = message_goes_on(c, off, k, k == n);
		}
		off += k;
		n -= k;
	}
	return got;
}

enum tls_got ss_tls_post(struct ss_tls_conn *c, uint8_t type, uint32_t off, uint32_t n)
{
	return type == SS_TLSREC_TYPE_ALERT ? alert_came(c, off, n) : messages_came(c, off, n);
}
