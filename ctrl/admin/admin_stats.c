/* admin_stats.c - counters, summed and per worker; latency; busy shares. */
#include <stdlib.h>

#include "admin/admin_int.h"

/* Levels of which workers' values do not add up: the largest is what an operator wants. */
static bool largest_counts(enum ss_counter k)
{
	return k == SS_C_TURN_MAX_NS || k == SS_C_SNAPSHOT_GENERATION || k == SS_C_TLS_RECORD_LAYER;
}

static void show_counter(struct ss_admin *a, struct ss_json *j, enum ss_counter k)
{
	uint64_t all = 0;
	ss_json_object(j, ss_counter_name(k));
	ss_json_list(j, "workers");
	for (uint32_t i = 0; i < a->conf.n_workers; i++) {
		uint64_t v = ss_counter_read(a->conf.counters[i], k);
		all = largest_counts(k) ? ss_max_u64(all, v) : all + v;
		ss_json_u64(j, NULL, v);
	}
	ss_json_end_list(j);
	ss_json_u64(j, "all", all);
	ss_json_end_object(j);
}

static void show_drop(struct ss_admin *a, struct ss_json *j, enum ss_drop d)
{
	uint64_t all = 0;
	ss_json_object(j, ss_drop_name(d));
	ss_json_list(j, "workers");
	for (uint32_t i = 0; i < a->conf.n_workers; i++) {
		uint64_t v = __atomic_load_n(&a->conf.counters[i]->drops[d], __ATOMIC_RELAXED);
		all += v;
		ss_json_u64(j, NULL, v);
	}
	ss_json_end_list(j);
	ss_json_u64(j, "all", all);
	ss_json_end_object(j);
}

static void show_latency(struct ss_admin *a, struct ss_json *j)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
	struct ss_hist *h = calloc(1, sizeof(*h));
	if (!h)
		return;
	for (uint32_t i = 0; i < a->conf.n_workers; i++)
		ss_hist_sum(h, &a->conf.counters[i]->request_ns);
	ss_json_object(j, "request_ns");
	ss_json_u64(j, "count", h->count);
	ss_json_u64(j, "mean", h->count ? h->sum / h->count : 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(quantiles); i++)
		ss_json_u64(j, quantiles[i].name, ss_hist_quantile(h, quantiles[i].q));
	ss_json_end_object(j);
	free(h);
}

void ss_admin_show_stats(struct ss_admin *a, struct ss_json *j)
{
	ss_json_object(j, "counters");
	for (int k = 0; k < SS_C_COUNT; k++)
		show_counter(a, j, (enum ss_counter)k);
	ss_json_end_object(j);
	ss_json_object(j, "drops");
	for (int d = 1; d < SS_DROP_COUNT; d++)
		show_drop(a, j, (enum ss_drop)d);
	ss_json_end_object(j);
	show_latency(a, j);
}

void ss_admin_sample(struct ss_admin *a, uint64_t now)
{
	if (a->sampled_ns && now - a->sampled_ns < SS_NS_PER_SEC)
		return;
	a->sampled_ns = now;
	for (uint32_t i = 0; i < a->conf.n_workers; i++) {
		a->before[i] = a->last[i];
		a->last[i].busy_ns = ss_counter_read(a->conf.counters[i], SS_C_BUSY_NS);
		a->last[i].idle_ns = ss_counter_read(a->conf.counters[i], SS_C_IDLE_NS);
	}
}

double ss_admin_busy(const struct ss_admin *a, uint32_t i)
{
	uint64_t busy = a->last[i].busy_ns - a->before[i].busy_ns;
	uint64_t idle = a->last[i].idle_ns - a->before[i].idle_ns;
	return busy + idle ? 100.0 * (double)busy / (double)(busy + idle) : 0;
}
