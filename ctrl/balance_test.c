/* balance_test.c - what each policy promises, of clusters as the product builds them. */
#include "ctrl/balance_sim.h"

#include <math.h>

#include "base/rng.h"

static const enum ss_lb policies[] = {SS_LB_ROUND_ROBIN, SS_LB_LEAST_REQUEST, SS_LB_PEAK_EWMA,
				      SS_LB_RANDOM,      SS_LB_MAGLEV,        SS_LB_RING_HASH};

/* -- turns -- */

static void workers_begin_elsewhere(void **state)
{
	for (int weights = 0; weights < 2; weights++) {
		struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 8);
		for (uint32_t i = 0; i < 8; i++)
			b->k->endpoints[i].weight = weights ? 2 + i % 2 : 1;
		bed_publish(b);
		for (uint32_t w = 0; w < BED_WORKERS; w++) {
			uint32_t first = bed_pick(b, w, NULL);
			assert_in_range(first, 2 * w, 2 * w + 1);
		}
		bed_end(b);
	}
}

static void rotation_is_exact(void **state)
{
	struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 7);
	uint32_t hits[7] = {0};

	bed_publish(b);
	for (uint32_t i = 0; i < 700; i++)
		hits[bed_pick(b, 1, NULL)]++;
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(hits[i], 100);
	bed_end(b);
}

/* Deadlines: no endpoint is ever more than two turns off its share. */
static void weights_are_turns(void **state)
{
	static const uint32_t weight[] = {1, 2, 5, 1000, 3};
	struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 0);
	uint32_t hits[5] = {0}, n = 0, sum = 0;

	for (uint32_t i = 0; i < 5; i++, sum += weight[i - 1])
		bed_endpoint(b, i, weight[i]);
	bed_publish(b);
	for (n = 1; n <= 100000; n++) {
		hits[bed_pick(b, 0, NULL)]++;
		for (uint32_t i = 0; i < 5; i++) {
			double share = (double)n * weight[i] / sum;
			if (hits[i] > share + 2 || hits[i] < share - (weight[i] == 1000 ? 6 : 2))
				fail_msg("weight %u: %u of %u picks", weight[i], hits[i], n);
		}
	}
	bed_end(b);
}

static void least_request_heeds_weights(void **state)
{
	struct bed *b = bed_start(SS_LB_LEAST_REQUEST, 0);
	struct ss_up_wait held[100] = {0};
	uint32_t hits[3] = {0};

	for (uint32_t i = 0; i < 3; i++)
		bed_endpoint(b, i, 1u << i);
	bed_publish(b);
	for (uint32_t i = 0; i < 7000; i++)
		hits[bed_pick(b, 0, NULL)]++;
	for (uint32_t i = 0; i < 3; i++)
		assert_in_range(hits[i], (1000 << i) - 3, (1000 << i) + 3);
	/* Held requests lower the weight of those that have them: loads near the weights' square roots. */
	memset(hits, 0, sizeof(hits));
	for (uint32_t i = 0; i < 100; i++)
		hits[bed_hold(b, 0, &held[i])]++;
	assert_true(hits[0] < hits[1] && hits[1] < hits[2] && hits[2] < 50 && hits[0] > 16);
	for (uint32_t i = 0; i < 100; i++)
		ss_up_cancel(b->up[0], &held[i]);
	bed_end(b);
}

/* -- chance -- */

static void random_is_even(void **state)
{
	struct bed *b = bed_start(SS_LB_RANDOM, 10);
	uint32_t hits[10] = {0};

	bed_publish(b);
	for (uint32_t i = 0; i < 100000; i++)
		hits[bed_pick(b, 0, NULL)]++;
	/* Five standard deviations of a binomial draw. */
	for (uint32_t i = 0; i < 10; i++)
		assert_in_range(hits[i], 10000 - 475, 10000 + 475);
	bed_end(b);
}

