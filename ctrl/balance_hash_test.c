/* balance_hash_test.c - what policies with a key promise: how few keys move, how even they lie, how a load is bounded. */
#include "ctrl/balance_sim.h"

#include "base/rng.h"

#define KEYS 50000

static void where_keys_are(struct bed *b, uint32_t *at)
{
	for (uint32_t i = 0; i < KEYS; i++)
		at[i] = bed_key(b, i % BED_WORKERS, i);
}

/* Of the keys whose endpoint is in both: how many moved. */
static uint32_t moved(const uint32_t *before, const uint32_t *after, uint32_t gone)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < KEYS; i++)
		n += before[i] != gone && after[i] != gone && before[i] != after[i];
	return n;
}

static uint32_t before[KEYS], after[KEYS];

/* One of 100 goes, and comes back. Maglev moves a few of the other keys (paper, 5.3), a ring none. */
static void few_keys_move(void **state)
{
	static const struct {
		enum ss_lb policy;
		uint32_t most;
	} rows[] = {{SS_LB_MAGLEV, KEYS * 3 / 200}, {SS_LB_RING_HASH, 0}};

	for (size_t k = 0; k < SS_ARRAY_LEN(rows); k++) {
		struct bed *b = bed_start(rows[k].policy, 100);
		uint32_t n;
		bed_publish(b);
		where_keys_are(b, before);
		/* The last takes the place of number 40 in the file: the order of the file plays no role. */
		b->k->endpoints[40] = b->k->endpoints[99];
		b->k->n_endpoints = 99;
		bed_publish(b);
		where_keys_are(b, after);
		n = moved(before, after, 40);
		print_message("policy %u: %u of %u other keys moved\n", rows[k].policy, n, KEYS);
		assert_in_range(n, 0, rows[k].most);
		bed_endpoint(b, 40, 1);
		bed_publish(b);
		where_keys_are(b, after);
		assert_memory_equal(before, after, sizeof(before));
		bed_end(b);
	}
}

static void tables_are_even(void **state)
{
	struct bed *b = bed_start(SS_LB_MAGLEV, 100);
	const struct ss_lb_tier *t;
	uint32_t places[100] = {0};

	bed_publish(b);
	t = &b->c->balance->tiers[0];
	for (uint32_t i = 0; i < t->n_table; i++)
		places[t->table[i]]++;
	for (uint32_t i = 0; i < 100; i++)
		assert_in_range(places[i], 65537 / 100, 65537 / 100 + 1);
	bed_end(b);
}

static void hashes_heed_weights(void **state)
{
	for (int ring = 0; ring < 2; ring++) {
		struct bed *b = bed_start(ring ? SS_LB_RING_HASH : SS_LB_MAGLEV, 0);
		const struct ss_lb_tier *t;
		uint32_t places[4] = {0}, n, sum = 0;
		for (uint32_t i = 0; i < 4; i++)
			bed_endpoint(b, i, 1 + 3 * i); /* 1, 4, 7, 10 */
		bed_publish(b);
		t = &b->c->balance->tiers[0];
		n = ring ? t->n_ring : t->n_table;
		for (uint32_t i = 0; i < n; i++)
			places[ring ? t->ring[i].place : t->table[i]]++;
		for (uint32_t i = 0; i < 4; i++, sum += places[i - 1])
			assert_in_range(places[i], n * (1 + 3 * i) / 22 - 2, n * (1 + 3 * i) / 22 + 2);
		assert_int_equal(sum, n);
		assert_true(n >= 1024);
		bed_end(b);
	}
}

/* The same endpoint on every worker, over reloads, and in another process with another order of endpoints. */
static void keys_stay(void **state)
{
	for (int ring = 0; ring < 2; ring++) {
		struct bed *b = bed_start(ring ? SS_LB_RING_HASH : SS_LB_MAGLEV, 20);
		struct bed *other = bed_start(ring ? SS_LB_RING_HASH : SS_LB_MAGLEV, 0);
		bed_publish(b);
		for (uint32_t i = 20; i-- > 0;)
			bed_endpoint(other, i, 1);
		bed_publish(other);
		for (uint32_t i = 0; i < 1000; i++)
			before[i] = bed_key(b, 0, i);
		bed_publish(b);
		for (uint32_t i = 0; i < 1000; i++) {
			assert_int_equal(bed_key(b, i % BED_WORKERS, i), before[i]);
			assert_int_equal(bed_key(other, i % BED_WORKERS, i), before[i]);
		}
		bed_end(b);
		bed_end(other);
	}
}

