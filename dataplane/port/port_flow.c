/*
 * port_flow.c - rte_flow rules for the addresses we serve, where the driver takes them.
 *
 * Without rules nothing is lost: workers sort packets themselves. So a refusal is kept, in the driver's own
 * words, for whoever asks.
 */
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <stdio.h>
#include <string.h>

#include "port/port_int.h"

static struct rte_flow *create(struct ss_port *p, const struct ss_addr *a, struct rte_flow_error *error)
{
	uint16_t queues[SS_MAX_WORKERS];
	struct rte_flow_attr attr = { .ingress = 1 };
	struct rte_flow_item_ipv4 ip = { 0 }, ip_mask = { 0 };
	struct rte_flow_item_tcp tcp = { 0 }, tcp_mask = { 0 };
	struct rte_flow_action_queue one = { .index = 0 };
	struct rte_flow_action_rss spread = { .func = RTE_ETH_HASH_FUNCTION_DEFAULT,
					      .types = p->rss_hf,
					      .queue_num = p->queues,
					      .queue = queues };

	memcpy(&ip.hdr.dst_addr, a->ip.b, 4);
	memset(&ip_mask.hdr.dst_addr, 0xff, 4);
	tcp.hdr.dst_port = rte_cpu_to_be_16(a->port);
	tcp_mask.hdr.dst_port = a->port ? 0xffff : 0;
	for (uint16_t i = 0; i < p->queues; i++)
		queues[i] = i;
	const struct rte_flow_item items[] = {
		{ .type = RTE_FLOW_ITEM_TYPE_ETH },
		{ .type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip, .mask = &ip_mask },
		{ .type = RTE_FLOW_ITEM_TYPE_TCP, .spec = &tcp, .mask = &tcp_mask },
		{ .type = RTE_FLOW_ITEM_TYPE_END },
	};
	const struct rte_flow_action actions[] = {
		{ .type = p->queues > 1 ? RTE_FLOW_ACTION_TYPE_RSS : RTE_FLOW_ACTION_TYPE_QUEUE,
		  .conf = p->queues > 1 ? (const void *)&spread : (const void *)&one },
		{ .type = RTE_FLOW_ACTION_TYPE_END },
	};
	if (rte_flow_validate(p->dev, &attr, items, actions, error) < 0)
		return NULL;
	return rte_flow_create(p->dev, &attr, items, actions, error);
}

int ss_port_flows_set(struct ss_port *p, const struct ss_addr *addrs, uint16_t n)
{
	int rc = 0;

	ss_port_flows_clear(p);
	for (uint16_t i = 0; i < n && i < SS_PORT_FLOWS; i++) {
		struct rte_flow_error error = { 0 };
		struct port_flow *f = &p->flows[p->n_flows];
		if (addrs[i].ip.family != 4)
			continue;
		f->addr = addrs[i];
		f->rule = create(p, &addrs[i], &error);
		p->n_flows++;
		if (f->rule)
			continue;
		snprintf(p->flow_error, sizeof(p->flow_error), "%s", error.message ? error.message : "no reason given");
		rc = SS_ERR_REFUSED;
	}
	return rc;
}

void ss_port_flows_clear(struct ss_port *p)
{
	struct rte_flow_error error;

	for (uint16_t i = 0; i < p->n_flows; i++)
		if (p->flows[i].rule)
			rte_flow_destroy(p->dev, p->flows[i].rule, &error);
	p->n_flows = 0;
	p->flow_error[0] = 0;
}

size_t ss_port_flows(const struct ss_port *p, char *buf, size_t n)
{
	size_t at = 0;

	if (n)
		buf[0] = 0;
	for (uint16_t i = 0; i < p->n_flows && at < n; i++) {
		char addr[SS_ADDR_TEXT];
		const struct port_flow *f = &p->flows[i];
		int len = f->rule ? snprintf(buf + at, n - at, "%s: tcp to %s: queues 0-%u\n", p->name,
					     ss_addr_text(&f->addr, addr), p->queues - 1)
				  : snprintf(buf + at, n - at, "%s: tcp to %s: refused by %s: %s\n", p->name,
					     ss_addr_text(&f->addr, addr), p->driver, p->flow_error);
		at += len > 0 ? (size_t)len : 0;
	}
	return ss_min_u64(at, n ? n - 1 : 0);
}
