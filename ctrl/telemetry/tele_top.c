/*
 * tele_top.c - requests of an interval, by who got or sent them: rate, errors, times.
 *
 * A row is made when its first request ends, and all are gone with the interval; what has no row is counted as "others".
 * Endpoints and clusters that are not well have a row also without a request: that is when they are looked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"
#include "telemetry/tele_int.h"

int ss_tele_top_create(struct tele_top **out, const struct ss_tele *t, uint64_t now)
{
	struct tele_top *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return SS_ERR_NO_MEM;
	p->began = now;
	for (uint32_t i = 0; i < t->conf.n_workers; i++)
		p->lost += ss_counter_read(t->conf.counters[i], SS_C_EVENTS_LOST);
	return 0;
}

void ss_tele_top_free(struct tele_top *p)
{
	for (uint32_t i = 0; p && i < TELE_TOP_ROWS; i++)
		free(p->row[i].hist);
	free(p);
}

/* ---- rows ---- */

static uint32_t spread(uint32_t name, const struct ss_addr *a)
{
	const struct ss_sipkey key = { { 0x746f70, (uint64_t)name << 16 | a->port } };

	return (uint32_t)ss_siphash(&key, &a->ip, sizeof(a->ip)) % TELE_TOP_TABLE;
}

/* The row, made when there is none; NULL: all are taken. */
static struct tele_top_row *row_of(struct tele_top *p, uint32_t name, const struct ss_addr *addr)
{
	uint32_t at = spread(name, addr);
	struct tele_top_row *r;

	for (; p->table[at]; at = (at + 1) % TELE_TOP_TABLE) {
		r = &p->row[p->table[at] - 1];
		if (r->name == name && r->addr.port == addr->port && ss_ip_eq(&r->addr.ip, &addr->ip))
			return r;
	}
	if (p->n == TELE_TOP_ROWS)
		return NULL;
	r = &p->row[p->n];
	if (!r->hist && !(r->hist = malloc(sizeof(*r->hist))))
		return NULL;
	memset(r->hist, 0, sizeof(*r->hist));
	*r = (struct tele_top_row){ .name = name, .addr = *addr, .hist = r->hist };
	p->table[at] = (uint16_t)++p->n;
	return r;
}

void ss_tele_top_count(struct tele_top *p, enum ss_tele_view_kind kind, const struct ss_event *ev)
{
	static const struct ss_addr none;
	bool failed = ev->status >= 500 || ev->status == 0;
	struct tele_top_row *r;

	if (kind == SS_TELE_TOP_ENDPOINTS && !ev->upstream.ip.family)
		return; /* no endpoint had a part in it */
	r = row_of(p, kind == SS_TELE_TOP_CONNECTIONS ? ev->listener : ev->cluster,
		   kind == SS_TELE_TOP_SERVICES	   ? &none
		   : kind == SS_TELE_TOP_ENDPOINTS ? &ev->upstream
						   : &ev->downstream);
	if (!r)
		r = &p->others;
	r->requests++;
	r->errors += failed;
	r->refused += ev->drop && !failed;
	r->bytes_in += ev->bytes_in;
	r->bytes_out += ev->bytes_out;
	r->protocol = ev->protocol;
	r->tls = ev->tls;
	if (!r->hist)
		return;
	ss_hist_add(r->hist, ev->duration_ns);
	if (!r->peer_n && kind == SS_TELE_TOP_CONNECTIONS) {
		r->peer_n = (uint8_t)ss_min_u32(ev->peer_n, sizeof(r->peer));
		memcpy(r->peer, ev->text + ev->method_n + ev->authority_n + ev->path_n + ev->request_id_n, r->peer_n);
	}
}

/* ---- health ---- */

static uint32_t ejected_now(const struct ss_ep *e, uint64_t now)
{
	return atomic_load_explicit(&e->ejected_until, memory_order_relaxed) > now;
}

static bool well(const struct ss_tele *t, const struct ss_endpoint *e, uint64_t now)
{
	const struct ss_ep *ep = &t->conf.endpoints->ep[e->ep];

	return !ejected_now(ep, now) && !(atomic_load_explicit(&ep->flags, memory_order_relaxed) & SS_EP_DOWN);
}

static void note_cluster(struct tele_top *p, const struct ss_tele *t, const struct ss_cluster *c)
{
	static const struct ss_addr none;
	const struct ss_ep_cluster *e = &t->conf.endpoints->cluster[c->slot];
	uint32_t ejected = atomic_load_explicit(&e->ejected, memory_order_relaxed);
	uint32_t unhealthy = atomic_load_explicit(&e->unhealthy, memory_order_relaxed);
	bool asked = false;
	struct tele_top_row *r;

	for (uint32_t i = 0; i < p->n && !asked; i++)
		asked = p->row[i].name == c->name;
	r = asked || ejected || unhealthy ? row_of(p, c->name, &none) : NULL;
	if (!r)
		return;
	r->known = true;
	r->endpoints = c->n_endpoints;
	r->ejected = ejected;
	r->unhealthy = unhealthy;
}

