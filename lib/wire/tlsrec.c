/* The record header of TLS, and a plaintext alert. */
#include "wire/tlsrec.h"

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

void ss_tlsrec_fatal(uint8_t out[SS_TLSREC_ALERT], enum ss_tls_alert alert)
{
	out[0] = SS_TLSREC_TYPE_ALERT;
	ss_put_be16(out + 1, 0x0303); /* RFC 8446 5.1: 0x0303 for all records but an initial ClientHello */
	ss_put_be16(out + 3, 2);
	out[5] = 2; /* fatal */
	out[6] = (uint8_t)alert;
}
