/*
 * keep_bench.c - what the control thread does with a worker's record, no log being written: taken out of the ring and
 * counted by source; kept for "why --request"; looked at by a viewer. Each is with all before it but the other viewer.
 */
#include <string.h>

#include "perf/micro/micro.h"
#include "telemetry/tele_view.h"

#define RING 64u

struct desk {
	struct ss_event_ring *ring;
	struct ss_tele *t;
	struct ss_names *names;
	struct ss_clock clock;
	struct ss_counters *counters;
};

static void put(struct ss_event *ev, uint32_t *used, uint16_t *n, const char *text)
{
	ss_event_put(ev, used, n, text, (uint32_t)strlen(text));
}

static void fill(struct ss_event *ev)
{
	uint32_t used = 0;

	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = SS_EVENT_REQUEST;
	ev->status = 200;
	ev->cluster = 1;
	ev->duration_ns = 1200000;
	put(ev, &used, &ev->method_n, "GET");
	put(ev, &used, &ev->authority_n, "shop.example");
	put(ev, &used, &ev->path_n, "/cart/items/7?full=1");
	put(ev, &used, &ev->request_id_n, "0f8fad5b-d9cb-469f-a165-70867728950e");
	put(ev, &used, &ev->peer_n, "spiffe://mesh.local/ns/web/sa/front");
	put(ev, &used, &ev->trace_n, "0af7651916cd43dd8448eb211c80319c");
	put(ev, &used, &ev->user_agent_n, "curl/8.5.0");
}

/* A record's way: written as a worker writes it, taken as control takes it. */
static void pass(void *at, uint32_t n)
{
	struct desk *d = at;

	while (n) {
		for (uint32_t i = 0; i < RING && n; i++, n--) {
			fill(ss_event_reserve(d->ring));
			ss_event_commit(d->ring);
		}
		while (ss_tele_poll(d->t))
			;
	}
}

static bool make(struct desk *d, uint32_t recent)
{
	static struct ss_counters *counters[1];
	struct ss_tele_conf conf = { .n_workers = 1, .recent = recent, .names = d->names, .clock = &d->clock };
	char err[128];

	counters[0] = d->counters;
	conf.counters = counters;
	conf.events = &d->ring;
	return ss_tele_create(&d->t, &conf, err, sizeof(err)) == 0;
}

static void with_view(struct micro *m, struct desk *d, const char *name, const struct ss_tele_view_conf *conf)
{
	struct ss_tele_view *v;

	if (ss_tele_view_open(&v, d->t, conf) < 0)
		return;
	micro_run(m, name, pass, d);
	ss_tele_view_close(v);
}

void micro_items(struct micro *m)
{
	static const struct ss_tele_view_conf other = { .authority = "other.example" };
	static const struct ss_tele_view_conf table = { .kind = SS_TELE_TOP_SERVICES, .interval_ns = SS_NEVER };
	static struct ss_counters none SS_CACHE_ALIGNED;
	struct desk d = { .counters = &none };

	ss_clock_init(&d.clock, 0);
	d.names = ss_names_create(16);
	d.ring = ss_event_ring_create(RING);
	if (d.names && d.ring && make(&d, 0)) {
		micro_run(m, "record: taken, nobody asks", pass, &d);
		ss_tele_free(d.t);
	}
	if (d.names && d.ring && make(&d, 16384)) {
		micro_run(m, "record: kept for why", pass, &d);
		with_view(m, &d, "record: and a tap of another authority", &other);
		with_view(m, &d, "record: and top services", &table);
		ss_tele_free(d.t);
	}
	ss_event_ring_free(d.ring);
	ss_names_free(d.names);
}
