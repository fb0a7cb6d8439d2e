/*
 * load_setup.c - the options as the appliance's own model, built by ctrl/build into a snapshot: one cluster to
 * ask, listeners to answer on. So TLS policy, verification and limits are the product's, not a second copy.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build.h"
#include "model/model.h"
#include "perf/load/load_int.h"

#define MAX_NAMES 64

static int print_errors(struct ss_model_errors *e, int code)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "sidestep-load: %s\n", e->text[i]);
	ss_model_errors_free(e);
	return code;
}

static int add_ports(struct ss_model *m, const struct ss_load_opts *o)
{
	struct ss_model_port *p = ss_model_alloc(m, o->n_ports * sizeof(*p));

	if (!p)
		return SS_ERR_NO_MEM;
	m->process.ports = p;
	m->process.n_ports = o->n_ports;
	for (uint32_t i = 0; i < o->n_ports; i++)
		p[i].device = ss_model_text(m, o->ports[i].device);
	return 0;
}

/* What the EAL needs. */
static int process(struct ss_model *m, const struct ss_load_opts *o)
{
	m->process.n_workers = 1;
	m->process.control_core = o->control_core;
	m->process.worker_core[0] = o->lcore;
	m->process.hugepages = o->hugepages;
	m->process.memory_mb = o->memory_mb;
	return add_ports(m, o);
}

/* Windows that a large body does not wait for; no timer that would end an idle connection. */
static struct ss_http_limits limits(const struct ss_load_opts *o)
{
	return (struct ss_http_limits){ .max_header_bytes = 61440,
					.max_headers = 100,
					.max_streams = o->max_streams,
					.stream_window = 1 << 20,
					.conn_window = 16 << 20,
					.hpack_table = 4096,
					.idle_timeout_ns = 24 * 3600 * SS_NS_PER_SEC,
					.request_head_timeout_ns = 3600 * SS_NS_PER_SEC,
					.settings_timeout_ns = 60 * SS_NS_PER_SEC };
}

static char *add_secret(struct ss_model *m, const char *name, const char *cert, const char *key)
{
	struct ss_model_secret *s = &m->secrets[m->n_secrets++];

	s->name = ss_model_text(m, name);
	s->certificate = ss_model_text(m, cert);
	s->private_key = ss_model_text(m, key);
	return s->name;
}

static char *add_trust(struct ss_model *m, const char *name, const char *bundle)
{
	struct ss_model_trust *t = &m->trusts[m->n_trusts++];

	t->name = ss_model_text(m, name);
	t->bundle = ss_model_text(m, bundle);
	return t->name;
}

static int client_tls(struct ss_model *m, const struct ss_load_opts *o, struct ss_model_tls *t)
{
	*t = (struct ss_model_tls){ .present = o->tls, .handshake_timeout_ns = o->timeout_ns };
	if (!o->tls)
		return 0;
	t->trust = add_trust(m, "servers", o->ca);
	if (o->cert)
		t->secret = add_secret(m, "client", o->cert, o->key);
	t->sni = ss_model_text(m, o->sni);
	if (!o->server_id)
		return 0;
	t->n_ids = 1;
	t->ids = ss_model_alloc(m, sizeof(*t->ids));
	if (!t->ids)
		return SS_ERR_NO_MEM;
	t->ids[0] = (struct ss_model_id){ .kind = SS_ID_EXACT, .value = ss_model_text(m, o->server_id) };
	return 0;
}

static int add_cluster(struct ss_model *m, const struct ss_load_opts *o)
{
	struct ss_model_cluster *k = ss_model_alloc(m, sizeof(*k));

	if (!k || !(k->endpoints = ss_model_alloc(m, sizeof(*k->endpoints))))
		return SS_ERR_NO_MEM;
	m->clusters = k;
	m->n_clusters = 1;
	k->name = ss_model_text(m, "target");
	k->protocol = o->proto;
	k->connect_timeout_ns = o->timeout_ns;
	k->http = limits(o);
	k->n_endpoints = 1;
	k->endpoints[0].addr = o->target;
	k->endpoints[0].weight = 1;
	return client_tls(m, o, &k->tls);
}

static void origin_tls(struct ss_model *m, const struct ss_load_opts *o, struct ss_model_tls *t)
{
	t->present = true;
	t->mode = SS_TLS_STRICT;
	t->handshake_timeout_ns = o->timeout_ns;
	t->secret = "origin";
	t->client_certificate = o->origin_ca != NULL;
	t->trust = o->origin_ca ? "clients" : NULL;
}

static int add_listeners(struct ss_model *m, const struct ss_load_opts *o)
{
	struct ss_model_listener *l = ss_model_alloc(m, (o->n_listen + 1) * sizeof(*l));
	char name[SS_ADDR_TEXT];

	if (!l)
		return SS_ERR_NO_MEM;
	m->listeners = l;
	m->n_listeners = o->n_listen;
	if (o->origin_cert)
		add_secret(m, "origin", o->origin_cert, o->origin_key);
	if (o->origin_ca)
		add_trust(m, "clients", o->origin_ca);
	for (uint32_t i = 0; i < o->n_listen; i++) {
		l[i].name = ss_model_text(m, ss_addr_text(&o->listen[i].addr, name));
		l[i].addr = o->listen[i].addr;
		l[i].max_connections = o->max_connections;
		l[i].http = limits(o);
		if (o->listen[i].tls)
			origin_tls(m, o, &l[i].tls);
	}
	return 0;
}

int ss_load_setup_model(struct ss_load_setup *s, const struct ss_load_opts *o)
{
	struct ss_model *m = s->model = ss_model_new();

	if (!m || !(m->secrets = ss_model_alloc(m, 2 * sizeof(*m->secrets))) ||
	    !(m->trusts = ss_model_alloc(m, 2 * sizeof(*m->trusts))) || process(m, o) < 0 ||
	    (o->client && add_cluster(m, o) < 0) || add_listeners(m, o) < 0) {
		fputs("sidestep-load: no memory\n", stderr);
		return SS_ERR_NO_MEM;
	}
	return 0;
}

int ss_load_setup_build(struct ss_load_setup *s)
{
	struct ss_build_conf conf = { .n_workers = 1 };
	struct ss_model_errors errors = { 0 };
	int code;

	s->names = ss_names_create(MAX_NAMES);
	if (!s->names || ss_ep_table_create(&s->endpoints, 16, 16) < 0)
		return SS_ERR_NO_MEM;
	conf.names = s->names;
	conf.endpoints = s->endpoints;
	if ((code = ss_build_create(&s->build, &conf)) < 0)
		return code;
	code = ss_build_snapshot(s->build, s->model, 1, &s->snap, &errors);
	return code < 0 ? print_errors(&errors, code) : 0;
}

void ss_load_setup_free(struct ss_load_setup *s)
{
	ss_build_destroy(s->snap);
	if (s->build)
		ss_build_free(s->build);
	if (s->endpoints)
		ss_ep_table_free(s->endpoints);
	ss_names_free(s->names);
	ss_model_free(s->model);
}
