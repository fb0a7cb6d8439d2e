/*
 * disco_dns.c - endpoints from the DNS: addresses of a name, or the hosts and ports of a service (RFC 2782).
 *
 * c-ares asks, over UDP and, where an answer does not fit, over TCP; its sockets are watched by the control thread's loop. What
 * it brings is read by lib/wire/dns, which has the times to live. A look is one answer: all its questions, or a failure.
 */
#define CARES_NO_DEPRECATED 1 /* later versions have other names for what 1.18 has */
#include <ares.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"
#include "discovery/disco_int.h"
#include "wire/dns.h"

#define TRY_MS 1000
#define TRIES 3
#define TICK_NS (100 * SS_NS_PER_MS)
#define SOCKETS 16u
#define RECORDS 1024u
#define TARGETS 64u

struct disco_dns {
	struct disco_source *s;
	ares_channel channel;
	struct ss_loop_event *tick; /* while questions are out: their times */
	struct {
		struct event *event; /* NULL: free */
		int fd;
	} sockets[SOCKETS];
	uint32_t n_asked;      /* questions without an answer */
	uint32_t ttl;          /* seconds, the least of all answers */
	char failed[256];      /* why there will be no good answer; empty: there may be */
	uint32_t n_records;    /* endpoints so far */
	struct ss_dns_record record[RECORDS]; /* with ip and port, whatever was asked */
	uint32_t n_targets;
	struct target {
		struct disco_dns *q;
		struct ss_dns_record srv;
		bool six; /* it has no IPv4 address: asked for the other ones */
	} target[TARGETS];
};

/* -- sockets and time, as c-ares wants them -- */

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct disco_dns *q = arg;

	ares_process_fd(q->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
}

