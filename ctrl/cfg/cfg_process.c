/* What is read at start only: workers, memory, ports, sockets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfg/cfg_int.h"

#define P(field) offsetof(struct ss_model_process, field)

/* ---- workers ---- */

static void read_cores(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_process *p = obj;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		ss_cfg_error(c, s, NULL, "must be a list of CPU numbers, as [ 1, 2 ]");
		return;
	}
	uint32_t n = (uint32_t)config_setting_length(s);
	if (n != p->n_workers)
		ss_cfg_error(c, s, NULL, "has %u entries for %u workers", n, p->n_workers);
	for (uint32_t i = 0; i < n && i < SS_MAX_WORKERS; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		int cpu = config_setting_get_int(e);
		if (config_setting_type(e) != CONFIG_TYPE_INT || cpu < 0 || cpu > 1023)
			ss_cfg_error(c, e, NULL, "must be a CPU number");
		else
			p->worker_core[i] = (uint32_t)cpu;
	}
}

static void show_cores(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_process *p = obj;
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < p->n_workers; i++)
		ss_json_u64(j, NULL, p->worker_core[i]);
	ss_json_end_list(j);
}

/* Without a map: the CPUs after the control thread's, around the machine; control's own comes last. */
static void spread_cores(struct ss_model_process *p)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t n = online > 0 ? (uint32_t)online : 1;
	for (uint32_t i = 0; i < p->n_workers && i < SS_MAX_WORKERS; i++)
		p->worker_core[i] = (p->control_core + 1 + i) % n;
}

static void check_workers(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const cores[] = { "cores", NULL };
	if (!ss_cfg_count(g, cores))
		spread_cores(obj);
}

static const struct ss_cfg_word busy_poll[] = { { "adaptive", 0 }, { "always", 1 }, { NULL, 0 } };

static const struct ss_cfg_key worker_keys[] = {
	{ "count", SS_CFG_U32, P(n_workers), .def = "1", .min = 1, .max = SS_MAX_WORKERS },
	{ "control_core", SS_CFG_U32, P(control_core), .def = "0", .max = 1023 },
	{ "cores", SS_CFG_OWN, P(worker_core), .what = "list of CPUs", .read = read_cores, .show = show_cores,
	  .bytes = sizeof(((struct ss_model_process *)0)->worker_core) },
	{ "busy_poll", SS_CFG_WORD, P(busy_poll_always), .def = "adaptive", .words = busy_poll,
	  .bytes = sizeof(bool) },
	{ "idle_sleep", SS_CFG_DURATION, P(idle_sleep_ns), .def = "200us", .max = SS_NS_PER_SEC },
	{ "stage_sampling", SS_CFG_U32, P(stage_sampling), .def = "16", .max = 1000000 },
};
const struct ss_cfg_table ss_cfg_workers = { .what = "group",
					     .check = check_workers,
					     SS_CFG_KEYS(worker_keys) };

/* ---- memory, TCP, TLS ---- */

static void check_memory(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_process *p = obj;

	if (p->upstream_conns >= p->conns)
		ss_cfg_error(c, g, "upstream_connections", "leaves clients none of %u connections", p->conns);
}

