/* The record header of TLS, and a plaintext alert. */
#include "wire/tlsrec.h"

#include <string.h>

#include "base/err.h"

int ss_tlsrec_parse(const uint8_t *p, size_t n, struct ss_tlsrec *out)
{
	if (n < SS_TLSREC_HEADER)
		return 0;
	out->type = p[0];
	out->version = ss_get_be16(p + 1);
	out->len = ss_get_be16(p + 3);
	if (out->type < SS_TLSREC_CHANGE_CIPHER_SPEC || out->type > SS_TLSREC_APPLICATION)
		return SS_ERR_BAD_TLS;
	/* RFC 8446 5.1: legacy_record_version "MUST be ignored for all purposes"; but every version of
	 * TLS has a major number of 3, and what has another is not TLS. */
	if (out->version >> 8 != 3 || out->len > SS_TLSREC_MAX_CIPHER)
		return SS_ERR_BAD_TLS;
	return SS_TLSREC_HEADER;
}

int ss_tlsrec_protected(const uint8_t p[SS_TLSREC_HEADER], uint16_t *len)
{
	*len = ss_get_be16(p + 3);
	if (p[1] != 3)
		return SS_TLS_ALERT_PROTOCOL_VERSION;
	/* RFC 8446 5: a change_cipher_spec after the peer's Finished "MUST be treated as an unexpected
	 * record type"; alerts and handshake messages come as the inner type. */
	if (p[0] != SS_TLSREC_APPLICATION)
		return SS_TLS_ALERT_UNEXPECTED_MESSAGE;
	/* RFC 8446 5.2: legacy_record_version "is always 0x0303". */
	if (p[2] != 3)
		return SS_TLS_ALERT_DECODE_ERROR;
	return *len > SS_TLSREC_MAX_PROTECTED ? SS_TLS_ALERT_RECORD_OVERFLOW : 0;
}

void ss_tlsrec_protect(uint8_t out[SS_TLSREC_HEADER], uint16_t len)
{
	out[0] = SS_TLSREC_APPLICATION;
	ss_put_be16(out + 1, 0x0303);
	ss_put_be16(out + 3, len);
}

uint32_t ss_tlsrec_label(uint8_t out[SS_TLSREC_LABEL], const char *label, uint16_t n)
{
	uint8_t len = (uint8_t)strlen(label);

	assert(10 + len <= SS_TLSREC_LABEL);
	ss_put_be16(out, n);
	out[2] = (uint8_t)(6 + len);
	memcpy(out + 3, "tls13 ", 6);
	memcpy(out + 9, label, len);
	out[9 + len] = 0; /* no context */
	return 10u + len;
}

void ss_tlsrec_fatal(uint8_t out[SS_TLSREC_ALERT], enum ss_tls_alert alert)
{
	out[0] = SS_TLSREC_TYPE_ALERT;
	ss_put_be16(out + 1, 0x0303); /* RFC 8446 5.1: 0x0303 for all records but an initial ClientHello */
	ss_put_be16(out + 3, 2);
	out[5] = 2; /* fatal */
	out[6] = (uint8_t)alert;
}
