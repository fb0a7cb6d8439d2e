/*
 * A stranger's certificate, before anything of it was verified: who it says it is, whether it is an X.509-SVID.
 * Whatever it is, an identity has one form: a DNS name never passes for a SPIFFE id.
 */
#include <stdlib.h>

#include <openssl/err.h>

#include "tls/tls_shake.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A certificate in DER. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const unsigned char *der = p;
	struct tls_names names;

	if (n == 0 || n > 65536)
		return 0;
	X509 *x = d2i_X509(NULL, &der, (long)n);
	ERR_clear_error();
	if (!x)
		return 0;
	ss_tls_names_read(x, &names);
	struct ss_span id = ss_tls_names_identity(&names);
	if (!names.spiffe && ss_id_trust_domain(id).n)
		abort(); /* a DNS name that would pass for a SPIFFE id */
	if (names.spiffe && !ss_tls_svid_fault(x, &names) && (!ss_id_is_spiffe(id) || names.n_uri != 1))
		abort();
	(void)ss_tls_signer_fault(x, SS_SPAN("mesh.local"));
	ss_tls_names_free(&names);
	X509_free(x);
	ERR_clear_error();
	return 0;
}