static const struct ss_cfg_key memory_keys[] = {
	{ "hugepages", SS_CFG_BOOL, P(hugepages), .def = "false" },
	{ "size_mb", SS_CFG_U32, P(memory_mb), .def = "512", .min = 64, .max = 1048576 },
	{ "mbufs", SS_CFG_U32, P(mbufs), .def = "16384", .min = 1024, .max = 8388608 },
	{ "connections", SS_CFG_U32, P(conns), .def = "4096", .min = 16, .max = 4194304 },
	{ "upstream_connections", SS_CFG_U32, P(upstream_conns), .def = "0", .max = 4194304 },
	{ "tls_connections", SS_CFG_U32, P(tls_conns), .def = "0", .max = 4194304 },
	{ "expanded_keys", SS_CFG_U32, P(expanded_keys), .def = "2048", .min = 2, .max = 8388608 },
	{ "http2_connections", SS_CFG_U32, P(h2_conns), .def = "0", .max = 4194304 },
	{ "streams", SS_CFG_U32, P(streams), .def = "8192", .min = 16, .max = 4194304 },
	{ "half_open", SS_CFG_U32, P(half_open), .def = "1024", .min = 1, .max = 1048576 },
	{ "receive_buffer", SS_CFG_SIZE, P(rcv_buf), .def = "128KiB", .min = 4096, .max = 1 << 30 },
	{ "send_buffer", SS_CFG_SIZE, P(snd_buf), .def = "128KiB", .min = 4096, .max = 1 << 30 },
	{ "endpoints", SS_CFG_U32, P(max_endpoints), .def = "4096", .min = 1, .max = 1048576 },
	{ "clusters", SS_CFG_U32, P(max_clusters), .def = "1024", .min = 1, .max = 65536 },
	{ "rate_limits", SS_CFG_U32, P(max_limits), .def = "256", .min = 1, .max = 65536 },
	{ "rate_limit_keys", SS_CFG_U32, P(max_limit_keys), .def = "65536", .min = 8, .max = 134217728 },
	{ "canaries", SS_CFG_U32, P(max_canaries), .def = "16", .max = 4096 },
	{ "policies", SS_CFG_U32, P(max_policies), .def = "4096", .min = 16, .max = 65536 },
};
const struct ss_cfg_table ss_cfg_memory = { .what = "group", .check = check_memory, SS_CFG_KEYS(memory_keys) };

static const struct ss_cfg_key overload_keys[] = {
	{ "mbufs", SS_CFG_U32, P(shed_mbufs), .def = "90", .max = 100 },
	{ "connections", SS_CFG_U32, P(shed_conns), .def = "95", .max = 100 },
	{ "queue_delay", SS_CFG_DURATION, P(shed_delay_ns), .def = "100ms", .max = 60 * SS_NS_PER_SEC },
};
const struct ss_cfg_table ss_cfg_overload = { .what = "group", SS_CFG_KEYS(overload_keys) };

static const struct ss_cfg_key tcp_keys[] = {
	{ "time_wait", SS_CFG_DURATION, P(time_wait_ns), .def = "1m", .min = SS_NS_PER_MS,
	  .max = 240 * SS_NS_PER_SEC },
	{ "user_timeout", SS_CFG_DURATION, P(user_timeout_ns), .def = "1m", .min = SS_NS_PER_SEC,
	  .max = 3600 * SS_NS_PER_SEC },
};
const struct ss_cfg_table ss_cfg_tcp = { .what = "group", SS_CFG_KEYS(tcp_keys) };

static const struct ss_cfg_word records[] = { { "auto", SS_TLS_RECORDS_AUTO },
					      { "ipsec-mb", SS_TLS_RECORDS_IPSEC_MB },
					      { "evp", SS_TLS_RECORDS_EVP },
					      { "openssl", SS_TLS_RECORDS_OPENSSL },
					      { "cryptodev", SS_TLS_RECORDS_CRYPTODEV },
					      { NULL, 0 } };

static void read_handshake_cores(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_process *p = obj;
	uint32_t n = (uint32_t)config_setting_length(s);
	if ((!config_setting_is_array(s) && !config_setting_is_list(s)) || n > SS_MAX_EXECUTORS) {
		ss_cfg_error(c, s, NULL, "must be a list of up to %d CPU numbers, as [ 0, 2 ]", SS_MAX_EXECUTORS);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		int cpu = config_setting_get_int(e);
		if (config_setting_type(e) != CONFIG_TYPE_INT || cpu < 0 || cpu > 1023)
			ss_cfg_error(c, e, NULL, "must be a CPU number");
		else
			p->handshake_core[i] = (uint32_t)cpu;
	}
	p->n_handshake_cores = n;
}

static void show_handshake_cores(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_process *p = obj;
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < p->n_handshake_cores; i++)
		ss_json_u64(j, NULL, p->handshake_core[i]);
	ss_json_end_list(j);
}

