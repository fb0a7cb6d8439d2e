/*
 * tlsrec.h - the record header of TLS (RFC 8446 5.1, RFC 5246 6.2.1) and the one record made by hand.
 *
 * Takes:   bytes.
 * Gives:   type, version and length of a record; a plaintext alert.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_TLS for a header that no version of TLS allows.
 */
#ifndef SS_TLSREC_H
#define SS_TLSREC_H

#include "base/span.h"

#define SS_TLSREC_HEADER 5
#define SS_TLSREC_MAX_PLAIN 16384
/* RFC 5246 6.2.3: ciphertext is at most 2^14 + 2048; RFC 8446 5.2 allows 256 only. */
#define SS_TLSREC_MAX_CIPHER (SS_TLSREC_MAX_PLAIN + 2048)
#define SS_TLSREC_ALERT 7

enum ss_tlsrec_type {
	SS_TLSREC_CHANGE_CIPHER_SPEC = 20,
	SS_TLSREC_TYPE_ALERT = 21,
	SS_TLSREC_HANDSHAKE = 22,
	SS_TLSREC_APPLICATION = 23,
};

/* RFC 8446 6: the alerts that are sent or understood without OpenSSL. */
enum ss_tls_alert {
	SS_TLS_ALERT_CLOSE_NOTIFY = 0,
	SS_TLS_ALERT_UNEXPECTED_MESSAGE = 10,
	SS_TLS_ALERT_BAD_RECORD_MAC = 20,
	SS_TLS_ALERT_RECORD_OVERFLOW = 22,
	SS_TLS_ALERT_CERTIFICATE_REVOKED = 44,
	SS_TLS_ALERT_ILLEGAL_PARAMETER = 47,
	SS_TLS_ALERT_UNKNOWN_CA = 48,
	SS_TLS_ALERT_DECODE_ERROR = 50,
	SS_TLS_ALERT_PROTOCOL_VERSION = 70,
	SS_TLS_ALERT_INTERNAL_ERROR = 80,
	SS_TLS_ALERT_USER_CANCELED = 90,
};
enum ss_tls_alert_level { SS_TLS_WARNING = 1, SS_TLS_FATAL = 2 };

/* RFC 8446 4: the handshake messages that come after the handshake. */
enum ss_tls_message {
	SS_TLS_NEW_SESSION_TICKET = 4,
	SS_TLS_KEY_UPDATE = 24,
};
#define SS_TLS_MESSAGE_HEADER 4 /* type, and a length of three bytes */

/* RFC 8446 5.2: the inner type behind the plaintext, and what protection adds at most. */
#define SS_TLSREC_INNER_TYPE 1
#define SS_TLSREC_MAX_PROTECTED (SS_TLSREC_MAX_PLAIN + 256)

struct ss_tlsrec {
	uint8_t type;
	uint16_t version; /* legacy_record_version: says little */
	uint16_t len;     /* of what follows the header */
};

/* SS_TLSREC_HEADER, or 0 when n is too small, or SS_ERR_BAD_TLS. */
int ss_tlsrec_parse(const uint8_t *p, size_t n, struct ss_tlsrec *out);
/*
 * The header of a record after a TLS 1.3 handshake: *len bytes follow it. 0, or the alert (enum ss_tls_alert)
 * that refuses it: nothing but type 23 comes then (RFC 8446 5.2), and no record is longer than 2^14 + 256.
 */
int ss_tlsrec_protected(const uint8_t p[SS_TLSREC_HEADER], uint16_t *len);
/* Writes the header of a protected record (its additional data, too: RFC 8446 5.2). */
void ss_tlsrec_protect(uint8_t out[SS_TLSREC_HEADER], uint16_t len);
/*
 * RFC 8446 7.1: the HkdfLabel of a label with an empty context for n bytes of output. Returns its length, at
 * most SS_TLSREC_LABEL; label without "tls13 ", at most 12 characters.
 */
#define SS_TLSREC_LABEL 22
uint32_t ss_tlsrec_label(uint8_t out[SS_TLSREC_LABEL], const char *label, uint16_t n);
/* Writes a fatal alert in plaintext to out. */
void ss_tlsrec_fatal(uint8_t out[SS_TLSREC_ALERT], enum ss_tls_alert alert);

#endif
