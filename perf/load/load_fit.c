/* load_fit.c - what must fit together on a command line; each refusal names one option. */
#include "perf/load/load_opts_int.h"

static bool owned(const struct ss_load_opts *o, const struct ss_ip *ip)
{
	for (uint32_t i = 0; i < o->n_ports; i++)
		for (uint32_t k = 0; k < o->ports[i].n_addrs; k++)
			if (ss_ip_eq(&o->ports[i].addrs[k].ip, ip))
				return true;
	return false;
}

static int check_client(struct ss_load_parse *p)
{
	const struct ss_load_opts *o = p->o;

	p->name = "target";
	if (!o->client)
		return o->n_listen ? 0 : ss_load_bad(p, "or --listen: there is nothing to do without");
	if (owned(o, &o->target.ip))
		return ss_load_bad(p, "is one of our own addresses; a process does not talk to itself");
	p->name = "tls";
	if (o->tls && (!o->ca || (!o->sni && !o->server_id)))
		return ss_load_bad(p, "needs --ca, and --sni or --server-id: the server is always verified");
	if (!o->tls && (o->ca || o->cert || o->key || o->sni || o->server_id))
		return ss_load_bad(p, "is missing, but --ca, --cert, --key, --sni or --server-id is given");
	p->name = "resume";
	if (o->resume && !o->tls)
		return ss_load_bad(p, "is about TLS, and --tls is not given");
	p->name = "cert";
	if (!o->cert != !o->key)
		return ss_load_bad(p, "and --key go together");
	p->name = "streams";
	if (o->streams > 1 && o->proto == SS_PROTO_H1)
		return ss_load_bad(p, "h1 carries one request at a time");
	p->name = "connections";
	if (o->connections + o->idle == 0)
		return ss_load_bad(p, "none, and no --idle: there is nothing to do");
	return 0;
}

static int check_origin(struct ss_load_parse *p)
{
	const struct ss_load_opts *o = p->o;
	double sum = 0;

	for (uint32_t i = 0; i < o->n_listen; i++) {
		p->name = o->listen[i].tls ? "listen-tls" : "listen";
		if (!owned(o, &o->listen[i].addr.ip))
			return ss_load_bad(p, "no --address has that IP");
		if (o->listen[i].tls && (!o->origin_cert || !o->origin_key))
			return ss_load_bad(p, "needs --origin-cert and --origin-key");
	}
	p->name = "delay";
	for (uint32_t i = 0; i < o->delays.n; i++)
		sum += o->delays.v[i].share;
	return sum > 1.000001 ? ss_load_bad(p, "the shares are more than all requests") : 0;
}

int ss_load_opts_fit(struct ss_load_parse *p)
{
	const struct ss_load_opts *o = p->o;

	p->name = "port";
	if (!o->n_ports)
		return ss_load_bad(p, "is needed");
	p->name = "address";
	for (uint32_t i = 0; i < o->n_ports; i++)
		if (!o->ports[i].n_addrs)
			return ss_load_bad(p, "port %s has none", o->ports[i].device);
	return check_client(p) < 0 ? SS_ERR_CONFIG : check_origin(p);
}