static const struct ss_cfg_key tls_keys[] = {
	{ "records", SS_CFG_WORD, P(tls_records), .def = "auto", .words = records },
	{ "crypto_device", SS_CFG_TEXT, P(crypto_device), .min = 1 },
	{ "handshake_threads", SS_CFG_U32, P(handshake_threads), .def = "1", .max = SS_MAX_EXECUTORS },
	{ "handshake_cores", SS_CFG_OWN, P(handshake_core), .what = "list of CPUs", .read = read_handshake_cores,
	  .show = show_handshake_cores, .bytes = sizeof(((struct ss_model_process *)0)->handshake_core) },
	{ "handshake_queue", SS_CFG_U32, P(handshake_queue), .def = "256", .min = 1, .max = 65536 },
	{ "handshake_rate", SS_CFG_U32, P(handshake_rate), .def = "0", .max = 100000000 },
	{ "engine", SS_CFG_TEXT, P(engine), .min = 1 },
	{ "engine_path", SS_CFG_FILE, P(engine_path) },
	{ "engine_commands", SS_CFG_TEXTS, P(engine_commands), P(n_engine_commands) },
	{ "ticket_lifetime", SS_CFG_DURATION, P(ticket_lifetime_ns), .def = "1h", .max = 7 * 86400 * SS_NS_PER_SEC },
	{ "ticket_keys", SS_CFG_FILE, P(ticket_keys) },
};

static void check_tls(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_process *p = obj;

	if (!p->engine && (p->engine_path || p->n_engine_commands))
		ss_cfg_error(c, g, "engine", "is missing: the other keys of an engine need its name");
	if (p->tls_records == SS_TLS_RECORDS_CRYPTODEV && !p->crypto_device)
		ss_cfg_error(c, g, "crypto_device", "is missing: records = \"cryptodev\" needs it");
	if (p->tls_records != SS_TLS_RECORDS_CRYPTODEV && p->crypto_device)
		ss_cfg_error(c, g, "crypto_device", "is for records = \"cryptodev\" alone");
}

const struct ss_cfg_table ss_cfg_tls = { .what = "group", .check = check_tls, SS_CFG_KEYS(tls_keys) };

/* ---- ports ---- */

#define PORT(field) offsetof(struct ss_model_port, field)

static bool read_address(struct ss_cfg *c, config_setting_t *e, struct ss_ip *ip, uint8_t *prefix)
{
	char buf[SS_IP_TEXT];
	const char *text = config_setting_get_string(e), *slash = text ? strchr(text, '/') : NULL;
	char *end = NULL;
	unsigned long bits = slash && slash[1] ? strtoul(slash + 1, &end, 10) : 0;
	if (slash && end && *end == '\0' && (size_t)(slash - text) < sizeof(buf)) {
		memcpy(buf, text, (size_t)(slash - text));
		buf[slash - text] = '\0';
		if (ss_ip_parse(buf, ip) == 0 && bits >= 1 && bits <= (ip->family == 4 ? 32u : 128u)) {
			*prefix = (uint8_t)bits;
			return true;
		}
	}
	ss_cfg_error(c, e, NULL, "must be an address with its prefix, as \"10.0.0.1/24\"");
	return false;
}

static void read_addresses(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_port *p = obj;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		ss_cfg_error(c, s, NULL, "must be a list, as [ \"10.0.0.1/24\" ]");
		return;
	}
	for (uint32_t i = 0; i < (uint32_t)config_setting_length(s); i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		uint32_t n = p->n_addrs;
		if (n == SS_ARRAY_LEN(p->addrs)) {
			ss_cfg_error(c, e, NULL, "a port has at most %zu addresses", SS_ARRAY_LEN(p->addrs));
			return;
		}
		if (!read_address(c, e, &p->addrs[n].ip, &p->addrs[n].prefix))
			continue;
		for (uint32_t j = 0; j < n; j++)
			if (ss_ip_eq(&p->addrs[j].ip, &p->addrs[n].ip))
				ss_cfg_error(c, e, NULL, "is there twice");
		p->n_addrs++;
	}
}

static void show_addresses(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_port *p = obj;
	char ip[SS_IP_TEXT], text[SS_IP_TEXT + 8];
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < p->n_addrs; i++) {
		snprintf(text, sizeof(text), "%s/%u", ss_ip_text(&p->addrs[i].ip, ip), p->addrs[i].prefix);
		ss_json_text(j, NULL, text);
	}
	ss_json_end_list(j);
}

