/* When probes begin, who begins them, and what a reload leaves. */
#include "health/hc_bed.h"

static void phases_are_spread_and_stay(void **state)
{
	uint32_t in[10] = {0};

	for (uint32_t slot = 0; slot < 20000; slot++) {
		uint64_t a = hc_next_at(the_seed, slot, 5 * S, 1000 * S, 1000 * S);
		assert_in_range(a, 1000 * S + 1, 1005 * S);
		in[(a - 1000 * S - 1) / (500 * MS)]++;
		/* A probe that began there and took a while is followed one interval later. */
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a, a + 3 * S), a + 5 * S);
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a + 400 * MS, a + S), a + 5 * S);
		/* One that took longer than the interval: at the next phase that is to come. */
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a, a + 11 * S), a + 15 * S);
	}
	for (uint32_t i = 0; i < 10; i++)
		assert_in_range(in[i], 1800, 2200);
}

static void without_traffic_they_are_few(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.no_traffic_ns = 60 * S;
	run_until(w, w->now + 300 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_in_range(w->probes[i], 5, 7);
	/* The first request: from the next phase on as told. */
	w->table->cluster[w->cluster.slot].asked = 1;
	w->does[0] = BAD_STATUS;
	assert_in_range(until_is(w, 0, false), 1, 10 * S + 2 * HC_TICK_NS);
	end(w);
}

static void a_turn_begins_no_more_than_its_share(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint64_t before;

	run_until(w, w->now + 6 * S);
	/* The worker was away for long: all are due at once. */
	w->now += 60 * S;
	before = w->counters->v[SS_C_HEALTH_PROBES];
	ss_health_run(w->h, &w->snap, &w->http->news, w->now);
	assert_in_range(w->counters->v[SS_C_HEALTH_PROBES] - before, 1, SS_HEALTH_BATCH);
	end(w);
}

/* Each endpoint falls to one of the workers. */
static void workers_share(void **state)
{
	struct world *w = start_with(SS_HEALTH_HTTP, 2);
	struct ss_health *other;
	struct ss_health_room room = w->h->conf;

	room.worker = 1;
	assert_int_equal(ss_health_create(&other, &room, w->now), 0);
	ss_health_adopt(other, &w->snap);
	run_until(w, w->now + SOON);
	ss_health_run(other, &w->snap, &w->http->news, w->now);
	assert_int_equal(ss_health_endpoints(w->h), EPS / 2);
	assert_int_equal(ss_health_endpoints(other), EPS / 2);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(healthy(w, i), w->eps[i].ep % 2 == 0);
	ss_health_stop(other);
	ss_health_free(other);
	end(w);
}

static void a_reload_keeps_states(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint32_t probes;

	w->conf.unhealthy_threshold = 3;
	run_until(w, w->now + 6 * S);
	w->does[1] = BAD_STATUS;
	until_is(w, 1, false);
	/* Every 100 ms a new generation: neither counts nor phases begin anew. */
	probes = w->probes[0];
	w->does[0] = BAD_STATUS;
	for (int i = 0; i < 160; i++) {
		w->snap.generation++;
		ss_health_adopt(w->h, &w->snap);
		run_until(w, w->now + 100 * MS);
		assert_false(healthy(w, 1));
	}
	assert_false(healthy(w, 0));
	assert_in_range(w->probes[0] - probes, 3, 5);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(w->opens[i], 1);
	end(w);
}

static void a_removed_endpoint_is_left(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint32_t probes;

	run_until(w, w->now + 6 * S);
	w->does[3] = HANG; /* its probe is under way */
	run_until(w, w->now + 5 * S);
	w->cluster.n_endpoints = EPS - 1;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_int_equal(ss_health_endpoints(w->h), EPS - 1);
	assert_int_equal(ss_health_conns(w->h), EPS - 1);
	probes = w->probes[3];
	/* Its slot becomes another endpoint's: nothing of the old one's is found there. */
	ss_ep_drop(w->table, w->eps[3].ep);
	run_until(w, w->now + 20 * S);
	assert_int_equal(w->probes[3], probes);
	end(w);
}

static void without_a_check_all_are_well(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	w->does[1] = BAD_STATUS;
	until_is(w, 1, false);
	w->cluster.health = NULL;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_true(healthy(w, 1));
	assert_int_equal(ss_health_endpoints(w->h), 0);
	assert_int_equal(w->table->cluster[w->cluster.slot].unhealthy, 0);
	end(w);
}

static void what_the_configuration_says_holds(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	w->eps[0].said = SS_EP_DRAINING;
	w->eps[1].said = SS_EP_SPARED;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + 20 * S);
	assert_false(healthy(w, 0)); /* whatever its probes say */
	assert_true(healthy(w, 1));
	assert_int_equal(w->table->ep[w->eps[1].ep].flags, SS_EP_SPARED);
	w->eps[0].said = w->eps[1].said = 0;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_true(healthy(w, 0));
	assert_int_equal(w->table->ep[w->eps[1].ep].flags, 0);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases_are_spread_and_stay),
		cmocka_unit_test(without_traffic_they_are_few),
		cmocka_unit_test(a_turn_begins_no_more_than_its_share),
		cmocka_unit_test(workers_share),
		cmocka_unit_test(a_reload_keeps_states),
		cmocka_unit_test(a_removed_endpoint_is_left),
		cmocka_unit_test(without_a_check_all_are_well),
		cmocka_unit_test(what_the_configuration_says_holds),
	};

	return HC_RUN(tests);
}
