/*
 * Is a peer's chain good? It is verified against the bundle of the trust domain that the peer's own SVID names, and of
 * no other (SPIFFE Trust Domain and Bundle 3), and looked up in that domain's revocation lists.
 *
 * A mesh's peers come again and again with the same chain, and each signature in it costs 60 us. So a verdict is
 * remembered: under the hash of every certificate presented, of the trust (its bundles, its revocation lists: a change
 * of these is another key) and of the peer's side; until the first certificate of the chain expires. Only good
 * verdicts are. What a hit leaves out is the signatures' arithmetic: who the peer is, and whether it is let in, is
 * judged each time, and that it holds the key (CertificateVerify) is OpenSSL's to see, as ever.
 */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <time.h>

#include "contract/trust_digest.h"
#include "tls/tls_shake.h"

/* A mesh's peers of one thread: 1024 in sets of four, the least recently used of a set goes. */
#define SETS 256
#define WAYS 4
#define KEY 32

struct known {
	uint8_t key[KEY];
	uint64_t used; /* 0: empty */
	int64_t from, to; /* seconds since 1970: valid between */
	struct ss_trust_mark mark;
};

struct tls_chains {
	uint64_t uses;
	EVP_MD_CTX *md;
	struct known known[SETS][WAYS];
};

/* The executor's, made when it is first wanted. NULL without memory: nothing is remembered then. */
static struct tls_chains *chains_of(const struct tls_shake *k)
{
	struct tls_chains **mine = &k->tools->chains[k->executor];
	struct tls_chains *c = *mine ? NULL : OPENSSL_zalloc(sizeof(*c));

	if (c && !(c->md = EVP_MD_CTX_new())) {
		OPENSSL_free(c);
		c = NULL;
	}
	if (c)
		*mine = c;
	return *mine;
}

void ss_tls_chains_free(struct tls_chains *c)
{
	if (!c)
		return;
	EVP_MD_CTX_free(c->md);
	OPENSSL_free(c);
}

/* ---- the cache ---- */

static bool add_cert(EVP_MD_CTX *md, X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	uint32_t len = (uint32_t)n;
	bool ok = n > 0 && EVP_DigestUpdate(md, &len, sizeof(len)) == 1 && EVP_DigestUpdate(md, der, len) == 1;

	OPENSSL_free(der);
	return ok;
}

/* The leaf comes first in what was presented. */
static bool make_key(struct tls_chains *c, const struct tls_shake *k, X509_STORE_CTX *store, uint8_t *key)
{
	const STACK_OF(X509) *all = X509_STORE_CTX_get0_untrusted(store);
	uint8_t side = (uint8_t)SSL_is_server(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	bool ok = EVP_DigestInit_ex(c->md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(c->md, k->trust->hash, sizeof(k->trust->hash)) == 1 &&
		  EVP_DigestUpdate(c->md, &side, sizeof(side)) == 1 && add_cert(c->md, X509_STORE_CTX_get0_cert(store));

	for (int i = 0; i < sk_X509_num(all) && ok; i++)
		ok = add_cert(c->md, sk_X509_value(all, i));
	return ok && EVP_DigestFinal_ex(c->md, key, NULL) == 1;
}

static struct known *set_of(struct tls_chains *c, const uint8_t *key)
{
	return c->known[key[0] % SETS];
}

static struct known *find(struct tls_chains *c, const uint8_t *key, int64_t now)
{
	struct known *set = set_of(c, key);

	for (int i = 0; i < WAYS; i++) {
		if (!set[i].used || memcmp(set[i].key, key, KEY) != 0)
			continue;
		if (now < set[i].from || now >= set[i].to)
			return NULL; /* verified anew, which says why not */
		set[i].used = ++c->uses;
		return &set[i];
	}
	return NULL;
}

static void keep(struct tls_chains *c, const uint8_t *key, int64_t from, int64_t to, const struct ss_trust_mark *m)
{
	struct known *set = set_of(c, key), *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].used && memcmp(set[i].key, key, KEY) == 0) {
			oldest = &set[i];
			break;
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	*oldest = (struct known){ .used = ++c->uses, .from = from, .to = to, .mark = *m };
	memcpy(oldest->key, key, KEY);
}

/* ---- what is remembered of a chain ---- */

/* chain: leaf to authority, as verified. */
static void mark_of(const struct ss_trust *trust, STACK_OF(X509) *chain, struct ss_trust_mark *m)
{
	int n = sk_X509_num(chain);

	memset(m, 0, sizeof(*m));
	m->trust = ss_trust_number(trust);
	m->anchor = ss_trust_cert_digest(sk_X509_value(chain, n - 1));
	for (int i = 0; i < n - 1 && i < SS_TRUST_LINKS; i++) {
		X509_NAME *issuer = X509_get_subject_name(sk_X509_value(chain, i + 1));

		m->link[i].issuer = ss_trust_name_digest(issuer, NULL);
		m->link[i].cert = ss_trust_name_digest(issuer, X509_get0_serialNumber(sk_X509_value(chain, i)));
		m->n++;
	}
}

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void validity(STACK_OF(X509) *chain, int64_t *from, int64_t *to)
{
	*from = INT64_MIN;
	*to = INT64_MAX;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t a = seconds(X509_get0_notBefore(sk_X509_value(chain, i)));
		int64_t b = seconds(X509_get0_notAfter(sk_X509_value(chain, i)));

		*from = a > *from ? a : *from;
		*to = b < *to ? b : *to;
	}
}

