/*
 * build_tls.c - one SSL_CTX per executor of handshakes for each tls group of the model.
 *
 * Only what RFC 9325 (BCP 195) recommends is offered: TLS 1.2 and 1.3, AEAD suites, forward secrecy, no
 * renegotiation, no compression. A listener gives session tickets when the process has keys for them (the
 * tls room seals and judges them); those of endpoints are kept where a cluster has it so.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "build/build_certs.h"

#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                            \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"         \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"         \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* P-384 stands last and for certificates: in TLS 1.2 their curves must be in this list, too (RFC 8422 5.1). */
#define GROUPS "X25519:P-256:P-384"
/* 112 bits: RSA of 2048 bits, no signature over SHA-1 or MD5 (NIST SP 800-57 1 5.6.1), whatever openssl.cnf says. */
#define SECURITY_LEVEL 2

/* Everything one tls group needs from files; either part may be absent. */
struct material {
	const struct ss_model_secret *secret;
	const struct ss_model_trust *trust;
	struct ss_build_secret own;
	const struct ss_trust *believed; /* the snapshot's */
};

static void material_free(struct material *m)
{
	ss_build_secret_free(&m->own);
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
		m->believed = ss_build_trust(j, r);
		if (!m->believed)
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
	/* The file says which chain is sent; else OpenSSL would look for one, with signatures, in every handshake. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_verify_depth(ctx, SS_TRUST_LINKS - 1); /* intermediates */
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
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

/* What a session's verdict on its client hangs on: another trust, another rule, and it is no good. */
static bool trust_digest(const struct ss_model_tls *t, const struct ss_trust *trust, uint8_t *digest, unsigned *n)
{
	const char *version = t->min_version ? t->min_version : "";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	if (ok) {
		hash_bytes(md, trust ? trust->hash : NULL, trust ? sizeof(trust->hash) : 0);
		hash_bytes(md, version, strlen(version));
		hash_bytes(md, &t->client_certificate, sizeof(t->client_certificate));
		ok = EVP_DigestFinal_ex(md, digest, n) == 1;
	}
	EVP_MD_CTX_free(md);
	return ok;
}

/* One ticket a handshake; RFC 8446 C.4: a client uses each once. */
static bool set_tickets(SSL_CTX *ctx, const struct ss_model_tls *t, const struct ss_trust *trust, uint64_t lifetime_ns)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!lifetime_ns)
		return true;
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_timeout(ctx, (long)(lifetime_ns / SS_NS_PER_SEC));
	return SSL_CTX_set_num_tickets(ctx, 1) == 1 && trust_digest(t, trust, digest, &n) &&
	       SSL_CTX_set_session_id_context(ctx, digest, n) == 1;
}

/*
 * A server names its authorities, so that a client with several certificates can choose. The context's own store
 * has the trust's own bundle alone: the room verifies against the bundle of the peer's trust domain.
 */
static bool set_trust(SSL_CTX *ctx, const struct ss_trust *trust, bool server)
{
	for (uint32_t d = 0; trust && d < trust->n_domains; d++) {
		const STACK_OF(X509) *all = trust->domain[d].anchors;

		for (int i = 0; i < sk_X509_num(all); i++) {
			X509 *ca = sk_X509_value(all, i);

			if ((d == 0 && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) != 1) ||
			    (server && SSL_CTX_add_client_CA(ctx, ca) != 1))
				return false;
		}
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
	const struct ss_offload *offload = j->b ? j->b->conf.offload : NULL;
	bool ok = ctx && set_protocol(ctx, t) && set_trust(ctx, m->believed, server);

	/* A handshake may stop in the middle of an operation of the engine's. */
	if (ok && offload && !ss_offload_is_off(offload))
		SSL_CTX_set_mode(ctx, SSL_MODE_ASYNC);

	/* The room sets how a peer is verified per connection; a context by itself refuses as well. */
	if (ok && m->believed)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (ok && server)
		ok = set_tickets(ctx, t, m->believed, j->model->process.ticket_lifetime_ns);
	/* Each session to the room alone (tls_sessions.c); TLS 1.2's it does not take. */
	if (ok && !server && t->resume)
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
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

/* ---- whom a group lets in ---- */

/* The trust domains that model trust m speaks for: its own, then those of its federation. NULL behind the last. */
static const char *domain_at(const struct ss_build_job *j, const struct ss_model_trust *m, uint32_t i)
{
	uint32_t r = i && i <= m->n_federates ? ss_model_trust(j->model, m->federates[i - 1]) : SS_MODEL_NONE;

	if (i == 0)
		return m->trust_domain;
	return r == SS_MODEL_NONE ? NULL : j->model->trusts[r].trust_domain;
}

static bool speaks_for(const struct ss_build_job *j, const struct ss_model_trust *m, struct ss_span domain)
{
	const char *d;

	for (uint32_t i = 0; (d = domain_at(j, m, i)); i++)
		if (ss_span_eq(ss_span_str(d), domain))
			return true;
	return false;
}

/* A trust bundle speaks for its trust domain alone: a matcher that reaches beyond all of them is refused. */
static int check_reach(struct ss_build_job *j, const struct ss_model_tls *t, const struct ss_model_trust *m,
		       const struct ss_id_match *ids, uint16_t n)
{
	int err = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct ss_span has = ids[i].kind == SS_ID_DOMAIN ? ids[i].value : ss_id_trust_domain(ids[i].value);

		if (has.n == 0 || speaks_for(j, m, has))
			continue;
		ss_model_error(j->errors, &t->src, "tls.allowed_ids", "[%u] \"%.*s\" is outside trust domain %s", i,
			       (int)ids[i].value.n, (const char *)ids[i].value.p, m->trust_domain);
		err = SS_ERR_CONFIG;
	}
	return err;
}

