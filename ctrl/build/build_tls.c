/*
 * build_tls.c - one SSL_CTX per executor of handshakes for each tls group of the model.
 *
 * Only what RFC 9325 (BCP 195) recommends is offered: TLS 1.2 and 1.3, AEAD suites, forward secrecy, no
 * renegotiation, no compression. A listener gives session tickets when the process has keys for them (the
 * tls room seals and judges them); towards endpoints nothing is resumed: our connections stay.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "build/build_tls.h"

#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                            \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"         \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"         \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256"
/* A leaf, intermediates, a root: nobody's chain is longer, and each certificate costs a verification. */
#define CHAIN_DEPTH 8

/* Everything one tls group needs from files; either part may be absent. */
struct material {
	const struct ss_model_secret *secret;
	const struct ss_model_trust *trust;
	struct ss_build_secret own;
	STACK_OF(X509) *bundle;
};

static void material_free(struct material *m)
{
	ss_build_secret_free(&m->own);
	sk_X509_pop_free(m->bundle, X509_free);
}

/* Our certificate and the trust bundle that we judge peers by are of one trust domain. */
static int check_domain(struct ss_build_job *j, const struct ss_model_tls *t, const struct material *m)
{
	struct ss_span id = ss_build_secret_id(j, &m->own), domain = ss_id_trust_domain(id);

	if (id.n == 0 || !m->trust->trust_domain || ss_span_eq(domain, ss_span_str(m->trust->trust_domain)))
		return 0;
	ss_model_error(j->errors, &t->src, "tls.secret", "%s says %.*s, which is not in trust domain %s (trust %s)",
		       m->secret->certificate, (int)id.n, (const char *)id.p, m->trust->trust_domain, m->trust->name);
	return SS_ERR_CONFIG;
}

static int material_load(struct ss_build_job *j, const struct ss_model_tls *t, struct material *m)
{
	uint32_t s = t->secret ? ss_model_secret(j->model, t->secret) : SS_MODEL_NONE;
	uint32_t r = t->trust ? ss_model_trust(j->model, t->trust) : SS_MODEL_NONE;
	int err = 0;

	memset(m, 0, sizeof(*m));
	if ((t->secret && s == SS_MODEL_NONE) || (t->trust && r == SS_MODEL_NONE)) {
		ss_model_error(j->errors, &t->src, "tls", "names a secret or trust that is not there");
		return SS_ERR_CONFIG;
	}
	if (t->secret) {
		m->secret = &j->model->secrets[s];
		err = ss_build_secret_load(j, m->secret, &m->own);
	}
	if (t->trust) {
		m->trust = &j->model->trusts[r];
		m->bundle = ss_build_bundle_load(j, m->trust);
		if (!m->bundle)
			err = SS_ERR_CONFIG;
	}
	if (err == 0 && m->secret && m->trust)
		err = check_domain(j, t, m);
	if (err < 0)
		material_free(m);
	return err;
}

/* Versions, suites, groups. */
static bool set_protocol(SSL_CTX *ctx, const struct ss_model_tls *t)
{
	bool only_13 = t->min_version && strcmp(t->min_version, "1.3") == 0;

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	       SSL_CTX_set_min_proto_version(ctx, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 && SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

/* ---- what a group amounts to, as a number ---- */

static void hash_bytes(EVP_MD_CTX *md, const void *p, size_t n)
{
	uint64_t len = n; /* before the bytes, so that no two lists of fields read the same */

	EVP_DigestUpdate(md, &len, sizeof(len));
	EVP_DigestUpdate(md, p, n);
}

static void hash_cert(EVP_MD_CTX *md, const X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (x)
		X509_digest(x, EVP_sha256(), digest, &n);
	hash_bytes(md, digest, n);
}

static void hash_certs(EVP_MD_CTX *md, const STACK_OF(X509) *all)
{
	int n = sk_X509_num(all);

	hash_bytes(md, &n, sizeof(n));
	for (int i = 0; i < n; i++)
		hash_cert(md, sk_X509_value(all, i));
}

/* What a session's verdict on its client hangs on: another bundle, another rule, and it is no good. */
static bool trust_digest(const struct ss_model_tls *t, STACK_OF(X509) *bundle, uint8_t *digest, unsigned *n)
{
	const char *version = t->min_version ? t->min_version : "";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	if (ok) {
		hash_certs(md, bundle);
		hash_bytes(md, version, strlen(version));
		hash_bytes(md, &t->client_certificate, sizeof(t->client_certificate));
		ok = EVP_DigestFinal_ex(md, digest, n) == 1;
	}
	EVP_MD_CTX_free(md);
	return ok;
}

/* One ticket a handshake; RFC 8446 C.4: a client uses each once. */
static bool set_tickets(SSL_CTX *ctx, const struct ss_model_tls *t, STACK_OF(X509) *bundle, uint64_t lifetime_ns)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!lifetime_ns)
		return true;
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_timeout(ctx, (long)(lifetime_ns / SS_NS_PER_SEC));
	return SSL_CTX_set_num_tickets(ctx, 1) == 1 && trust_digest(t, bundle, digest, &n) &&
	       SSL_CTX_set_session_id_context(ctx, digest, n) == 1;
}