/* By weight, also among those that are left when the heaviest is out. */
static void random_heeds_weights(void **state)
{
	static const uint32_t weight[] = {1, 2, 5};
	struct bed *b = bed_start(SS_LB_RANDOM, 0);
	uint32_t hits[3] = {0};

	for (uint32_t i = 0; i < 3; i++)
		bed_endpoint(b, i, weight[i]);
	b->k->balance.conf.panic_percent = 0;
	bed_publish(b);
	for (uint32_t i = 0; i < 80000; i++)
		hits[bed_pick(b, 0, NULL)]++;
	for (uint32_t i = 0; i < 3; i++)
		assert_in_range(hits[i], 10000 * weight[i] - 700, 10000 * weight[i] + 700);
	memset(hits, 0, sizeof(hits));
	ss_ep_set_unhealthy(b->table, b->c->endpoints[2].ep, true);
	for (uint32_t i = 0; i < 30000; i++)
		hits[bed_pick(b, 0, NULL)]++;
	assert_int_equal(hits[2], 0);
	assert_in_range(hits[0], 10000 - 450, 10000 + 450);
	bed_end(b);
}

/* One server of ten is ten times slower than the others. Arrivals fill 60 % of what all can do. */
struct load {
	double mean_ms;
	uint32_t to_slow;
};

#define SERVERS 10
#define ARRIVALS 20000

struct job {
	struct ss_up_wait w;
	uint64_t began, ends;
	bool open;
};

static void finish_until(struct bed *b, struct job *jobs, uint32_t n, uint64_t now)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!jobs[i].open || jobs[i].ends > now)
			continue;
		ss_up_answered(b->up[0], b->c, &jobs[i].w, jobs[i].ends - jobs[i].began, jobs[i].ends);
		ss_up_result(b->up[0], b->c, &jobs[i].w, SS_EP_GOOD, jobs[i].ends);
		jobs[i].open = false;
	}
}

static struct load simulate(enum ss_lb policy)
{
	struct bed *b = bed_start(policy, SERVERS);
	static struct job jobs[ARRIVALS];
	uint64_t free_at[SERVERS] = {0}, sum = 0;
	struct load l = {0};
	uint32_t oldest = 0;

	memset(jobs, 0, sizeof(jobs));
	bed_publish(b);
	for (uint32_t i = 0; i < ARRIVALS; i++) {
		b->now += 180 * SS_NS_PER_US; /* nine serve in 1 ms, one in 10 ms: 0.11 ms is all they can */
		while (oldest < i && !jobs[oldest].open)
			oldest++;
		finish_until(b, &jobs[oldest], i - oldest, b->now);
		uint32_t e = bed_hold(b, 0, &jobs[i].w);
		if (e >= SERVERS)
			break;
		uint64_t starts = ss_max_u64(b->now, free_at[e]);
		free_at[e] = jobs[i].ends = starts + (e == 3 ? 10 : 1) * SS_NS_PER_MS;
		jobs[i].began = b->now;
		jobs[i].open = true;
		sum += jobs[i].ends - jobs[i].began;
		l.to_slow += e == 3;
	}
	finish_until(b, jobs, ARRIVALS, SS_NEVER);
	l.mean_ms = (double)sum / ARRIVALS / SS_NS_PER_MS;
	bed_end(b);
	return l;
}

static void two_choices_beat_one(void **state)
{
	struct load chance = simulate(SS_LB_RANDOM), least = simulate(SS_LB_LEAST_REQUEST),
		    ewma = simulate(SS_LB_PEAK_EWMA);

	print_message("mean: random %.2f ms, least request %.2f ms, peak EWMA %.2f ms; to the slow one %u, "
		      "%u, %u of %u\n",
		      chance.mean_ms, least.mean_ms, ewma.mean_ms, chance.to_slow, least.to_slow,
		      ewma.to_slow, ARRIVALS);
	assert_true(least.mean_ms * 10 < chance.mean_ms);
	assert_true(ewma.mean_ms < least.mean_ms);
	assert_true(ewma.to_slow < least.to_slow && least.to_slow < chance.to_slow);
}

/* An endpoint that has never answered gets one request, and no second before the answer. */
static void cold_endpoints_are_tried_by_one(void **state)
{
	struct bed *b = bed_start(SS_LB_PEAK_EWMA, 2);
	struct ss_up_wait w = {0}, cold = {0};
	uint32_t first, n = 0;

	bed_publish(b);
	first = bed_hold(b, 0, &w);
	ss_up_answered(b->up[0], b->c, &w, SS_NS_PER_MS, b->now);
	ss_up_result(b->up[0], b->c, &w, SS_EP_GOOD, b->now);
	/* Known at 1 ms, unknown at 30 ms: forgiven in time, and then asked once. */
	for (; bed_pick(b, 0, NULL) == first && n < 100; n++) {
		b->now += SS_NS_PER_SEC;
		memset(&w, 0, sizeof(w));
		if (bed_hold(b, 0, &w) != first) {
			ss_up_cancel(b->up[0], &w);
			break;
		}
		ss_up_answered(b->up[0], b->c, &w, SS_NS_PER_MS, b->now);
		ss_up_result(b->up[0], b->c, &w, SS_EP_GOOD, b->now);
	}
	assert_in_range(n, 20, 60); /* 10 s * ln(30) = 34 s */
	assert_int_not_equal(bed_hold(b, 0, &cold), first);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(bed_pick(b, 0, NULL), first);
	ss_up_cancel(b->up[0], &cold);
	bed_end(b);
}

