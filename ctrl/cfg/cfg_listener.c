/* Listeners, their HTTP bounds, and authorization. */
#include <ctype.h>
#include <string.h>

#include "cfg/cfg_int.h"
#include "model/text_index.h"

/* ---- HTTP bounds, of listeners and clusters alike ---- */

#define HTTP(field) offsetof(struct ss_http_limits, field)
#define HOUR (3600 * SS_NS_PER_SEC)
static const struct ss_cfg_key http_keys[] = {
	{ "max_header_bytes", SS_CFG_SIZE, HTTP(max_header_bytes), .def = "60KiB", .min = 1024,
	  .max = 61440 },
	{ "max_headers", SS_CFG_U32, HTTP(max_headers), .def = "100", .min = 8, .max = 1000 },
	{ "max_streams", SS_CFG_U32, HTTP(max_streams), .def = "128", .min = 1, .max = 65536 },
	{ "stream_window", SS_CFG_SIZE, HTTP(stream_window), .def = "64KiB", .min = 1024, .max = 1 << 30 },
	{ "connection_window", SS_CFG_SIZE, HTTP(conn_window), .def = "8MiB", .min = 65535, .max = 1 << 30 },
	{ "hpack_table", SS_CFG_SIZE, HTTP(hpack_table), .def = "4KiB", .max = 65536 },
	{ "idle_timeout", SS_CFG_DURATION, HTTP(idle_timeout_ns), .def = "5m", .min = SS_NS_PER_MS,
	  .max = 24 * HOUR },
	{ "request_head_timeout", SS_CFG_DURATION, HTTP(request_head_timeout_ns), .def = "10s",
	  .min = SS_NS_PER_MS, .max = HOUR },
	{ "keepalive_interval", SS_CFG_DURATION, HTTP(keepalive_interval_ns), .def = "0s", .max = HOUR },
	{ "keepalive_timeout", SS_CFG_DURATION, HTTP(keepalive_timeout_ns), .def = "10s", .min = SS_NS_PER_MS,
	  .max = HOUR },
	{ "settings_timeout", SS_CFG_DURATION, HTTP(settings_timeout_ns), .def = "10s", .min = SS_NS_PER_MS,
	  .max = HOUR },
	{ "max_requests", SS_CFG_U32, HTTP(max_requests), .def = "0" },
	{ "max_connection_age", SS_CFG_DURATION, HTTP(max_connection_age_ns), .def = "0s", .max = 366 * 24 * HOUR },
};
const struct ss_cfg_table ss_cfg_http = { .what = "group", SS_CFG_KEYS(http_keys) };

/* ---- listeners ---- */

static bool owned(const struct ss_model_process *p, const struct ss_ip *ip)
{
	for (uint32_t i = 0; i < p->n_ports; i++)
		for (uint32_t j = 0; j < p->ports[i].n_addrs; j++)
			if (ss_ip_eq(&p->ports[i].addrs[j].ip, ip))
				return true;
	return false;
}

/* Two hosts of one listener may not claim the same domain: neither would be the one that is meant. */
static void check_hosts(struct ss_cfg *c, config_setting_t *g, const struct ss_model_listener *l)
{
	struct ss_text_index claimed = { .any_case = true };

	for (uint32_t i = 0; i < l->n_hosts; i++) {
		uint32_t at = ss_model_host(c->m, l->hosts[i]);
		const struct ss_model_host *h = at == SS_MODEL_NONE ? NULL : &c->m->hosts[at];
		for (uint32_t k = 0; h && k < h->n_domains; k++) {
			uint32_t other = h->domains[k] ? ss_text_index_put(&claimed, h->domains[k], at) : SS_TEXT_NONE;
			if (other != SS_TEXT_NONE && other != at)
				ss_cfg_error(c, g, "virtual_hosts", "both \"%s\" and \"%s\" claim the domain \"%s\"",
					     c->m->hosts[other].name, h->name, h->domains[k]);
		}
	}
	ss_text_index_free(&claimed);
}