/* A server also names its authorities, so that a client with several certificates can choose. */
static bool set_trust(SSL_CTX *ctx, STACK_OF(X509) *bundle, bool server)
{
	for (int i = 0; i < sk_X509_num(bundle); i++) {
		X509 *ca = sk_X509_value(bundle, i);

		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) != 1 ||
		    (server && SSL_CTX_add_client_CA(ctx, ca) != 1))
			return false;
	}
	return true;
}

static void ctx_free(void *ctx)
{
	SSL_CTX_free(ctx);
}

/* One context; NULL after an error line. The snapshot frees it. */
static SSL_CTX *make_ctx(struct ss_build_job *j, const struct ss_model_tls *t, const struct material *m, bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	bool ok = ctx && set_protocol(ctx, t) && set_trust(ctx, m->bundle, server);

	/* The room sets how a peer is verified per connection; a context by itself refuses as well. */
	if (ok && m->bundle)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (ok && server)
		ok = set_tickets(ctx, t, m->bundle, j->model->process.ticket_lifetime_ns);
	if (ok && m->own.leaf)
		ok = SSL_CTX_use_cert_and_key(ctx, m->own.leaf, m->own.key, m->own.chain, 1) == 1;
	if (!ok) {
		const char *what = m->secret ? m->secret->certificate : m->trust->bundle;

		ss_model_error(j->errors, &t->src, "tls", "%s: %s", what, ss_build_openssl_reason());
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ss_build_on_free(j, ctx_free, ctx) < 0 ? NULL : ctx;
}

/* RFC 7301 3.2: the server chooses by its own preference; nothing in common is a fatal
 * no_application_protocol. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
		       unsigned in_n, void *arg)
{
	const struct ss_span *ours = arg;

	return SSL_select_next_proto((unsigned char **)out, out_n, ours->p, ours->n, in, in_n) ==
			       OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* In the order of enum ss_protocol, as RFC 7301 3.1 writes lists. */
static const struct ss_span offers[] = {
	[SS_PROTO_AUTO] = { (const uint8_t *)"\x02h2\x08http/1.1", 12 },
	[SS_PROTO_H1] = { (const uint8_t *)"\x08http/1.1", 9 },
	[SS_PROTO_H2] = { (const uint8_t *)"\x02h2", 3 },
};

/*
 * A trust bundle speaks for its trust domain alone (SPIFFE Trust Domain and Bundle 3): a matcher that
 * reaches beyond is refused, "any" means any of the domain.
 */
static int narrow(struct ss_build_job *j, const struct ss_model_tls *t, const char *domain, struct ss_id_match *ids,
		  uint16_t n)
{
	struct ss_span want = ss_build_text(j, domain);
	int err = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct ss_id_match *m = &ids[i];
		struct ss_span has = m->kind == SS_ID_DOMAIN ? m->value : ss_id_trust_domain(m->value);

		if (m->kind == SS_ID_ANY)
			*m = (struct ss_id_match){ .kind = SS_ID_DOMAIN, .value = want };
		else if (has.n && !ss_span_eq(has, want)) {
			ss_model_error(j->errors, &t->src, "tls.allowed_ids",
				       "[%u] \"%.*s\" is outside trust domain %s", i, (int)m->value.n,
				       (const char *)m->value.p, domain);
			err = SS_ERR_CONFIG;
		}
	}
	return err;
}