/* -- time and health -- */

static double share_of_new(struct bed *b, uint32_t number)
{
	uint32_t hits = 0, n = 5500;

	for (uint32_t i = 0; i < n; i++)
		hits += bed_pick(b, 0, NULL) == number;
	/* In units of what another one gets. */
	return hits * 10.0 / (n - hits);
}

static void new_endpoints_start_slowly(void **state)
{
	static const struct {
		uint32_t age_ms;
		double share;
	} ramp[] = {{0, 0.1}, {500, 0.1}, {2500, 0.25}, {5000, 0.5}, {9000, 0.9}, {10000, 1}, {60000, 1}};

	for (int least = 0; least < 2; least++) {
		struct bed *b = bed_start(least ? SS_LB_LEAST_REQUEST : SS_LB_ROUND_ROBIN, 10);
		uint64_t added;
		b->k->balance.conf.slow_start_ns = 10 * SS_NS_PER_SEC;
		bed_publish(b);
		bed_pick(b, 0, NULL);
		b->now += 3600 * SS_NS_PER_SEC;
		bed_endpoint(b, 10, 1);
		bed_publish(b);
		added = b->now;
		for (int back = 0; back < 2; back++) {
			bed_pick(b, 0, NULL);
			for (size_t i = 0; i < SS_ARRAY_LEN(ramp); i++) {
				b->now = added + ramp[i].age_ms * SS_NS_PER_MS;
				share_of_new(b, 10); /* turns taken at the old weight pass */
				double share = share_of_new(b, 10);
				if (share < ramp[i].share - 0.03 || share > ramp[i].share + 0.03)
					fail_msg("at %u ms: %.3f, not %.2f", ramp[i].age_ms, share,
						 ramp[i].share);
			}
			/* And again after an ejection. */
			bed_eject(b, 10);
			assert_true(share_of_new(b, 10) == 0);
			b->now += SS_NS_PER_SEC + 1;
			added = b->now;
		}
		bed_end(b);
	}
}

static void panic_takes_all(void **state)
{
	static const uintmax_t up[] = {0, 7, 9};

	for (size_t k = 0; k < SS_ARRAY_LEN(policies); k++) {
		struct bed *b = bed_start(policies[k], 10);
		uint32_t hits[10] = {0};
		bed_publish(b);
		for (uint32_t i = 0; i < 7; i++)
			ss_ep_set_unhealthy(b->table, bed_slot(b, i), true);
		for (uint32_t i = 0; i < 1000; i++)
			assert_in_range(bed_key(b, i % BED_WORKERS, i), 7, 9);
		assert_int_equal(ss_counter_read(&b->counters, SS_C_PANIC_PICKS), 0);
		bed_eject(b, 8); /* 20 % are up now */
		for (uint32_t i = 0; i < 1000; i++)
			hits[bed_key(b, i % BED_WORKERS, i)]++;
		for (uint32_t i = 0; i < 10; i++)
			assert_true(hits[i] > 20);
		assert_int_equal(ss_counter_read(&b->counters, SS_C_PANIC_PICKS), 1000);
		assert_int_equal(b->table->cluster[b->c->slot].panics, 1000);
		ss_ep_set_unhealthy(b->table, bed_slot(b, 0), false);
		assert_int_equal(ss_counter_read(&b->counters, SS_C_PANIC_PICKS), 1000);
		for (uint32_t i = 0; i < 1000; i++)
			assert_in_set(bed_key(b, i % BED_WORKERS, i), up, SS_ARRAY_LEN(up));
		/* Without a threshold nobody is nobody. */
		b->k->balance.conf.panic_percent = 0;
		bed_publish(b);
		for (uint32_t i = 0; i < 10; i++)
			ss_ep_set_unhealthy(b->table, bed_slot(b, i), true);
		assert_int_equal(bed_key(b, 0, 1), BED_NONE);
		assert_int_equal(b->why, SS_DROP_NO_HEALTHY);
		bed_end(b);
	}
}

