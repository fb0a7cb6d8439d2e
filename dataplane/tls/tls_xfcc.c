/*
 * tls_xfcc.c - a client's certificate in a line, as X-Forwarded-Client-Cert has it. Made once, when the handshake is
 * over, where the listener tells it on: a request only copies it.
 *
 * By=<our URI>;Hash=<SHA-256>;Cert="<PEM>";Chain="<PEM of all>";Subject="<RFC 2253>";URI=<each>;DNS=<each>
 *
 * A value with ',', ';', '=' or a quote in it is quoted, quotes and backslashes in it are escaped; one that no field may
 * carry (a control character, a byte above ASCII) is left out, as is what is beyond the bound.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "contract/xfcc.h"
#include "tls/tls_shake.h"

/* Five certificates in PEM and more. What a field may have in all is the peers' to bound (60 KiB is usual). */
#define XFCC_MAX 16384
#define NAMES_MAX 32

static bool sendable(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static bool wants_quotes(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (memchr(",;=\"\\ ", s.p[i], 6))
			return true;
	return false;
}

static void put_value(struct ss_out *o, struct ss_span v, bool quoted)
{
	if (quoted)
		ss_out_u8(o, '"');
	for (uint32_t i = 0; i < v.n; i++) {
		if (quoted && (v.p[i] == '"' || v.p[i] == '\\'))
			ss_out_u8(o, '\\');
		ss_out_u8(o, v.p[i]);
	}
	if (quoted)
		ss_out_u8(o, '"');
}

/* A whole field, or nothing of it. */
static void put_field(struct ss_out *o, const uint8_t *start, const char *name, struct ss_span v, bool quoted)
{
	struct ss_out before = *o;

	if (!sendable(v) && !(quoted && v.n == 0)) /* a certificate without a subject has Subject="" */
		return;
	if (o->p != start)
		ss_out_u8(o, ';');
	ss_out_span(o, ss_span_str(name));
	put_value(o, v, quoted || wants_quotes(v));
	if (o->over)
		*o = before;
}

static void put_hash(struct ss_out *o, const uint8_t *start, X509 *cert)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t hash[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		return;
	for (unsigned i = 0; i < n; i++) {
		text[2 * i] = (uint8_t)digit[hash[i] >> 4];
		text[2 * i + 1] = (uint8_t)digit[hash[i] & 15];
	}
	put_field(o, start, "Hash=", ss_span(text, 2 * n), false);
}

static void put_subject(struct ss_out *o, const uint8_t *start, X509 *cert)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL;

	/* XN_FLAG_RFC2253 escapes what is not ASCII. */
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		long n = BIO_get_mem_data(b, &text);

		put_field(o, start, "Subject=", ss_span(text, n > 0 ? (uint32_t)n : 0), true);
	}
	BIO_free(b);
}

static void put_names(struct ss_out *o, const uint8_t *start, const struct tls_names *names, int type, const char *label)
{
	int n = sk_GENERAL_NAME_num(names->all);

	for (int i = 0; i < n && i < NAMES_MAX; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names->all, i);
		int has;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &has);

		if (has == type)
			put_field(o, start, label, ss_span(ASN1_STRING_get0_data(s), (uint32_t)ASN1_STRING_length(s)), false);
	}
}

/* As Envoy does it: PEM, with the characters escaped that mean something in a URL or in this field. */
static void put_pem(struct ss_out *o, X509 *cert)
{
	static const char digit[] = "0123456789ABCDEF";
	BIO *b = BIO_new(BIO_s_mem());
	const uint8_t *text = NULL;
	long n = b && PEM_write_bio_X509(b, cert) == 1 ? BIO_get_mem_data(b, (char **)(uintptr_t)&text) : 0;

	for (long i = 0; i < n; i++) {
		if (!strchr("\n +/=", text[i])) {
			ss_out_u8(o, text[i]);
			continue;
		}
		ss_out_u8(o, '%');
		ss_out_u8(o, (uint8_t)digit[text[i] >> 4]);
		ss_out_u8(o, (uint8_t)digit[text[i] & 15]);
	}
	BIO_free(b);
}

/* above may be NULL. */
static void put_certs(struct ss_out *o, const uint8_t *start, struct ss_span name, X509 *leaf, const STACK_OF(X509) *above)
{
	struct ss_out before = *o;

	if (o->p != start)
		ss_out_u8(o, ';');
	ss_out_span(o, name);
	ss_out_u8(o, '"');
	put_pem(o, leaf);
	for (int i = 0; i < sk_X509_num(above); i++)
		put_pem(o, sk_X509_value(above, i));
	ss_out_u8(o, '"');
	if (o->over)
		*o = before;
}

uint32_t ss_tls_xfcc_line(const struct tls_xfcc *x, uint8_t fields, uint8_t *to, uint32_t room)
{
	struct ss_out o = ss_out(to, room);
	struct tls_names names;

	if (x->own) {
		ss_tls_names_read(x->own, &names);
		put_field(&o, to, "By=", names.n_uri ? names.uri : SS_SPAN_NONE, false);
		ss_tls_names_free(&names);
	}
	put_hash(&o, to, x->cert);
	if (fields & SS_XFCC_CERT)
		put_certs(&o, to, SS_SPAN("Cert="), x->cert, NULL);
	if ((fields & SS_XFCC_CHAIN) && x->above)
		put_certs(&o, to, SS_SPAN("Chain="), x->cert, x->above);
	if (fields & SS_XFCC_SUBJECT)
		put_subject(&o, to, x->cert);
	ss_tls_names_read(x->cert, &names);
	if (fields & SS_XFCC_URI)
		put_names(&o, to, &names, GEN_URI, "URI=");
	if (fields & SS_XFCC_DNS)
		put_names(&o, to, &names, GEN_DNS, "DNS=");
	ss_tls_names_free(&names);
	return (uint32_t)(o.p - to);
}

/* A session that is resumed has the client's own certificate alone. */
void ss_tls_xfcc_learn(struct tls_shake *k)
{
	struct tls_xfcc x = {
		.cert = k->xfcc && k->tls == 2 ? SSL_get0_peer_certificate(k->ssl) : NULL,
		.own = SSL_get_certificate(k->ssl),
		.above = k->resumed ? NULL : SSL_get_peer_cert_chain(k->ssl),
	};
	uint8_t *line = x.cert ? OPENSSL_malloc(XFCC_MAX) : NULL;

	if (!line)
		return;
	k->xfcc_n = ss_tls_xfcc_line(&x, k->xfcc, line, XFCC_MAX);
	k->xfcc_line = OPENSSL_memdup(line, k->xfcc_n);
	if (!k->xfcc_line)
		k->xfcc_n = 0;
	OPENSSL_free(line);
}
