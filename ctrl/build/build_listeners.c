/* build_listeners.c - listeners: where the other parts come together. */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"

/* Who we are to clients: the SPIFFE id, else the first DNS name, of the certificate. */
static uint32_t own_id(struct ss_build_job *j, const struct ss_tls_server *t)
{
	X509 *leaf = t && t->ctx[0] ? SSL_CTX_get0_certificate(t->ctx[0]) : NULL;
	GENERAL_NAMES *names = leaf ? X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL) : NULL;
	char uri[2049] = "", dns[256] = "";

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		char *to = type == GEN_URI ? uri : type == GEN_DNS ? dns : NULL;
		int size = type == GEN_URI ? (int)sizeof(uri) : (int)sizeof(dns);
		if (to && !*to && ASN1_STRING_length(s) < size)
			memcpy(to, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	}
	GENERAL_NAMES_free(names);
	return *uri || *dns ? ss_build_name(j, *uri ? uri : dns) : 0;
}

static uint8_t xfcc_fields(const struct ss_model_xfcc *m)
{
	if (m->mode != SS_XFCC_APPEND_FORWARD && m->mode != SS_XFCC_SANITIZE_SET)
		return 0;
	return (uint8_t)(SS_XFCC_ON | (m->cert ? SS_XFCC_CERT : 0) | (m->chain ? SS_XFCC_CHAIN : 0) |
			 (m->subject ? SS_XFCC_SUBJECT : 0) | (m->uri ? SS_XFCC_URI : 0) | (m->dns ? SS_XFCC_DNS : 0));
}

static int build_listener(struct ss_build_job *j, const struct ss_model_listener *m, struct ss_listener *l)
{
	int err = 0;
	*l = (struct ss_listener){
		.name = ss_build_name(j, m->name),
		.addr = m->addr,
		.protocol = (uint8_t)m->protocol,
		/* Each worker counts alone: its share, rounded up. */
		.max_connections = (m->max_connections + j->n_workers - 1) / j->n_workers,
		.http = m->http,
		.edge = m->edge,
		.trusted_hops = (uint8_t)m->trusted_hops,
		.xfcc = (uint8_t)m->xfcc.mode,
		.xfcc_fields = xfcc_fields(&m->xfcc),
		.line = m->src.line,
	};
	if (ss_build_tls_server(j, &m->tls, m->protocol, &l->tls) < 0)
		err = SS_ERR_CONFIG;
	l->own_id = own_id(j, l->tls);
	if (ss_build_host_table(j, m, &l->hosts) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_jwt(j, &m->jwt, &l->jwt) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_authz(j, &m->authz, &l->authz) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_limit_list(j, &m->src, &m->limits, NULL, &l->limits) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_maintenance(j, &m->maintenance, &l->maintenance) < 0)
		err = SS_ERR_CONFIG;
	return l->name ? err : SS_ERR_CONFIG;
}

int ss_build_listeners(struct ss_build_job *j)
{
	struct ss_listener *listeners = ss_build_array(j, j->model->n_listeners, sizeof(*listeners));
	int err = 0;
	if (!listeners)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < j->model->n_listeners; i++)
		if (build_listener(j, &j->model->listeners[i], &listeners[i]) < 0)
			err = SS_ERR_CONFIG;
	j->snap->listeners = listeners;
	j->snap->n_listeners = j->model->n_listeners;
	return err;
}