static void check_listener(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_listener *l = obj;
	char text[SS_ADDR_TEXT];
	if (!l->tls.present)
		l->tls.mode = SS_TLS_DISABLE;
	if (!l->authz.present)
		l->authz.default_deny = c->m->default_deny; /* the default is that of a group that is there */
	if (l->addr.ip.family && !owned(&c->m->process, &l->addr.ip))
		ss_cfg_error(c, g, "address", "no port has the address %s", ss_ip_text(&l->addr.ip, text));
	for (struct ss_model_listener *o = c->m->listeners; o < l; o++)
		if (l->addr.ip.family && ss_addr_eq(&o->addr, &l->addr))
			ss_cfg_error(c, g, "address", "%s is taken by listener \"%s\" in line %u",
				     ss_addr_text(&l->addr, text), o->name ? o->name : "?", o->src.line);
	check_hosts(c, g, l);
}

static const struct ss_cfg_word protocols[] = {
	{ "auto", SS_PROTO_AUTO }, { "http1", SS_PROTO_H1 }, { "http2", SS_PROTO_H2 }, { NULL, 0 },
};

static const struct ss_cfg_word xfcc_modes[] = {
	{ "sanitize", SS_XFCC_SANITIZE },
	{ "forward_only", SS_XFCC_FORWARD_ONLY },
	{ "append_forward", SS_XFCC_APPEND_FORWARD },
	{ "sanitize_set", SS_XFCC_SANITIZE_SET },
	{ "always_forward_only", SS_XFCC_ALWAYS_FORWARD_ONLY },
	{ NULL, 0 },
};

#define XFCC(field) offsetof(struct ss_model_xfcc, field)
static const struct ss_cfg_key xfcc_keys[] = {
	{ "mode", SS_CFG_WORD, XFCC(mode), .def = "sanitize", .words = xfcc_modes },
	{ "cert", SS_CFG_BOOL, XFCC(cert), .def = "false" },
	{ "chain", SS_CFG_BOOL, XFCC(chain), .def = "false" },
	{ "subject", SS_CFG_BOOL, XFCC(subject), .def = "true" },
	{ "uri", SS_CFG_BOOL, XFCC(uri), .def = "true" },
	{ "dns", SS_CFG_BOOL, XFCC(dns), .def = "false" },
};
static const struct ss_cfg_table ss_cfg_xfcc = { .what = "group", SS_CFG_KEYS(xfcc_keys) };

#define LISTENER(field) offsetof(struct ss_model_listener, field)
static const struct ss_cfg_key listener_keys[] = {
	{ "name", SS_CFG_TEXT, LISTENER(name), .required = true, .min = 1 },
	{ "address", SS_CFG_IP, LISTENER(addr.ip), .required = true },
	{ "port", SS_CFG_U16, LISTENER(addr.port), .required = true, .min = 1, .max = 65535 },
	{ "protocol", SS_CFG_WORD, LISTENER(protocol), .def = "auto", .words = protocols },
	{ "max_connections", SS_CFG_U32, LISTENER(max_connections), .def = "4096", .min = 1, .max = 4194304 },
	{ "edge", SS_CFG_BOOL, LISTENER(edge), .def = "false" },
	{ "trusted_hops", SS_CFG_U32, LISTENER(trusted_hops), .def = "0", .max = 16 },
	{ "forward_client_cert", SS_CFG_GROUP, LISTENER(xfcc), .table = &ss_cfg_xfcc },
	{ "tls", SS_CFG_GROUP, LISTENER(tls), LISTENER(tls.present), .table = &ss_cfg_listener_tls },
	{ "virtual_hosts", SS_CFG_REFS, LISTENER(hosts), LISTENER(n_hosts), .required = true,
	  .what = "virtual host", .find = ss_model_host },
	{ "jwt", SS_CFG_GROUP, LISTENER(jwt), LISTENER(jwt.present), .table = &ss_cfg_jwt },
	{ "authorization", SS_CFG_GROUP, LISTENER(authz), LISTENER(authz.present), .table = &ss_cfg_authz },
	{ "rate_limits", SS_CFG_REFS, LISTENER(limits.name), LISTENER(limits.n), .what = "rate limit",
	  .find = ss_model_limit },
	{ "maintenance", SS_CFG_GROUP, LISTENER(maintenance), LISTENER(maintenance.present),
	  .table = &ss_cfg_maintenance },
	{ "http", SS_CFG_GROUP, LISTENER(http), .table = &ss_cfg_http },
};
const struct ss_cfg_table ss_cfg_listener = { .what = "listener", .size = sizeof(struct ss_model_listener),
					      .src = true, .named = true, .check = check_listener,
					      SS_CFG_KEYS(listener_keys) };