/* ---- what OpenSSL does not ask ---- */

static const struct tls_fault long_chain = { SS_DROP_TLS_CHAIN_LONG, "certificate chain too long",
					     X509_V_ERR_CERT_CHAIN_TOO_LONG };
static const struct tls_fault no_domain = { SS_DROP_TLS_TRUST_DOMAIN, "no bundle for its trust domain",
					    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY };
static const struct tls_fault revoked = { SS_DROP_TLS_REVOKED, "certificate revoked", X509_V_ERR_CERT_REVOKED };
static const struct tls_fault no_list = { SS_DROP_TLS_REVOKED, "no revocation list of its issuer",
					  X509_V_ERR_UNABLE_TO_GET_CRL };
static const struct tls_fault old_list = { SS_DROP_TLS_REVOKED, "revocation list of its issuer has expired",
					   X509_V_ERR_CRL_HAS_EXPIRED };
static const struct tls_fault small_curve = { SS_DROP_TLS_WEAK_KEY, "elliptic curve of fewer than 256 bits",
					      X509_V_ERR_EE_KEY_TOO_SMALL };

/* RFC 9325 4.5 wants curves of at least 224 bits; nobody's mesh has them below 256. */
static bool small(X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);

	return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) < 256;
}

static const struct tls_fault *chain_fault(const struct ss_trust_domain *d, STACK_OF(X509) *chain,
					   const struct ss_trust_mark *m)
{
	enum ss_trust_verdict v = ss_trust_unrevoked(d, m);

	if (v != SS_TRUST_GOOD)
		return v == SS_TRUST_REVOKED ? &revoked : &no_list;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const struct tls_fault *f =
			i && d->name.n ? ss_tls_signer_fault(sk_X509_value(chain, i), d->name) : NULL;

		if (f)
			return f;
		if (small(sk_X509_value(chain, i)))
			return &small_curve;
	}
	return NULL;
}

/* The name that the server was asked for under, where that decides: X509_verify_cert looks at it as well. */
static const struct tls_fault *name_fault(X509_STORE_CTX *store, X509 *cert)
{
	static const struct tls_fault wrong = { SS_DROP_TLS_IDENTITY, "hostname mismatch",
						X509_V_ERR_HOSTNAME_MISMATCH };
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
	const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
	ERR_set_mark(); /* no address is an error for OpenSSL */
	char *ip = X509_VERIFY_PARAM_get1_ip_asc(param);
	bool ok = (!host || X509_check_host(cert, host, 0, X509_VERIFY_PARAM_get_hostflags(param), NULL) == 1) &&
		  (!ip || X509_check_ip_asc(cert, ip, 0) == 1);

	OPENSSL_free(ip);
	ERR_pop_to_mark();
	return ok ? NULL : &wrong;
}

/* ---- the verdict ---- */

/*
 * OpenSSL's own, over the authorities of one domain. A signature may be checked by an engine, so this may stop in the
 * middle while other handshakes of the same thread come here: nothing of the cache is held over the call.
 */