/* -- shares by place within priorities, worked out from the endpoints -- */

enum { PLACED = 24, PLACES = 3, PRIORITIES = 4 };

struct placed {
	uint32_t place; /* PLACES: in none that has a share */
	uint32_t priority;
	bool up;
};

static double can_carry(uint32_t up, uint32_t all)
{
	return all ? floor(fmin(100, 140.0 * up / all)) : 0;
}

static void count_up(const struct placed *e, uint32_t priority, uint32_t place, uint32_t *up, uint32_t *all)
{
	*up = *all = 0;
	for (uint32_t i = 0; i < PLACED; i++) {
		if (e[i].priority != priority || e[i].place == PLACES || (place != PLACES && e[i].place != place))
			continue;
		*up += e[i].up;
		*all += 1;
	}
}

/* want[priority][place], of 1. False: nobody gets anything. */
static bool work_out(const struct placed *e, const uint32_t *weight, double want[PRIORITIES][PLACES])
{
	double load[PRIORITIES], total = 0, left = 100, sum = 0;
	uint32_t up[PRIORITIES], all[PRIORITIES], u, n, calm = 0;
	bool panic[PRIORITIES];

	for (uint32_t p = 0; p < PRIORITIES; p++) {
		count_up(e, p, PLACES, &up[p], &all[p]);
		total += can_carry(up[p], all[p]);
	}
	for (uint32_t p = 0; p < PRIORITIES; p++) {
		panic[p] = total < 100 && up[p] * 100 < 30 * all[p];
		calm += all[p] && !panic[p];
	}
	for (uint32_t p = 0; p < PRIORITIES; p++) {
		load[p] = calm ? fmin(left, can_carry(up[p], all[p])) : all[p];
		left -= calm ? load[p] : 0;
		sum += load[p];
	}
	for (uint32_t p = 0; p < PRIORITIES; p++) {
		double parts = 0;
		for (uint32_t k = 0; k < PLACES; k++) {
			count_up(e, p, k, &u, &n);
			want[p][k] = n ? weight[k] * (panic[p] ? 100 : can_carry(u, n)) : 0;
			parts += want[p][k];
		}
		for (uint32_t k = 0; k < PLACES; k++)
			want[p][k] *= parts > 0 ? load[p] / sum / parts : 0;
	}
	return sum > 0;
}

static uint32_t dice(uint64_t *state, uint32_t n)
{
	*state = ss_balance_mix(*state, n);
	return (uint32_t)((*state >> 32) * n >> 32);
}

/* What the workers' function says of a set whose endpoints are up as they are. */
static void compare_shares(struct bed *b, const struct placed *e, const uint32_t *weight)
{
	const struct ss_balance *l = b->c->balance;
	struct ss_lb_sight sight[PRIORITIES * PLACES] = {0};
	struct ss_lb_worker w = {.sight = sight};
	double want[PRIORITIES][PLACES];
	bool some = work_out(e, weight, want);
	uint32_t before = 0;

	assert_true(l->n_tiers <= SS_ARRAY_LEN(sight));
	for (uint32_t t = 0; t < l->n_tiers; t++)
		for (uint32_t i = 0; i < l->tiers[t].n; i++)
			sight[t].n_up += e[l->tiers[t].at[i]].up;
	ss_up_share_load(l, &l->sets[0], &w);
	for (uint32_t t = 0; some && t < l->n_tiers; t++) {
		const struct placed *one = &e[l->tiers[t].at[0]];
		double got = (sight[t].upto - before) / (double)SS_LB_WHOLE;
		if (fabs(got - want[one->priority][one->place]) > 1.5 / SS_LB_WHOLE)
			fail_msg("priority %u, place %u: %.4f, not %.4f", one->priority, one->place, got,
				 want[one->priority][one->place]);
		before = sight[t].upto;
	}
	assert_true(!some || before == SS_LB_WHOLE);
}