static void on_tick(void *arg)
{
	struct disco_dns *q = arg;

	ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void socket_wants(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct disco_dns *q = arg;
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	uint32_t i = 0, room = SOCKETS;

	for (; i < SOCKETS && (!q->sockets[i].event || q->sockets[i].fd != fd); i++)
		if (!q->sockets[i].event)
			room = i;
	if (i < SOCKETS) {
		event_free(q->sockets[i].event);
		q->sockets[i].event = NULL;
	} else {
		i = room;
	}
	/* Without a place or memory the question runs out of time. */
	if ((!readable && !writable) || i == SOCKETS)
		return;
	q->sockets[i].fd = fd;
	q->sockets[i].event = event_new(ss_loop_base(q->s->d->conf.loop), fd, what, on_socket, q);
	if (q->sockets[i].event)
		event_add(q->sockets[i].event, NULL);
}

/* -- the answer -- */

/* Servers turn the order about: the same endpoints are the same answer. */
static int by_address(const void *x, const void *y)
{
	const struct ss_dns_record *a = x, *b = y;
	int c = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	return c ? c : (int)a->port - (int)b->port;
}

/* A service's priorities are any numbers; ours are ranks. */
static uint32_t rank_of(const struct disco_dns *q, uint32_t i)
{
	uint32_t rank = 0;

	for (uint32_t k = 0; k < q->n_targets; k++) {
		uint16_t before = q->target[k].srv.priority;
		bool first = before < q->record[i].priority;
		for (uint32_t j = 0; first && j < k; j++)
			first = q->target[j].srv.priority != before;
		rank += first;
	}
	return rank;
}

/* Into 1 to 1000, the ratios kept as well as that goes. RFC 2782: 0 is a very small chance. */
static uint32_t weight_of(const struct disco_dns *q, uint32_t i)
{
	uint32_t most = 1;

	for (uint32_t k = 0; k < q->n_records; k++)
		most = ss_max_u32(most, q->record[k].weight);
	return ss_max_u32(most > 1000 ? q->record[i].weight * 1000u / most : q->record[i].weight, 1);
}

static void hash_of(const struct ss_model_cluster *k, char hash[17])
{
	struct ss_sipkey key = {{0, 0}};

	for (uint32_t i = 0; i < k->n_endpoints; i++) {
		const struct ss_model_endpoint *e = &k->endpoints[i];
		uint32_t v[8] = {e->weight, e->priority, e->addr.port, e->addr.ip.family};
		memcpy(&v[4], e->addr.ip.b, sizeof(e->addr.ip.b));
		key.k[0] = ss_siphash(&key, v, sizeof(v));
	}
	snprintf(hash, 17, "%016llx", (unsigned long long)key.k[0]);
}

static struct ss_model *answer_of(struct disco_dns *q)
{
	const struct ss_model_cluster *of = q->s->cluster;
	struct ss_model *m = ss_model_new();
	struct ss_model_cluster *k = m ? ss_model_alloc(m, sizeof(*k)) : NULL;
	struct ss_model_endpoint *e = k ? ss_model_alloc(m, q->n_records * sizeof(*e)) : NULL;
	char *from = e ? ss_model_text(m, of->discovery.name) : NULL;

	if (!from) {
		if (m)
			ss_model_free(m);
		return NULL;
	}
	qsort(q->record, q->n_records, sizeof(*q->record), by_address);
	k->endpoints = e;
	for (uint32_t i = 0; i < q->n_records; i++) {
		if (i && by_address(&q->record[i - 1], &q->record[i]) == 0)
			continue; /* two names of one host */
		e[k->n_endpoints++] = (struct ss_model_endpoint){
			.src = {from, 0},
			.addr = {.ip = q->record[i].ip, .port = q->record[i].port},
			.weight = weight_of(q, i),
			.priority = rank_of(q, i)};
	}
	m->clusters = k;
	m->n_clusters = 1;
	hash_of(k, m->hash);
	return m;
}

static void finish(struct disco_dns *q)
{
	const struct ss_model_discovery *conf = &q->s->cluster->discovery;
	uint64_t now = ss_clock_ns(q->s->d->conf.clock), wait = conf->failure_refresh_ns;
	struct ss_model *answer = NULL;

	ss_loop_end(q->tick);
	q->tick = NULL;
	if (!q->failed[0] && !q->n_records)
		snprintf(q->failed, sizeof(q->failed), "%s: the answer has no endpoints", conf->name);
	if (!q->failed[0] && !(answer = answer_of(q)))
		snprintf(q->failed, sizeof(q->failed), "no memory");
	if (answer) {
		wait = conf->respect_ttl ? (uint64_t)q->ttl * SS_NS_PER_SEC : conf->refresh_ns;
		wait = ss_max_u64(wait, conf->min_refresh_ns);
		disco_answer(q->s, answer, now);
	} else {
		disco_failed(q->s, q->failed, now);
	}
	disco_want(q->s, now + wait);
}

static void answered(struct disco_dns *q)
{
	if (--q->n_asked == 0)
		finish(q);
}

static void fail(struct disco_dns *q, const char *name, const char *why)
{
	if (!q->failed[0])
		snprintf(q->failed, sizeof(q->failed), "%s: %s", name, why);
}

/* Reads what came for a question. How many records there are; negative: none, and why is noted. */
static int read_answer(struct disco_dns *q, const char *name, enum ss_dns_type type, int status, const uint8_t *p, int n,
		       struct ss_dns_record *out, uint32_t room)
{
	uint32_t ttl;
	int found;

	if (status != ARES_SUCCESS) {
		fail(q, name, ares_strerror(status));
		return SS_ERR_CONFIG;
	}
	found = ss_dns_answer(p, (uint32_t)n, type, out, room, &ttl);
	if (found < 0)
		fail(q, name, "the answer cannot be read");
	else if ((uint32_t)found > room)
		fail(q, name, "the answer has too many records");
	else
		q->ttl = ss_min_u32(q->ttl, ttl);
	return q->failed[0] ? SS_ERR_CONFIG : found;
}

static bool ends(int status)
{
	return status == ARES_EDESTRUCTION || status == ARES_ECANCELLED;
}

static void on_target(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct target *t = arg;
	struct disco_dns *q = t->q;
	struct ss_dns_record *out = &q->record[q->n_records];
	int found;

	if (ends(status))
		return;
	if (status == ARES_ENODATA && !t->six) {
		t->six = true;
		ares_query(q->channel, t->srv.target, 1, SS_DNS_AAAA, on_target, t);
		return;
	}
	found = read_answer(q, t->srv.target, t->six ? SS_DNS_AAAA : SS_DNS_A, status, p, n, out, RECORDS - q->n_records);
	for (int i = 0; i < found; i++) {
		out[i].priority = t->srv.priority;
		out[i].weight = t->srv.weight;
		out[i].port = t->srv.port;
	}
	q->n_records += found > 0 ? (uint32_t)found : 0;
	answered(q);
}

static void on_service(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct disco_dns *q = arg;
	struct ss_dns_record *srv = q->record + RECORDS - TARGETS; /* nobody needs that end yet */
	int found;

	if (ends(status))
		return;
	found = read_answer(q, q->s->cluster->discovery.name, SS_DNS_SRV, status, p, n, srv, TARGETS);
	for (int i = 0; i < found; i++)
		if (srv[i].target[0] && srv[i].port)
			q->target[q->n_targets++] = (struct target){.q = q, .srv = srv[i]};
	q->n_asked += q->n_targets;
	for (uint32_t i = 0; i < q->n_targets; i++)
		ares_query(q->channel, q->target[i].srv.target, 1, SS_DNS_A, on_target, &q->target[i]);
	answered(q);
}

static void on_address(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct disco_dns *q = arg;
	const struct ss_model_discovery *conf = &q->s->cluster->discovery;
	int found;

	if (ends(status))
		return;
	found = read_answer(q, conf->name, conf->record == SS_DISCOVERY_A ? SS_DNS_A : SS_DNS_AAAA, status, p, n, q->record,
			    RECORDS);
	for (int i = 0; i < found; i++) {
		q->record[i].port = (uint16_t)conf->port;
		q->record[i].weight = 1;
	}
	q->n_records = found > 0 ? (uint32_t)found : 0;
	answered(q);
}

/* -- the door -- */

static bool open_channel(struct disco_dns *q)
{
	const struct ss_model_discovery *conf = &q->s->cluster->discovery;
	struct ares_options o = {.flags = ARES_FLAG_NOSEARCH, .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = socket_wants,
				 .sock_state_cb_data = q};
	char servers[1024] = "";
	size_t used = 0;

	if (ares_init_options(&q->channel, &o, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
	    ARES_SUCCESS)
		return false;
	for (uint32_t i = 0; i < conf->n_resolvers && used < sizeof(servers); i++)
		used += (size_t)snprintf(servers + used, sizeof(servers) - used, "%s%s", i ? "," : "", conf->resolvers[i]);
	if (!used || (used < sizeof(servers) && ares_set_servers_ports_csv(q->channel, servers) == ARES_SUCCESS))
		return true;
	ares_destroy(q->channel);
	return false;
}

/* Servers may have changed since the last look (resolv.conf): each has a channel of its own. */
static void close_channel(struct disco_dns *q)
{
	if (q->channel)
		ares_destroy(q->channel);
	q->channel = NULL;
	for (uint32_t i = 0; i < SOCKETS; i++)
		if (q->sockets[i].event)
			event_free(q->sockets[i].event);
	memset(q->sockets, 0, sizeof(q->sockets));
}

void disco_dns_look(struct disco_source *s, uint64_t now)
{
	const struct ss_model_discovery *conf = &s->cluster->discovery;
	struct disco_dns *q = s->dns ? s->dns : calloc(1, sizeof(*q));

	s->due = SS_NEVER;
	if (q && q->n_asked)
		return; /* it is under way */
	s->dns = q;
	if (q) {
		close_channel(q);
		q->s = s;
		q->n_records = q->n_targets = 0;
		q->ttl = UINT32_MAX;
		q->failed[0] = '\0';
		q->tick = ss_loop_every(s->d->conf.loop, TICK_NS, on_tick, q);
	}
	if (!q || !q->tick || !open_channel(q)) {
		if (q)
			ss_loop_end(q->tick);
		disco_failed(s, "the resolver cannot be set up: no memory, or no server that it understands", now);
		disco_want(s, now + conf->failure_refresh_ns);
		return;
	}
	q->n_asked = 1;
	if (conf->record == SS_DISCOVERY_SRV)
		ares_query(q->channel, conf->name, 1, SS_DNS_SRV, on_service, q);
	else
		ares_query(q->channel, conf->name, 1, conf->record == SS_DISCOVERY_A ? SS_DNS_A : SS_DNS_AAAA, on_address, q);
}

void disco_dns_free(struct disco_dns *q)
{
	if (!q)
		return;
	close_channel(q);
	ss_loop_end(q->tick);
	free(q);
}