static const struct tls_fault *verify_anew(struct tls_shake *k, const struct ss_trust_domain *d, X509_STORE_CTX *store,
					   struct tls_fault *found)
{
	X509_STORE_CTX_set0_trusted_stack(store, d->anchors);
	if (X509_verify_cert(store) != 1) {
		*found = ss_tls_fault_of(X509_STORE_CTX_get_error(store));
		return found;
	}
	mark_of(k->trust, X509_STORE_CTX_get0_chain(store), &k->mark);
	return chain_fault(d, X509_STORE_CTX_get0_chain(store), &k->mark);
}

static const struct tls_fault *verify_chain(struct tls_shake *k, const struct ss_trust_domain *d, X509_STORE_CTX *store,
					    struct tls_fault *found)
{
	struct tls_chains *c = k->trust->chain_cache ? chains_of(k) : NULL;
	uint8_t key[KEY];
	int64_t from, to;

	if (c && !make_key(c, k, store, key))
		c = NULL;
	struct known *known = c ? find(c, key, (int64_t)time(NULL)) : NULL;
	if (known) {
		k->chain_known = true;
		k->mark = known->mark;
		k->chain_until = known->to;
		return name_fault(store, X509_STORE_CTX_get0_cert(store));
	}
	k->chain_verified = true;
	const struct tls_fault *f = verify_anew(k, d, store, found);
	if (f)
		return f;
	validity(X509_STORE_CTX_get0_chain(store), &from, &to);
	k->chain_until = to;
	if (c)
		keep(c, key, from, to, &k->mark);
	return NULL;
}

/* The lists' time is not of what is remembered: another list with the same in it is the same trust. */
static const struct tls_fault *verify_now(struct tls_shake *k, const struct ss_trust_domain *d, X509_STORE_CTX *store,
					  struct tls_fault *found)
{
	const struct tls_fault *f = verify_chain(k, d, store, found);

	if (!f && ss_trust_fresh(d, &k->mark, (int64_t)time(NULL)) != SS_TRUST_GOOD)
		return &old_list;
	return f;
}

static const struct tls_fault *judge(struct tls_shake *k, X509_STORE_CTX *store, const struct tls_names *n,
				     struct tls_fault *found)
{
	const struct ss_trust_domain *d = ss_trust_find(k->trust, ss_tls_names_identity(n));
	const struct tls_fault *f;

	if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) > SS_TRUST_LINKS + 1)
		return &long_chain;
	/* Before the trust domain is looked at: of a malformed id there is none. */
	if (n->spiffe && (f = ss_tls_svid_fault(X509_STORE_CTX_get0_cert(store), n)))
		return f;
	return d ? verify_now(k, d, store, found) : &no_domain;
}

/* By the context's own store of authorities. */
static const struct tls_fault *judge_plainly(struct tls_shake *k, X509_STORE_CTX *store, const struct tls_names *n,
					     struct tls_fault *found)
{
	int64_t from;

	if (X509_verify_cert(store) != 1) {
		*found = ss_tls_fault_of(X509_STORE_CTX_get_error(store));
		return found;
	}
	validity(X509_STORE_CTX_get0_chain(store), &from, &k->chain_until);
	return n->spiffe ? ss_tls_svid_fault(X509_STORE_CTX_get0_cert(store), n) : NULL;
}

/* 0, as OpenSSL wants it. */
static int refuse(struct tls_shake *k, X509_STORE_CTX *store, const struct tls_fault *f)
{
	k->refusal = (uint16_t)f->drop;
	k->why = f->why;
	X509_STORE_CTX_set_error(store, f->error);
	return 0;
}

int ss_tls_chain_verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	struct tls_shake *k = SSL_get_app_data(ssl);
	struct tls_fault found;
	struct tls_names n;
	const struct tls_fault *f;

	if (!cert)
		return 0;
	ss_tls_names_read(cert, &n);
	if (k->trust)
		f = judge(k, store, &n, &found);
	else
		f = judge_plainly(k, store, &n, &found);
	if (!f) {
		ss_tls_identify(k, ss_tls_names_identity(&n));
		f = ss_tls_judge(k, &n);
	}
	ss_tls_names_free(&n);
	if (f)
		return refuse(k, store, f);
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}