static void shares_within_priorities(void **state)
{
	static char *const zones[] = {"a", "b", "c", "d"};
	uint64_t seed = 4711;

	for (uint32_t round = 0; round < 60; round++) {
		struct bed *b = bed_start(SS_LB_ROUND_ROBIN, PLACED);
		struct placed e[PLACED];
		struct ss_model_portion to[PLACES];
		struct ss_model_distribute d = {.from = "here", .n = PLACES, .to = to};
		uint32_t weight[PLACES] = {1 + dice(&seed, 50), 1 + dice(&seed, 40)};
		weight[2] = 100 - weight[0] - weight[1];
		for (uint32_t k = 0; k < PLACES; k++)
			to[k] = (struct ss_model_portion){zones[k], weight[k]};
		b->m->process.locality.region = ss_model_text(b->m, "here");
		b->k->balance.n_distribute = 1;
		b->k->balance.distribute = &d;
		for (uint32_t i = 0; i < PLACED; i++) {
			e[i] = (struct placed){dice(&seed, PLACES + 1), dice(&seed, PRIORITIES), true};
			b->k->endpoints[i].priority = e[i].priority;
			b->k->endpoints[i].locality.region = zones[e[i].place];
		}
		bed_publish(b);
		for (uint32_t health = 0; health < 50; health++) {
			for (uint32_t i = 0; i < PLACED; i++)
				e[i].up = dice(&seed, 50) >= health;
			compare_shares(b, e, weight);
		}
		bed_end(b);
	}
}

enum { MANY = 2000 };

/* One pick in each turn; whether each of first..first + n - 1 was hit. Nobody in [none, none + n_none) may be. */
static uint32_t hit_of(struct bed *b, uint32_t picks, uint32_t first, uint32_t n, uint32_t none, uint32_t n_none)
{
	static uint32_t hits[MANY];
	uint32_t found = 0;

	memset(hits, 0, sizeof(hits));
	for (uint32_t i = 0; i < picks; i++) {
		uint32_t e = bed_pick(b, 0, NULL);
		b->now += SS_NS_PER_US;
		assert_true(e < MANY);
		if (e >= none && e - none < n_none)
			fail_msg("pick %u: %u is down", i, e);
		hits[e]++;
	}
	for (uint32_t i = first; i < first + n; i++)
		found += hits[i] > 0;
	return found;
}

static void set_health(struct bed *b, uint32_t first, uint32_t n, bool down)
{
	for (uint32_t i = first; i < first + n; i++)
		ss_ep_set_unhealthy(b->table, b->c->endpoints[i].ep, down);
}

/* More than are looked at in one turn: who goes down is not picked from then on, who comes up has its turn soon. */
static void many_are_looked_at_by_and_by(void **state)
{
	for (uint32_t i = 0; i < SS_ARRAY_LEN(policies); i++)
		for (uint32_t weights = 0; weights < 2; weights++) {
			struct bed *b = bed_start(policies[i], 0);
			/* Percent that chance leaves at least; who is new waits longest by EWMA. */
			uint32_t most = policies[i] == SS_LB_PEAK_EWMA ? 25 : 60;
			for (uint32_t k = 0; k < MANY; k++)
				bed_endpoint(b, k, weights ? 1 + k % 3 : 1);
			b->k->balance.conf.panic_percent = 30;
			bed_publish(b);
			hit_of(b, 10, 0, 0, 0, 0);
			set_health(b, 700, 600, true);
			hit_of(b, 6000, 0, 0, 700, 600);
			set_health(b, 700, 600, false);
			hit_of(b, 10, 0, 0, 0, 0);
			if (policies[i] == SS_LB_ROUND_ROBIN || (weights && policies[i] == SS_LB_LEAST_REQUEST))
				assert_int_equal(hit_of(b, 3 * MANY, 700, 600, 0, 0), 600);
			else
				assert_true(hit_of(b, 3 * MANY, 700, 600, 0, 0) >= most * 6);
			/* Panic takes all, and its end leaves none of them. */
			set_health(b, 100, 1800, true);
			hit_of(b, 50, 0, 0, 0, 0);
			assert_true(hit_of(b, 3 * MANY, 100, 1800, 0, 0) >= most * 18);
			set_health(b, 700, 1200, false);
			hit_of(b, 10, 0, 0, 0, 0);
			hit_of(b, 2 * MANY, 0, 0, 100, 600);
			bed_end(b);
		}
}

