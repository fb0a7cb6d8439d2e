#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/err.h"
#include "build/build_certs.h"

/* ---- what handshakes read: it lives as long as the context that it is attached to ---- */

struct sni {
	bool refuse;
	uint32_t n, n_sets;
	SSL_CTX **set; /* of the first: NULL, it is the one that we hang on */
	struct sni_name {
		char *name;
		uint32_t set;
	} name[];
};

static void sni_free(struct sni *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; s->set && i < s->n_sets; i++)
		SSL_CTX_free(s->set[i]);
	for (uint32_t i = 0; i < s->n; i++)
		free(s->name[i].name);
	free(s->set);
	free(s);
}

static int by_name(const void *key, const void *member)
{
	return strcmp(key, ((const struct sni_name *)member)->name);
}

static const struct sni_name *find(const struct sni *s, const char *name)
{
	return bsearch(name, s->name, s->n, sizeof(s->name[0]), by_name);
}

/* The longest name of a host (RFC 1035 2.3.4). */
#define HOST_MAX 255

static const struct sni_name *look_up(const struct sni *s, const char *asked)
{
	char name[HOST_MAX + 2];
	size_t n = strlen(asked);
	const struct sni_name *found;
	char *dot;

	if (n > HOST_MAX)
		return NULL;
	for (size_t i = 0; i <= n; i++)
		name[i] = (char)tolower((unsigned char)asked[i]);
	if ((found = find(s, name)) || !(dot = strchr(name, '.')) || dot == name)
		return found;
	dot[-1] = '*';
	return find(s, dot - 1);
}

/* OpenSSL calls this also for a client that names nobody. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	const struct sni *s = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct sni_name *found = asked ? look_up(s, asked) : NULL;

	if (asked && !found && s->refuse) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	if (found && found->set && !SSL_set_SSL_CTX(ssl, s->set[found->set]))
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static void on_ctx_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	sni_free(ptr);
}

/* Control is one thread. */
static int slot(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
	return index;
}

bool ss_build_certs_attach(const struct ss_build_certs *c, SSL_CTX *const *ctx, bool refuse)
{
	struct sni *s;

	if (c->n_sets < 2 && !refuse)
		return true;
	s = calloc(1, sizeof(*s) + c->n_names * sizeof(s->name[0]));
	if (!s || !(s->set = calloc(c->n_sets, sizeof(*s->set)))) {
		sni_free(s);
		return false;
	}
	s->refuse = refuse;
	s->n_sets = c->n_sets;
	for (uint32_t i = 1; i < c->n_sets; i++)
		if (SSL_CTX_up_ref(ctx[i]) == 1)
			s->set[i] = ctx[i];
	for (uint32_t i = 0; i < c->n_names; i++) {
		if (i && strcmp(c->names[i].name, c->names[i - 1].name) == 0)
			continue;
		s->name[s->n] = (struct sni_name){ strdup(c->names[i].name), c->names[i].set };
		if (!s->name[s->n++].name) {
			s->n--;
			sni_free(s);
			return false;
		}
	}
	if (slot() < 0 || SSL_CTX_set_ex_data(ctx[0], slot(), s) != 1) {
		sni_free(s);
		return false;
	}
	SSL_CTX_set_tlsext_servername_callback(ctx[0], on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx[0], s);
	return true;
}

/* ---- names, and which certificates stand beside each other under one ---- */

static uint32_t kind_of(const struct ss_build_secret *s)
{
	int id = EVP_PKEY_base_id(s->key);

	return id == EVP_PKEY_RSA ? 0 : id == EVP_PKEY_EC ? 1 : 2;
}

static bool add_name(struct ss_build_certs *c, const char *name, size_t n, uint32_t cert)
{
	struct ss_build_server_name *grown = realloc(c->names, (c->n_names + 1) * sizeof(*grown));

	if (!grown)
		return false;
	c->names = grown;
	char *low = strndup(name, n);
	if (!low)
		return false;
	for (char *p = low; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	c->names[c->n_names++] = (struct ss_build_server_name){ .name = low, .cert = cert };
	return true;
}

/* The DNS names of a certificate; of one that has none (a SPIFFE id alone) nobody can ask for it by name. */
static bool add_sans(struct ss_build_certs *c, uint32_t cert)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(c->cert[cert].leaf, NID_subject_alt_name, NULL, NULL);
	bool ok = true;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			ok = add_name(c, (const char *)ASN1_STRING_get0_data(g->d.dNSName),
				      (size_t)ASN1_STRING_length(g->d.dNSName), cert) && ok;
	}
	GENERAL_NAMES_free(all);
	return ok;
}