/* Are the first bits of both the same? */
static bool same_net(const struct ss_ip *a, const struct ss_ip *b, uint8_t bits)
{
	uint8_t whole = bits / 8, rest = bits % 8;
	if (a->family != b->family || memcmp(a->b, b->b, whole) != 0)
		return false;
	return rest == 0 || (a->b[whole] ^ b->b[whole]) >> (8 - rest) == 0;
}

static void check_port(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_port *p = obj;
	bool reachable = p->gateway.family == 0;
	for (uint32_t i = 0; i < p->n_addrs && !reachable; i++)
		reachable = same_net(&p->gateway, &p->addrs[i].ip, p->addrs[i].prefix);
	if (!reachable)
		ss_cfg_error(c, g, "gateway", "lies in no network of this port");
	struct ss_model_process *all = &c->m->process;
	for (uint32_t i = 0; i < all->n_ports && p->device; i++)
		if (&all->ports[i] != p && all->ports[i].device && !strcmp(all->ports[i].device, p->device))
			ss_cfg_error(c, g, "device", "port \"%s\" has it already", all->ports[i].name);
}

static const struct ss_cfg_key port_keys[] = {
	{ "name", SS_CFG_TEXT, PORT(name), .required = true, .min = 1 },
	{ "device", SS_CFG_TEXT, PORT(device), .required = true, .min = 1 },
	{ "queues", SS_CFG_U32, PORT(queues), .def = "1", .min = 1, .max = SS_MAX_WORKERS },
	{ "mtu", SS_CFG_U32, PORT(mtu), .def = "1500", .min = 576, .max = 9000 },
	{ "rx_descriptors", SS_CFG_U32, PORT(rx_descriptors), .def = "1024", .min = 64, .max = 32768 },
	{ "tx_descriptors", SS_CFG_U32, PORT(tx_descriptors), .def = "1024", .min = 64, .max = 32768 },
	{ "mbufs", SS_CFG_U32, PORT(mbufs), .def = "16384", .min = 1024, .max = 8388608 },
	{ "addresses", SS_CFG_OWN, PORT(addrs), .what = "list of addresses", .required = true,
	  .read = read_addresses, .show = show_addresses,
	  .bytes = sizeof(((struct ss_model_port *)0)->addrs) },
	{ "gateway", SS_CFG_IP, PORT(gateway) },
};
const struct ss_cfg_table ss_cfg_port = { .what = "port", .size = sizeof(struct ss_model_port), .src = true,
					  .named = true, .check = check_port, SS_CFG_KEYS(port_keys) };

/* ---- admin, metrics, access log ---- */

static const struct ss_cfg_key admin_keys[] = {
	{ "socket", SS_CFG_FILE, P(admin_socket), .def = "/run/sidestep.sock" },
	{ "recent_requests", SS_CFG_U32, P(recent_requests), .def = "16384", .max = 1048576 },
};
const struct ss_cfg_table ss_cfg_admin = { .what = "group", SS_CFG_KEYS(admin_keys) };

static void check_metrics(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_process *p = obj;
	struct ss_ip ip;
	if (p->metrics_address && ss_ip_parse(p->metrics_address, &ip) < 0)
		ss_cfg_error(c, g, "address", "\"%s\" is no IP address", p->metrics_address);
}

static const struct ss_cfg_key metrics_keys[] = {
	{ "address", SS_CFG_TEXT, P(metrics_address), .required = true, .min = 1 },
	{ "port", SS_CFG_U32, P(metrics_port), .def = "9901", .min = 1, .max = 65535 },
};
const struct ss_cfg_table ss_cfg_metrics = { .what = "group",
					     .check = check_metrics,
					     SS_CFG_KEYS(metrics_keys) };

static const struct ss_cfg_key access_log_keys[] = {
	{ "path", SS_CFG_FILE, P(access_log), .required = true },
};
const struct ss_cfg_table ss_cfg_access_log = { .what = "group", SS_CFG_KEYS(access_log_keys) };