static void note_endpoint(struct tele_top *p, const struct ss_tele *t, const struct ss_cluster *c, const struct ss_endpoint *e,
			  uint64_t now)
{
	const struct ss_ep *ep = &t->conf.endpoints->ep[e->ep];
	struct tele_top_row *r;

	/* Which of the well ones had requests is in the rows; looking is one step of a table. */
	if (well(t, e, now) && !atomic_load_explicit(&ep->requests, memory_order_relaxed))
		return;
	for (uint32_t at = spread(c->name, &e->addr);; at = (at + 1) % TELE_TOP_TABLE) {
		r = p->table[at] ? &p->row[p->table[at] - 1] : NULL;
		if (!r || (r->name == c->name && r->addr.port == e->addr.port && ss_ip_eq(&r->addr.ip, &e->addr.ip)))
			break;
	}
	if (!r && !well(t, e, now))
		r = row_of(p, c->name, &e->addr);
	if (!r)
		return;
	r->known = true;
	r->ejected = ejected_now(ep, now);
	r->unhealthy = (atomic_load_explicit(&ep->flags, memory_order_relaxed) & SS_EP_DOWN) != 0;
	r->ejections = atomic_load_explicit(&ep->ejections, memory_order_relaxed);
	r->active = atomic_load_explicit(&ep->active, memory_order_relaxed);
}

static void note_health(struct tele_top *p, enum ss_tele_view_kind kind, const struct ss_tele *t, const struct ss_snapshot *s,
			uint64_t now)
{
	for (uint32_t i = 0; s && kind != SS_TELE_TOP_CONNECTIONS && i < s->n_clusters; i++) {
		const struct ss_cluster *c = &s->clusters[i];
		if (kind == SS_TELE_TOP_SERVICES)
			note_cluster(p, t, c);
		for (uint32_t k = 0; kind == SS_TELE_TOP_ENDPOINTS && k < c->n_endpoints; k++)
			note_endpoint(p, t, c, &c->endpoints[k], now);
	}
}

/* ---- the table ---- */

static void put_counts(struct ss_json *j, const struct tele_top_row *r, double seconds)
{
	ss_json_u64(j, "requests", r->requests);
	ss_json_double(j, "rate", (double)r->requests / seconds, 1);
	ss_json_u64(j, "errors", r->errors);
	ss_json_double(j, "error_percent", r->requests ? 100.0 * (double)r->errors / (double)r->requests : 0, 2);
	ss_json_u64(j, "refused", r->refused);
	if (!r->hist || !r->requests)
		return;
	ss_json_double(j, "p50_us", (double)ss_hist_quantile(r->hist, 0.5) / SS_NS_PER_US, 1);
	ss_json_double(j, "p95_us", (double)ss_hist_quantile(r->hist, 0.95) / SS_NS_PER_US, 1);
	ss_json_double(j, "p99_us", (double)ss_hist_quantile(r->hist, 0.99) / SS_NS_PER_US, 1);
}

static void put_row(struct ss_json *j, enum ss_tele_view_kind kind, const struct ss_tele *t, const struct tele_top_row *r,
		    double seconds)
{
	static const char *const tls[] = { "none", "tls", "mutual" };
	char text[SS_ADDR_TEXT];

	ss_json_object(j, NULL);
	ss_json_text(j, kind == SS_TELE_TOP_CONNECTIONS ? "listener" : "cluster", ss_names_text(t->conf.names, r->name));
	if (kind != SS_TELE_TOP_SERVICES)
		ss_json_text(j, "address", ss_addr_text(&r->addr, text));
	put_counts(j, r, seconds);
	if (kind == SS_TELE_TOP_CONNECTIONS) {
		if (r->peer_n)
			ss_json_span(j, "peer", ss_span(r->peer, r->peer_n));
		ss_json_text(j, "tls", r->tls < SS_ARRAY_LEN(tls) ? tls[r->tls] : "none");
		ss_json_text(j, "protocol", r->protocol == 2 ? "HTTP/2" : "HTTP/1.1");
		ss_json_u64(j, "bytes_in", r->bytes_in);
		ss_json_u64(j, "bytes_out", r->bytes_out);
	}
	if (r->known && kind == SS_TELE_TOP_SERVICES)
		ss_json_u64(j, "endpoints", r->endpoints);
	if (r->known) {
		ss_json_u64(j, "ejected", r->ejected);
		ss_json_u64(j, "unhealthy", r->unhealthy);
	}
	if (r->known && kind == SS_TELE_TOP_ENDPOINTS) {
		ss_json_u64(j, "ejections", r->ejections);
		ss_json_u64(j, "active", r->active);
	}
	ss_json_end_object(j);
}

static uint64_t lost_since(struct tele_top *p, const struct ss_tele *t)
{
	uint64_t all = 0, before = p->lost;

	for (uint32_t i = 0; i < t->conf.n_workers; i++)
		all += ss_counter_read(t->conf.counters[i], SS_C_EVENTS_LOST);
	p->lost = all;
	return all - before;
}

char *ss_tele_top_close(struct tele_top *p, enum ss_tele_view_kind kind, const struct ss_tele *t, const struct ss_snapshot *s,
			uint64_t now)
{
	static const char *const names[] = { "tap", "services", "endpoints", "connections" };
	double seconds = (double)(now - p->began) / SS_NS_PER_SEC;
	uint64_t lost = lost_since(p, t);
	struct ss_json j;

	note_health(p, kind, t, s, now);
	ss_json_open(&j);
	ss_json_text(&j, "of", names[kind]);
	ss_json_double(&j, "seconds", seconds, 3);
	ss_json_u64(&j, "lost", lost);
	ss_json_list(&j, "rows");
	for (uint32_t i = 0; i < p->n; i++)
		put_row(&j, kind, t, &p->row[i], seconds);
	ss_json_end_list(&j);
	ss_json_object(&j, "others");
	put_counts(&j, &p->others, seconds);
	ss_json_end_object(&j);
	p->n = 0;
	p->others = (struct tele_top_row){ 0 };
	memset(p->table, 0, sizeof(p->table));
	p->began = now;
	return ss_json_close(&j);
}