static int order(const void *a, const void *b)
{
	const struct ss_build_server_name *x = a, *y = b;
	int by = strcmp(x->name, y->name);

	return by ? by : x->cert < y->cert ? -1 : x->cert > y->cert;
}

/* The number of a set, made when it is the first of its kind. UINT32_MAX without memory. */
static uint32_t set_of(struct ss_build_certs *c, const struct ss_build_set *want)
{
	for (uint32_t i = 0; i < c->n_sets; i++)
		if (memcmp(&c->set[i], want, sizeof(*want)) == 0)
			return i;
	struct ss_build_set *grown = realloc(c->set, (c->n_sets + 1) * sizeof(*grown));
	if (!grown)
		return UINT32_MAX;
	c->set = grown;
	c->set[c->n_sets] = *want;
	return c->n_sets++;
}

static void put(struct ss_build_set *s, const struct ss_build_certs *c, uint32_t cert)
{
	uint32_t *place = &s->cert[kind_of(&c->cert[cert])];

	if (!*place)
		*place = cert + 1;
}

static bool has_name(const struct ss_build_certs *c, uint32_t cert, const char *name)
{
	for (uint32_t i = 0; i < c->n_names; i++)
		if (c->names[i].cert == cert && (!name || strcmp(c->names[i].name, name) == 0))
			return true;
	return false;
}

/* Do two certificates speak for the same? Those without names do, too: they stand for the node. */
static bool related(const struct ss_build_certs *c, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < c->n_names; i++)
		if (c->names[i].cert == a && has_name(c, b, c->names[i].name))
			return true;
	return !has_name(c, a, NULL) && !has_name(c, b, NULL);
}

static bool make_sets(struct ss_build_certs *c)
{
	struct ss_build_set first = { { 0 } };

	for (uint32_t i = 0; i < c->n; i++)
		if (i == 0 || related(c, 0, i))
			put(&first, c, i);
	if (set_of(c, &first) == UINT32_MAX)
		return false;
	if (c->n_names)
		qsort(c->names, c->n_names, sizeof(c->names[0]), order);
	for (uint32_t i = 0, end; i < c->n_names; i = end) {
		struct ss_build_set s = { { 0 } };

		for (end = i; end < c->n_names && strcmp(c->names[end].name, c->names[i].name) == 0; end++)
			put(&s, c, c->names[end].cert);
		uint32_t number = set_of(c, &s);
		if (number == UINT32_MAX)
			return false;
		for (uint32_t k = i; k < end; k++)
			c->names[k].set = number;
	}
	return true;
}

static int load_one(struct ss_build_job *j, const struct ss_model_tls *t, const struct ss_model_certificate *m,
		    struct ss_build_certs *c)
{
	uint32_t s = ss_model_secret(j->model, m->secret);
	bool ok = true;
	int err;

	if (s == SS_MODEL_NONE) {
		ss_model_error(j->errors, &t->src, "tls.certificates", "names a secret that is not there");
		return SS_ERR_CONFIG;
	}
	if ((err = ss_build_secret_load(j, &j->model->secrets[s], &c->cert[c->n])) < 0)
		return err;
	c->n++;
	for (uint32_t i = 0; i < m->n_names; i++)
		ok = add_name(c, m->names[i], strlen(m->names[i]), c->n - 1) && ok;
	ok = ok && (m->n_names || add_sans(c, c->n - 1));
	return ok ? 0 : SS_ERR_NO_MEM;
}

int ss_build_certs_load(struct ss_build_job *j, const struct ss_model_tls *t, const struct ss_build_secret *own,
			struct ss_build_certs *out)
{
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->cert = calloc(t->n_certificates + 1, sizeof(*out->cert));
	if (!out->cert)
		return SS_ERR_NO_MEM;
	out->cert[0] = *own;
	out->n = 1;
	if (!add_sans(out, 0))
		err = SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < t->n_certificates && err == 0; i++)
		err = load_one(j, t, &t->certificates[i], out);
	if (err == 0 && !make_sets(out))
		err = SS_ERR_NO_MEM;
	if (err == SS_ERR_NO_MEM)
		ss_model_error(j->errors, &t->src, "tls.certificates", "out of memory");
	if (err < 0)
		ss_build_certs_free(out);
	return err;
}

void ss_build_certs_free(struct ss_build_certs *c)
{
	for (uint32_t i = 1; i < c->n; i++)
		ss_build_secret_free(&c->cert[i]);
	for (uint32_t i = 0; i < c->n_names; i++)
		free(c->names[i].name);
	free(c->names);
	free(c->cert);
	free(c->set);
	memset(c, 0, sizeof(*c));
}
