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

/* RFC 8446 6: the alerts that are sent without OpenSSL. */
enum ss_tls_alert { SS_TLS_ALERT_UNEXPECTED_MESSAGE = 10 };

struct ss_tlsrec {
	uint8_t type;
	uint16_t version; /* legacy_record_version: says little */
	uint16_t len;     /* of what follows the header */
};

/* SS_TLSREC_HEADER, or 0 when n is too small, or SS_ERR_BAD_TLS. */
int ss_tlsrec_parse(const uint8_t *p, size_t n, struct ss_tlsrec *out);
/* Writes a fatal alert in plaintext to out. */
void ss_tlsrec_fatal(uint8_t out[SS_TLSREC_ALERT], enum ss_tls_alert alert);

#endif
