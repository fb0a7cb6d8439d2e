/*
 * build_bundle.c - a trust bundle as SPIFFE federation hands it over: a JWK set (SPIFFE Trust Domain and Bundle 4).
 *
 * An entry whose use is "x509-svid" has one authority, in base64, as the only element of its x5c (4.2.4: "MUST contain
 * exactly one"). Other uses are passed over; so are spiffe_sequence and spiffe_refresh_hint: a file is watched.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_files.h"
#include "build/build_tls.h"
#include "wire/jscan.h"

#define BYTES_MAX (4u << 20)
#define NODES_MAX 32768u

static uint8_t *read_whole(BIO *b, uint32_t *n)
{
	uint8_t *text = malloc(BYTES_MAX);
	int got;

	*n = 0;
	while (text && *n < BYTES_MAX && (got = BIO_read(b, text + *n, (int)(BYTES_MAX - *n))) > 0)
		*n += (uint32_t)got;
	return text;
}

bool ss_build_is_json(BIO *b)
{
	char c = ' ';

	while ((c == ' ' || c == '\t' || c == '\r' || c == '\n') && BIO_read(b, &c, 1) == 1)
		;
	(void)BIO_reset(b);
	return c == '{';
}

/* RFC 7517 4.7: base64, not base64url, of the DER. */
static X509 *from_base64(struct ss_span text)
{
	uint8_t *der = text.n && text.n % 4 == 0 ? malloc(text.n / 4 * 3 + 1) : NULL;
	int n = der ? EVP_DecodeBlock(der, text.p, (int)text.n) : -1;
	const unsigned char *p = der;

	for (uint32_t i = text.n; n > 0 && i > text.n - 2 && text.p[i - 1] == '='; i--)
		n--; /* padding counts as zeros */
	X509 *x = n > 0 ? d2i_X509(NULL, &p, n) : NULL;
	if (x && p != der + n) {
		X509_free(x);
		x = NULL;
	}
	ERR_clear_error();
	free(der);
	return x;
}

/* NULL, or what is wrong. */
static const char *take_key(const struct ss_jscan_node *nodes, uint16_t key, STACK_OF(X509) *all)
{
	uint16_t use = ss_jscan_member(nodes, key, SS_SPAN("use")), x5c = ss_jscan_member(nodes, key, SS_SPAN("x5c"));

	if (!use || nodes[use].type != SS_JSCAN_STRING)
		return "a key without \"use\"";
	if (!ss_span_eq(nodes[use].text, SS_SPAN("x509-svid")))
		return NULL;
	if (!x5c || nodes[x5c].type != SS_JSCAN_ARRAY || nodes[x5c].next == x5c + 1 ||
	    nodes[x5c + 1].type != SS_JSCAN_STRING || nodes[x5c + 1].next != nodes[x5c].next)
		return "an x509-svid key whose \"x5c\" is not one certificate";
	X509 *x = from_base64(nodes[x5c + 1].text);
	if (!x)
		return "an \"x5c\" that is no certificate";
	return sk_X509_push(all, x) > 0 ? NULL : "out of memory";
}

static const char *take_keys(uint8_t *text, uint32_t n, struct ss_jscan_node *nodes, STACK_OF(X509) *all)
{
	const char *why = NULL;
	uint16_t list;

	if (n == BYTES_MAX || ss_jscan(text, n, nodes, NODES_MAX) < 0)
		return "no JSON, or too much of it";
	list = ss_jscan_member(nodes, 0, SS_SPAN("keys"));
	if (!list || nodes[list].type != SS_JSCAN_ARRAY)
		return "no list \"keys\"";
	for (uint16_t k = (uint16_t)(list + 1); k < nodes[list].next && !why; k = nodes[k].next)
		why = take_key(nodes, k, all);
	return why || sk_X509_num(all) ? why : "no key with use \"x509-svid\"";
}

STACK_OF(X509) *ss_build_bundle_json(struct ss_build_job *j, const struct ss_model_trust *m, BIO *b)
{
	struct ss_jscan_node *nodes = calloc(NODES_MAX, sizeof(*nodes));
	STACK_OF(X509) *all = sk_X509_new_null();
	uint32_t n;
	uint8_t *text = read_whole(b, &n);
	const char *why = nodes && all && text ? take_keys(text, n, nodes, all) : "out of memory";

	if (why) {
		ss_model_error(j->errors, &m->src, "bundle", "%s: %s", m->bundle, why);
		sk_X509_pop_free(all, X509_free);
		all = NULL;
	}
	free(nodes);
	free(text);
	return all;
}