/* A generation that nobody has looked at yet picks nobody who is down from its first pick on. */
static void a_generation_begins_by_and_by(void **state)
{
	for (uint32_t i = 0; i < SS_ARRAY_LEN(policies); i++)
		for (uint32_t weights = 0; weights < 2; weights++) {
			struct bed *b = bed_start(policies[i], 0);
			for (uint32_t k = 0; k < MANY; k++)
				bed_endpoint(b, k, weights ? 1 + k % 3 : 1);
			bed_publish(b);
			set_health(b, 100, 600, true);
			for (uint32_t k = 0; k < 5; k++) {
				bed_publish(b);
				hit_of(b, k < 4 ? 1 + 7 * k : 3000, 0, 0, 100, 600);
			}
			bed_end(b);
		}
}

/* Turns that were given out by and by are as fair as others; so are those after a panic. */
static void late_turns_are_fair(void **state)
{
	static uint32_t hits[MANY];

	for (uint32_t panic = 0; panic < 2; panic++) {
		struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 0);
		for (uint32_t k = 0; k < MANY; k++)
			bed_endpoint(b, k, 1 + k % 3);
		bed_publish(b);
		set_health(b, 100, 1600, panic);
		hit_of(b, 5000, 0, 0, 0, 0);
		set_health(b, 100, 1600, false);
		hit_of(b, 5000, 0, 0, 0, 0);
		memset(hits, 0, sizeof(hits));
		for (uint32_t i = 0; i < 10 * 2 * MANY; i++, b->now += SS_NS_PER_US)
			hits[bed_pick(b, 0, NULL)]++;
		for (uint32_t k = 0; k < MANY; k++)
			assert_in_range(hits[k], 10 * (1 + k % 3) - 2, 10 * (1 + k % 3) + 2);
		bed_end(b);
	}
}

/* A retry goes where no attempt was yet, by every policy; then anywhere. */
static void retries_go_elsewhere(void **state)
{
	for (size_t k = 0; k < 2 * SS_ARRAY_LEN(policies); k++) {
		struct bed *b = bed_start(policies[k / 2], 4);
		b->k->endpoints[0].weight = k % 2 ? 100 : 1;
		bed_publish(b);
		for (uint32_t key = 0; key < 200; key++) {
			struct ss_up_wait w = {.hashed = true, .hash = ss_balance_mix(key, 0)};
			uint32_t seen = 0;
			for (int i = 0; i < 4; i++) {
				seen |= 1u << bed_hold(b, 0, &w);
				ss_up_cancel(b->up[0], &w);
			}
			assert_int_equal(seen, 15);
			assert_in_range(bed_hold(b, 0, &w), 0, 3);
			ss_up_cancel(b->up[0], &w);
		}
		bed_end(b);
	}
}

/* No pick that begins after an ejection returns the endpoint, whatever lists the worker has. */
static void ejection_is_seen_at_once(void **state)
{
	for (size_t k = 0; k < SS_ARRAY_LEN(policies); k++) {
		struct bed *b = bed_start(policies[k], 5);
		bed_publish(b);
		for (uint32_t i = 0; i < 200; i++) {
			uint32_t e = bed_key(b, i % BED_WORKERS, i);
			bed_eject(b, e);
			for (uint32_t n = 0; n < 10; n++)
				assert_int_not_equal(bed_key(b, n % BED_WORKERS, i), e);
			b->now = b->table->ep[bed_slot(b, e)].ejected_until;
		}
		bed_end(b);
	}
}

/* A request that waits for another attempt while its route gets other labels still finds those it had. */
static void a_reload_leaves_subsets_to_those_under_way(void **state)
{
	static struct ss_model_label a[] = {{"stage", "x"}, {"v", "1"}}, b2[] = {{"v", "2"}};
	struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 4);
	struct ss_up_wait old = {0};

	for (uint32_t i = 0; i < 4; i++)
		b->k->endpoints[i].labels =
			i < 2 ? (struct ss_model_labels){2, a} : (struct ss_model_labels){1, b2};
	b->r->clusters[0].subset = (struct ss_model_labels){2, a};
	bed_publish(b);
	old.subset = b->c->balance->sets[1].name;
	assert_string_equal(ss_names_text(b->names, old.subset), "stage=x,v=1");
	b->r->clusters[0].subset = (struct ss_model_labels){1, b2};
	bed_publish(b);
	for (uint32_t i = 0; i < 10; i++)
		assert_in_range(bed_pick(b, 0, &old), 0, 1);
	bed_publish(b);
	assert_int_equal(b->c->balance->n_sets, 2); /* and the one after has forgotten them */
	assert_int_equal(bed_pick(b, 0, &old), BED_NONE);
	assert_int_equal(b->why, SS_DROP_NO_SUBSET);
	bed_end(b);
}

