/* admin_stages.c - the stage ledger's totals since the start, of every worker. Who asks twice has an interval. */
#include "admin/admin_int.h"

/* Names inside the answer, counters behind them: of all turns, and of sampled ones. */
struct total {
	const char *name;
	enum ss_counter counter;
};

static const struct total all_turns[] = {
	{ "turns", SS_C_BUSY_TURNS },	     { "busy_ns", SS_C_BUSY_NS },
	{ "idle_ns", SS_C_IDLE_NS },	     { "requests", SS_C_REQUESTS },
	{ "packets_received", SS_C_RX_PACKETS }, { "packets_sent", SS_C_TX_PACKETS },
};

static const struct total sampled_turns[] = {
	{ "turns", SS_C_SAMPLED_TURNS },
	{ "busy_ns", SS_C_SAMPLED_BUSY_NS },
	{ "marks_ns", SS_C_SAMPLED_MARKS_NS },
	{ "requests", SS_C_SAMPLED_REQUESTS },
	{ "packets_received", SS_C_SAMPLED_RX_PACKETS },
	{ "packets_sent", SS_C_SAMPLED_TX_PACKETS },
};

static void show_totals(struct ss_json *j, const struct ss_counters *c, const struct total *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ss_json_u64(j, t[i].name, ss_counter_read(c, t[i].counter));
}

static void show_worker(struct ss_json *j, const struct ss_counters *c)
{
	show_totals(j, c, all_turns, SS_ARRAY_LEN(all_turns));
	ss_json_object(j, "sampled");
	show_totals(j, c, sampled_turns, SS_ARRAY_LEN(sampled_turns));
	ss_json_end_object(j);
	ss_json_list(j, "stages");
	for (int s = 0; s < SS_STAGE_COUNT; s++) {
		ss_json_object(j, NULL);
		ss_json_text(j, "stage", ss_stage_name((enum ss_stage)s));
		ss_json_u64(j, "sampled_ns", ss_ledger_read(&c->ledger.ns[s]));
		ss_json_u64(j, "all_ns", ss_ledger_read(&c->ledger.all_ns[s]));
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

void ss_admin_show_stages(struct ss_admin *a, struct ss_json *j)
{
	ss_json_u64(j, "sampling", ss_apply_model(a->conf.apply)->process.stage_sampling);
	ss_json_u64(j, "time_ns", ss_clock_ns(a->conf.clock));
	ss_json_list(j, "workers");
	for (uint32_t i = 0; i < a->conf.n_workers; i++) {
		ss_json_object(j, NULL);
		ss_json_u64(j, "worker", i);
		show_worker(j, a->conf.counters[i]);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}