/* "Any" means any member of the trust domains, so "any" becomes one matcher for each. */
static int widen(struct ss_build_job *j, const struct ss_model_trust *m, uint16_t *n, const struct ss_id_match **ids)
{
	const struct ss_id_match any = { .kind = SS_ID_ANY }, *from = *n ? *ids : &any;
	uint32_t n_from = *n ? *n : 1;
	struct ss_id_match *to = ss_build_array(j, n_from * (m->n_federates + 1), sizeof(*to));
	uint32_t put = 0;
	const char *d;

	if (!to)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n_from; i++) {
		if (from[i].kind != SS_ID_ANY)
			to[put++] = from[i];
		for (uint32_t k = 0; from[i].kind == SS_ID_ANY && (d = domain_at(j, m, k)); k++)
			to[put++] = (struct ss_id_match){ .kind = SS_ID_DOMAIN, .value = ss_build_text(j, d) };
	}
	if (put > UINT16_MAX)
		return SS_ERR_CONFIG;
	*n = (uint16_t)put;
	*ids = to;
	return 0;
}

/* Matchers of a group. bare: what stands for "none listed" when the trust has a domain: its members. */
static int build_ids(struct ss_build_job *j, const struct ss_model_tls *t, bool bare, uint16_t *n,
		     const struct ss_id_match **out)
{
	uint32_t r = t->trust ? ss_model_trust(j->model, t->trust) : SS_MODEL_NONE;
	const struct ss_model_trust *m = r == SS_MODEL_NONE ? NULL : &j->model->trusts[r];
	int err = ss_build_ids(j, t->n_ids, t->ids, n, out);

	if (err < 0 || !m || !m->trust_domain || (*n == 0 && !bare))
		return err;
	err = widen(j, m, n, out);
	return err < 0 ? err : check_reach(j, t, m, *out, *n);
}

/* One context each: so that no two threads meet at its counters. */
static uint32_t executors(const struct ss_build_job *j)
{
	uint32_t threads = j->model->process.handshake_threads;

	return threads ? threads : j->n_workers;
}

/* One executor's context of one set. m: as of the listener, with its secret; the set's certificates go in its place. */
static SSL_CTX *set_ctx(struct ss_build_job *j, const struct ss_model_tls *t, const struct material *m,
			const struct ss_build_certs *certs, const struct ss_build_set *set, enum ss_protocol protocol)
{
	const struct ss_build_secret *shown[SS_BUILD_KINDS];
	struct material one = *m;
	uint32_t n = 0;
	bool ok = true;

	for (uint32_t k = 0; k < SS_BUILD_KINDS; k++)
		if (set->cert[k])
			shown[n++] = &certs->cert[set->cert[k] - 1];
	one.own = *shown[0];
	SSL_CTX *ctx = make_ctx(j, t, &one, true);
	for (uint32_t k = 1; ctx && k < n; k++)
		ok = ok && SSL_CTX_use_cert_and_key(ctx, shown[k]->leaf, shown[k]->key, shown[k]->chain, 1) == 1;
	/* What a session that is resumed says of us is the first listed. */
	for (uint32_t k = 1; k < n; k++)
		one.own = shown[k]->leaf == certs->cert[0].leaf ? *shown[k] : one.own;
	if (ctx)
		SSL_CTX_select_current_cert(ctx, one.own.leaf);
	if (ctx && !(ok && ss_build_staples_attach(ctx, shown, n))) {
		ss_model_error(j->errors, &t->src, "tls.certificates", "%s", ss_build_openssl_reason());
		return NULL;
	}
	if (ctx)
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)&offers[protocol]);
	return ctx;
}

/* One executor's contexts; the first leads to the others by the client's name. NULL after an error line. */
static SSL_CTX *server_ctx(struct ss_build_job *j, const struct ss_model_tls *t, const struct material *m,
			   const struct ss_build_certs *certs, enum ss_protocol protocol)
{
	SSL_CTX **ctx = calloc(certs->n_sets, sizeof(*ctx)), *first = NULL;
	bool ok = ctx != NULL;

	for (uint32_t i = 0; i < certs->n_sets && ok; i++)
		ok = (ctx[i] = set_ctx(j, t, m, certs, &certs->set[i], protocol)) != NULL;
	if (ok && ss_build_certs_attach(certs, ctx, t->unknown_name == SS_UNKNOWN_NAME_REFUSE))
		first = ctx[0];
	else if (ok)
		ss_model_error(j->errors, &t->src, "tls.certificates", "out of memory");
	free(ctx);
	return first;
}

int ss_build_tls_server(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_server **out)
{
	struct ss_tls_server *s = ss_build_alloc(j, sizeof(*s));
	struct ss_build_certs certs;
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
	s->trust = m.believed;
	err = ss_build_certs_load(j, t, &m.own, &certs);
	for (uint32_t i = 0; i < executors(j) && err == 0; i++) {
		s->ctx[i] = server_ctx(j, t, &m, &certs, protocol);
		if (!s->ctx[i])
			err = SS_ERR_CONFIG;
	}
	ss_build_certs_free(&certs);
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
	hash_bytes(md, m->believed->hash, sizeof(m->believed->hash));
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
	c->trust = m.believed;
	c->resume = t->resume;
	c->hash = hash_client(t, &m, c);
	material_free(&m);
	*out = c;
	return err;
}