/* An ejection moves the keys of one endpoint, to all the others; its end brings them back. */
static void ejection_moves_its_own_keys(void **state)
{
	for (int ring = 0; ring < 2; ring++) {
		struct bed *b = bed_start(ring ? SS_LB_RING_HASH : SS_LB_MAGLEV, 20);
		uint32_t heirs = 0;
		bed_publish(b);
		where_keys_are(b, before);
		bed_eject(b, 4);
		where_keys_are(b, after);
		for (uint32_t i = 0; i < KEYS; i++) {
			assert_int_not_equal(after[i], 4);
			if (before[i] == 4)
				heirs |= 1u << after[i];
		}
		assert_int_equal(moved(before, after, 4), 0);
		/* On the ring who follows one of its 52 points. */
		assert_in_range(__builtin_popcount(heirs), ring ? 15 : 19, 19);
		b->now += SS_NS_PER_SEC + 1;
		where_keys_are(b, after);
		assert_memory_equal(before, after, sizeof(before));
		bed_end(b);
	}
}

/* Mirrokni et al.: no endpoint has more than ceil(c * requests / endpoints), whatever the keys are. */
static void load_is_bounded(void **state)
{
	static const uint32_t factors[] = {100, 125, 200};

	for (uint32_t run = 0; run < 12; run++) {
		bool ring = run & 1, hot = run & 2;
		uint32_t factor = factors[run / 4], load[10] = {0};
		struct bed *b = bed_start(ring ? SS_LB_RING_HASH : SS_LB_MAGLEV, 10);
		static struct ss_up_wait held[500];
		b->k->balance.conf.balance_factor = factor;
		bed_publish(b);
		memset(held, 0, sizeof(held));
		for (uint32_t i = 0; i < 500; i++) {
			uint64_t key = hot ? 1 : i;
			held[i].hashed = true;
			held[i].hash = ss_balance_hash(&key, sizeof(key));
			uint32_t e = bed_hold(b, i % BED_WORKERS, &held[i]);
			uint32_t bound = (factor * (i + 1) + 999) / 1000;
			if (++load[e] > bound)
				fail_msg("factor %u: %u requests of %u at one endpoint", factor, load[e],
					 i + 1);
		}
		for (uint32_t i = 0; i < 500; i++)
			ss_up_cancel(b->up[i % BED_WORKERS], &held[i]);
		bed_end(b);
	}
}

/* One key that all ask for, over more endpoints than are ever looked at in one pick. */
static void a_hot_key_spreads_far(void **state)
{
	enum { N = 1000 };
	static struct ss_up_wait held[N];
	struct bed *b = bed_start(SS_LB_MAGLEV, N);
	uint32_t load[N] = {0};

	b->k->balance.conf.balance_factor = 125;
	bed_publish(b);
	memset(held, 0, sizeof(held));
	for (uint32_t i = 0; i < N; i++) {
		held[i].hashed = true;
		held[i].hash = 12345;
		if (++load[bed_hold(b, i % BED_WORKERS, &held[i])] > (125 * (i + 1) + 100 * N - 1) / (100 * N))
			fail_msg("request %u of one key is over the bound", i + 1);
	}
	for (uint32_t i = 0; i < N; i++)
		ss_up_cancel(b->up[i % BED_WORKERS], &held[i]);
	bed_end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_keys_move),
		cmocka_unit_test(tables_are_even),
		cmocka_unit_test(hashes_heed_weights),
		cmocka_unit_test(keys_stay),
		cmocka_unit_test(ejection_moves_its_own_keys),
		cmocka_unit_test(load_is_bounded),
		cmocka_unit_test(a_hot_key_spreads_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