/* Requests that never get a connection: who comes after them is refused by rank once nobody escapes the wait. */
static void a_standing_line_takes_no_more(void **state)
{
	struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 1);
	struct ss_up_wait first = {.rank = 1}, more[4] = {{.rank = 1}, {.rank = 0}, {.rank = 1}, {.rank = 2}};
	const struct {
		uint32_t after_ms, who;
		bool admitted;
	} steps[] = {
		{150, 0, true},  /* nobody is known to have waited for long */
		{110, 2, false}, /* 260 ms: the first one's 150 ms are over the watermark */
		{1, 1, false},
		{1, 3, true},	 /* the most urgent wait until twice of it */
		{110, 3, false},
	};

	b->k->pending_delay_ns = 100 * SS_NS_PER_MS;
	bed_publish(b);
	assert_int_equal(bed_hold(b, 0, &first), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(steps); i++) {
		struct ss_up_wait *w = &more[steps[i].who];
		b->now += steps[i].after_ms * SS_NS_PER_MS;
		ss_up_cancel(b->up[0], w);
		w->n_tried = 0;
		if ((bed_hold(b, 0, w) == 0) != steps[i].admitted)
			fail_msg("step %zu", i);
		if (!steps[i].admitted)
			assert_int_equal(b->why, SS_DROP_PENDING_DELAY);
	}
	/* The cluster's own: other workers' lines are short. */
	assert_int_equal(bed_pick(b, 1, &(struct ss_up_wait){.rank = 1}), 0);
	/* The line is gone: so is the wait. */
	ss_up_cancel(b->up[0], &first);
	for (size_t i = 0; i < SS_ARRAY_LEN(more); i++)
		ss_up_cancel(b->up[0], &more[i]);
	assert_int_equal(bed_pick(b, 0, &(struct ss_up_wait){.rank = 0}), 0);
	bed_end(b);
}

/* Nothing is done for an endpoint before it is picked; then its pool knows nothing of whose slot it was. */
static void a_slot_given_anew_begins_anew(void **state)
{
	struct bed *b = bed_start(SS_LB_ROUND_ROBIN, 1);
	uint32_t slot, most = 0;

	b->k->balance.conf.slow_start_ns = 10 * SS_NS_PER_SEC;
	bed_publish(b);
	slot = bed_slot(b, 0);
	bed_pick(b, 0, NULL);
	/* Others take their turn until the first one's slot comes round again: the longest unused goes first. */
	for (uint32_t number = 1; most < 2 * BED_EPS; number++, most++) {
		b->now += SS_NS_PER_SEC;
		b->k->endpoints[0].addr.ip = ss_ip4(0x0a000001 + number);
		bed_publish(b);
		if (b->c->endpoints[0].ep == slot)
			break;
	}
	assert_true(most < 2 * BED_EPS);
	b->k->n_endpoints = 1;
	bed_endpoint(b, 100000, 1);
	bed_publish(b);
	/* Both are new to this worker: they share evenly, none is taken for one that has been up for hours. */
	bed_pick(b, 0, NULL);
	b->now += 100 * SS_NS_PER_MS;
	most = 0;
	for (uint32_t i = 0; i < 1000; i++)
		most += bed_pick(b, 0, NULL) == 100000;
	assert_in_range(most, 450, 550);
	bed_end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_begin_elsewhere),
		cmocka_unit_test(rotation_is_exact),
		cmocka_unit_test(weights_are_turns),
		cmocka_unit_test(least_request_heeds_weights),
		cmocka_unit_test(random_is_even),
		cmocka_unit_test(random_heeds_weights),
		cmocka_unit_test(two_choices_beat_one),
		cmocka_unit_test(cold_endpoints_are_tried_by_one),
		cmocka_unit_test(new_endpoints_start_slowly),
		cmocka_unit_test(a_standing_line_takes_no_more),
		cmocka_unit_test(a_slot_given_anew_begins_anew),
		cmocka_unit_test(panic_takes_all),
		cmocka_unit_test(shares_within_priorities),
		cmocka_unit_test(many_are_looked_at_by_and_by),
		cmocka_unit_test(a_generation_begins_by_and_by),
		cmocka_unit_test(late_turns_are_fair),
		cmocka_unit_test(retries_go_elsewhere),
		cmocka_unit_test(ejection_is_seen_at_once),
		cmocka_unit_test(a_reload_leaves_subsets_to_those_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