/* Matchers of a group. bare: what stands for "none listed" when the trust has a domain: its members. */
static int build_ids(struct ss_build_job *j, const struct ss_model_tls *t, bool bare, uint16_t *n,
		     const struct ss_id_match **out)
{
	uint32_t r = t->trust ? ss_model_trust(j->model, t->trust) : SS_MODEL_NONE;
	const char *domain = r == SS_MODEL_NONE ? NULL : j->model->trusts[r].trust_domain;
	const struct ss_id_match *listed;
	int err = ss_build_ids(j, t->n_ids, t->ids, n, &listed);

	*out = listed;
	if (err < 0 || !domain || (*n == 0 && !bare))
		return err;
	uint16_t want = *n ? *n : 1;
	struct ss_id_match *ids = ss_build_array(j, want, sizeof(*ids));
	if (!ids)
		return SS_ERR_NO_MEM;
	ids[0].kind = SS_ID_ANY;
	for (uint16_t i = 0; i < *n; i++)
		ids[i] = listed[i];
	*n = want;
	*out = ids;
	return narrow(j, t, domain, ids, want);
}

/* One context each: so that no two threads meet at its counters. */
static uint32_t executors(const struct ss_build_job *j)
{
	uint32_t threads = j->model->process.handshake_threads;

	return threads ? threads : j->n_workers;
}

int ss_build_tls_server(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_server **out)
{
	struct ss_tls_server *s = ss_build_alloc(j, sizeof(*s));
	struct material m;
	int err;

	*out = s;
	if (!s)
		return SS_ERR_NO_MEM;
	if (!t->present || t->mode == SS_TLS_DISABLE)
		return 0; /* zeroed: SS_TLS_DISABLE */
	if (!t->secret || (t->client_certificate && !t->trust)) {
		ss_model_error(j->errors, &t->src, "tls", "needs a secret, and a trust for client_certificate");
		return SS_ERR_CONFIG;
	}
	s->mode = (uint8_t)t->mode;
	s->client_certificate = t->client_certificate;
	s->handshake_timeout_ns = t->handshake_timeout_ns;
	if ((err = build_ids(j, t, t->client_certificate, &s->n_ids, &s->ids)) < 0 ||
	    (err = material_load(j, t, &m)) < 0)
		return err;
	for (uint32_t i = 0; i < executors(j) && err == 0; i++) {
		SSL_CTX *ctx = make_ctx(j, t, &m, true);

		if (ctx)
			SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)&offers[protocol]);
		else
			err = SS_ERR_CONFIG;
		s->ctx[i] = ctx;
	}
	material_free(&m);
	return err;
}

/* A certificate stands for its key. Never 0, which means "not known"; 0 without memory. */
static uint64_t hash_client(const struct ss_model_tls *t, const struct material *m, const struct ss_tls_client *c)
{
	const char *version = t->min_version ? t->min_version : "";
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t hash = 0;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		goto out;
	hash_cert(md, m->own.leaf);
	hash_certs(md, m->own.chain);
	hash_certs(md, m->bundle);
	hash_bytes(md, version, strlen(version));
	hash_bytes(md, c->sni.p, c->sni.n);
	for (uint16_t i = 0; i < c->n_ids; i++) {
		hash_bytes(md, &c->ids[i].kind, sizeof(c->ids[i].kind));
		hash_bytes(md, c->ids[i].value.p, c->ids[i].value.n);
	}
	if (EVP_DigestFinal_ex(md, digest, NULL) == 1)
		memcpy(&hash, digest, sizeof(hash));
	hash |= 1;
out:
	EVP_MD_CTX_free(md);
	return hash;
}

int ss_build_tls_client(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_client **out)
{
	struct ss_tls_client *c;
	struct material m;
	int err;

	*out = NULL;
	if (!t->present)
		return 0;
	if (!t->trust || (t->n_ids == 0 && !t->sni)) {
		ss_model_error(j->errors, &t->src, "tls",
			       "needs a trust, and allowed_ids or sni: an upstream is always verified");
		return SS_ERR_CONFIG;
	}
	c = ss_build_alloc(j, sizeof(*c));
	if (!c)
		return SS_ERR_NO_MEM;
	c->sni = ss_build_text(j, t->sni);
	c->handshake_timeout_ns = t->handshake_timeout_ns;
	if ((err = build_ids(j, t, false, &c->n_ids, &c->ids)) < 0 || (err = material_load(j, t, &m)) < 0)
		return err;
	for (uint32_t i = 0; i < executors(j) && err == 0; i++) {
		c->ctx[i] = make_ctx(j, t, &m, false);
		if (!c->ctx[i])
			err = SS_ERR_CONFIG;
	}
	c->hash = hash_client(t, &m, c);
	material_free(&m);
	*out = c;
	return err;
}
