/* Certificates made in memory. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/span.h"
#include "tls/tls_certs_sim.h"

static void need(bool ok)
{
	if (ok)
		return;
	ERR_print_errors_fp(stderr);
	abort();
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v3;

	X509V3_set_ctx(&v3, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
	need(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static struct sim_cert begin(const char *name, long from_s, long to_s)
{
	static long serial;
	struct sim_cert c = { X509_new(), EVP_EC_gen("P-256") };
	X509_NAME *subject = X509_NAME_new();

	need(c.x && c.key && subject);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_version(c.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial);
	X509_set_subject_name(c.x, subject);
	X509_gmtime_adj(X509_getm_notBefore(c.x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(c.x), to_s);
	X509_set_pubkey(c.x, c.key);
	X509_NAME_free(subject);
	return c;
}

struct sim_cert sim_ca(const char *name)
{
	struct sim_cert c = begin(name, -7200, 864000);

	X509_set_issuer_name(c.x, X509_get_subject_name(c.x));
	extend(c.x, c.x, NID_basic_constraints, "critical,CA:TRUE");
	extend(c.x, c.x, NID_key_usage, "critical,keyCertSign,cRLSign");
	need(X509_sign(c.x, c.key, EVP_sha256()) > 0);
	return c;
}

struct sim_cert sim_leaf(const struct sim_cert *ca, const struct sim_leaf *want)
{
	bool default_time = want->from_s == 0 && want->to_s == 0;
	struct sim_cert c = begin("leaf", default_time ? -3600 : want->from_s, default_time ? 86400 : want->to_s);

	X509_set_issuer_name(c.x, X509_get_subject_name(ca->x));
	extend(c.x, ca->x, NID_basic_constraints, "critical,CA:FALSE");
	extend(c.x, ca->x, NID_key_usage,
	       want->usage     ? want->usage
	       : want->signing ? "critical,digitalSignature,keyCertSign"
			       : "critical,digitalSignature");
	if (want->san)
		extend(c.x, ca->x, NID_subject_alt_name, want->san);
	need(X509_sign(c.x, ca->key, EVP_sha256()) > 0);
	return c;
}

void sim_cert_free(struct sim_cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

/* The server's choice: the first of ours that the client offers, else no_application_protocol. */
static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned n,
		  void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	return SSL_select_next_proto((unsigned char **)out, out_n, ours, sizeof(ours) - 1, in, n) ==
			       OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *sim_ctx(bool server, const struct sim_cert *own, const struct sim_cert *trust, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	need(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && SSL_CTX_set_max_proto_version(ctx, max));
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	/* As the product's: libssl would build a chain for each handshake, and send the authority with it. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (own)
		need(SSL_CTX_use_certificate(ctx, own->x) && SSL_CTX_use_PrivateKey(ctx, own->key));
	if (trust)
		need(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), trust->x));
	if (server)
		SSL_CTX_set_alpn_select_cb(ctx, choose, NULL);
	return ctx;
}
