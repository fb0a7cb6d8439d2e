/*
 * certificate.c - preloaded into h2load and nghttpd: a client certificate, and one cipher suite and group.
 *
 * h2load has no option for a client certificate, so every SSL_CTX that it makes gets the one that the
 * environment names. Every subject is measured through the same client and the same suite,
 * TLS_AES_128_GCM_SHA256 over X25519, whatever each would have chosen by itself.
 */
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static void refuse(const char *what)
{
	fprintf(stderr, "certificate.so: %s\n", what);
	exit(1);
}

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
	SSL_CTX *(*make)(const SSL_METHOD *);
	*(void **)&make = dlsym(RTLD_NEXT, "SSL_CTX_new");
	SSL_CTX *ctx = make ? make(method) : NULL;
	if (!ctx)
		refuse("no SSL_CTX");
	const char *chain = getenv("BENCH_CERTIFICATE"), *key = getenv("BENCH_KEY");
	if (!SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519"))
		refuse("suite or group");
	if (chain && key &&
	    (SSL_CTX_use_certificate_chain_file(ctx, chain) != 1 ||
	     SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))
		refuse("client certificate");
	return ctx;
}
