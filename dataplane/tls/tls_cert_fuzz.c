/*
 * A stranger's certificate, before anything of it was verified: who it says it is, whether it is an X.509-SVID.
 * Whatever it is, an identity has one form: a DNS name never passes for a SPIFFE id; and what upstream would be told
 * of it is one element of a field's value.
 */
#include <stdlib.h>

#include <openssl/err.h>

#include "contract/xfcc.h"
#include "tls/tls_shake.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_line(const uint8_t *line, uint32_t n)
{
	bool quoted = false;

	for (uint32_t i = 0; i < n; i++) {
		if (line[i] < ' ' || line[i] > '~')
			abort();
		if (line[i] == '\\' && quoted)
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (line[i] == ',' && !quoted)
			abort(); /* would be another client's element */
	}
	if (quoted)
		abort();
}

/* A certificate in DER; its length gives the room of the line. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const unsigned char *der = p;
	uint8_t line[4096];
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
	check_line(line, ss_tls_xfcc_line(&(struct tls_xfcc){ .cert = x, .own = x }, 0xff, line,
					  (uint32_t)(n % 16 + 1) * sizeof(line) / 16));
	ss_tls_names_free(&names);
	X509_free(x);
	ERR_clear_error();
	return 0;
}
