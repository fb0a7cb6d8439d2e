#include <string.h>

#include "node/node_int.h"

static uint32_t ask_ports(void *arg, struct ss_admin_port *out, uint32_t max)
{
	struct ss_node *n = arg;
	uint32_t ports = ss_fleet_ports(n->fleet);
	const struct ss_model_process *p = &ss_apply_model(n->apply)->process;

	for (uint32_t i = 0; i < ports && i < max; i++) {
		struct ss_port_info f;
		ss_port_info(ss_fleet_port(n->fleet, i), &f);
		out[i] = (struct ss_admin_port){ .name = p->ports[i].name,
						 .device = p->ports[i].device,
						 .mtu = f.mtu,
						 .queues = f.queues,
						 .link_up = f.link_up,
						 .tx_ip_csum = f.tx_ip_csum,
						 .tx_tcp_csum = f.tx_tcp_csum,
						 .rx_csum = f.rx_csum,
						 .multi_segs = f.multi_segs,
						 .rss = f.rss,
						 .pool_size = f.pool_size,
						 .pool_held = f.pool_held };
		memcpy(out[i].driver, f.driver, sizeof(out[i].driver));
		memcpy(out[i].mac, f.mac, sizeof(out[i].mac));
	}
	return ports;
}

static void ask_flows(void *arg, uint32_t port, char *out, size_t size)
{
	struct ss_node *n = arg;

	if (port < ss_fleet_ports(n->fleet))
		ss_port_flows(ss_fleet_port(n->fleet, port), out, size);
}

static bool ask_secret(void *arg, uint32_t i, struct ss_secret_state *out)
{
	const struct ss_node *n = arg;

	return ss_build_secret(n->build, i, out);
}

static bool ask_pair(void *arg, uint32_t i, struct ss_admin_pair *out)
{
	const struct ss_node *n = arg;
	struct ss_tele_pair p;

	if (!n->tele || !ss_tele_pair(n->tele, i, &p))
		return false;
	*out = (struct ss_admin_pair){ .source = p.source, .cluster = p.cluster };
	memcpy(out->requests, p.requests, sizeof(out->requests));
	return true;
}

int ss_node_make_admin(struct ss_node *n)
{
	struct ss_admin_conf conf = { .socket = ss_apply_model(n->apply)->process.admin_socket,
				      .fd = n->admin_fd,
				      .base = ss_loop_base(n->loop),
				      .apply = n->apply,
				      .publish = n->publish,
				      .names = n->names,
				      .endpoints = n->endpoints,
				      .limits = n->limits,
				      .tele = n->tele,
				      .canary = n->canary,
				      .n_workers = ss_fleet_workers(n->fleet),
				      .counters = ss_fleet_counters(n->fleet),
				      .clock = &n->clock,
				      .ask = { .ports = ask_ports,
					       .flows = ask_flows,
					       .drain = ss_node_drain,
					       .secret = ask_secret,
					       .discovery = ss_node_ask_discovery,
					       .pair = ask_pair,
					       .arg = n } };
	int code = ss_admin_create(&n->admin, &conf);

	if (code == 0)
		n->admin_fd = -1;
	return code;
}

static bool ask_canary(void *arg, uint32_t i, struct ss_canary_state *out)
{
	const struct ss_node *n = arg;

	return ss_canary_state(n->canary, i, out);
}

static const struct ss_snapshot *ask_snapshot(void *arg)
{
	const struct ss_node *n = arg;

	return ss_publish_current(n->publish);
}

static uint32_t ask_live(void *arg)
{
	const struct ss_node *n = arg;

	return ss_publish_live(n->publish);
}

static bool ask_ready(void *arg)
{
	const struct ss_node *n = arg;
	const struct ss_snapshot *s = ss_publish_current(n->publish);

	return s && !n->draining && ss_publish_acknowledged(n->publish, s->generation);
}

static uint32_t ask_pools(void *arg, struct ss_tele_pool *out, uint32_t max)
{
	struct ss_node *n = arg;
	uint32_t ports = ss_fleet_ports(n->fleet);

	for (uint32_t i = 0; i < ports && i < max; i++) {
		struct ss_port_info f;
		ss_port_info(ss_fleet_port(n->fleet, i), &f);
		out[i] = (struct ss_tele_pool){ .name = ss_port_name(ss_fleet_port(n->fleet, i)),
						.size = f.pool_size,
						.used = f.pool_used };
	}
	return ports < max ? ports : max;
}

int ss_node_make_telemetry(struct ss_node *n, char *err, size_t err_n)
{
	const struct ss_model_process *p = &ss_apply_model(n->apply)->process;
	struct ss_tele_conf conf = { .loop = n->loop,
				     .version = SS_NODE_VERSION,
				     .node = p->node,
				     .metrics_address = p->metrics_address,
				     .metrics_port = (uint16_t)p->metrics_port,
				     .access_log = p->access_log,
				     .audit_log = p->audit_log,
				     .health_log = p->health_log,
				     .audit_allowed = p->audit_allowed,
				     .recent = p->recent_requests,
				     .policies = n->policies,
				     .n_workers = ss_fleet_workers(n->fleet),
				     .counters = ss_fleet_counters(n->fleet),
				     .events = ss_fleet_events(n->fleet),
				     .names = n->names,
				     .endpoints = n->endpoints,
				     .limits = n->limits,
				     .clock = &n->clock,
				     .ask = { .snapshot = ask_snapshot,
					      .live = ask_live,
					      .ready = ask_ready,
					      .pools = ask_pools,
					      .secret = ask_secret,
					      .discovery = ss_node_ask_discovery,
					      .canary = ask_canary,
					      .arg = n } };
	return ss_tele_create(&n->tele, &conf, err, err_n);
}
