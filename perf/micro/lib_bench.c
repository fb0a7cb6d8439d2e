/*
 * lib_bench.c - the small rooms of lib: histogram, timers, byte queues, arenas, the keyed hash and map.
 */
#include "base/map.h"
#include "base/rng.h"
#include "buf/testpool.h"
#include "contract/counters.h"
#include "mem/arena.h"
#include "perf/micro/micro.h"
#include "perf/micro/micro_pool.h"
#include "timer/wheel.h"

#define TIMERS 4096u
#define TUPLES 10000u

static void hist_add(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ss_hist_add(at, 20000 + (i * 2654435761u >> 14));
}

/* -- timers: many connections, each of which moves its deadline with every segment -- */

struct timers {
	struct ss_wheel w;
	struct ss_timer t[TIMERS];
	uint64_t now;
};

static void rearm(void *at, uint32_t n)
{
	struct timers *k = at;

	for (uint32_t i = 0; i < n; i++)
		ss_wheel_arm(&k->w, &k->t[i % TIMERS], k->now + 200 * SS_NS_PER_MS + i % 977 * SS_NS_PER_US);
}

static void arm_cancel(void *at, uint32_t n)
{
	struct timers *k = at;

	for (uint32_t i = 0; i < n; i++) {
		ss_wheel_arm(&k->w, &k->t[i % TIMERS], k->now + 200 * SS_NS_PER_MS);
		ss_wheel_cancel(&k->w, &k->t[i % TIMERS]);
	}
}

static void expire_nothing(void *at, uint32_t n)
{
	struct timers *k = at;
	struct ss_list due;

	ss_list_init(&due);
	for (uint32_t i = 0; i < n; i++)
		ss_wheel_expire(&k->w, k->now, &due);
}

/* Armed, then due: with the ticks that lie between. */
static void arm_expire(void *at, uint32_t n)
{
	struct timers *k = at;
	struct ss_list due;

	ss_list_init(&due);
	for (uint32_t i = 0; i < n; i++) {
		ss_wheel_arm(&k->w, &k->t[i % TIMERS], k->now + 3 * SS_NS_PER_MS);
		k->now += SS_NS_PER_MS / 64;
		ss_wheel_expire(&k->w, k->now, &due);
		while (ss_list_pop(&due))
			;
	}
}

static void timers(struct micro *m)
{
	static struct timers k;

	k.now = SS_NS_PER_SEC;
	ss_wheel_init(&k.w, SS_NS_PER_MS, k.now);
	for (uint32_t i = 0; i < TIMERS; i++)
		ss_timer_init(&k.t[i], 0);
	micro_run(m, "timer.arm_cancel", arm_cancel, &k);
	micro_run(m, "timer.rearm", rearm, &k);
	micro_run(m, "timer.expire_nothing", expire_nothing, &k);
	micro_run(m, "timer.arm_expire", arm_expire, &k);
}

/* -- byte queues -- */

static struct ss_bufpool pool;
static uint8_t bytes[16384];

static void append_drop(void *at, uint32_t n)
{
	uint32_t len = *(uint32_t *)at;
	struct ss_bufq q;

	ss_bufq_init(&q);
	for (uint32_t i = 0; i < n; i++) {
		ss_bufq_append(&q, &pool, bytes, len);
		ss_bufq_drop(&q, len);
	}
}

/* A frame's payload moves to another queue: the border lies inside a packet, as it mostly does. */
static void take(void *at, uint32_t n)
{
	uint32_t len = *(uint32_t *)at;
	struct ss_bufq q, to;

	ss_bufq_init(&q);
	ss_bufq_init(&to);
	for (uint32_t i = 0; i < n; i++) {
		ss_bufq_append(&q, &pool, bytes, len + 100);
		ss_bufq_take(&to, &q, len, &pool);
		ss_bufq_free(&to);
		ss_bufq_free(&q);
	}
}

static void peek(void *at, uint32_t n)
{
	uint8_t scratch[16];

	for (uint32_t i = 0; i < n; i++)
		micro_keep(ss_bufq_peek(at, 100, 9, scratch));
}

static void queues(struct micro *m)
{
	static uint32_t small = 64, large = 1400;
	struct ss_bufq q;

	if (!micro_wants(m, "buf."))
		return;
	pool = micro_pool("micro-lib", 1023);
	ss_bufq_init(&q);
	ss_bufq_append(&q, &pool, bytes, 1400);
	micro_run(m, "buf.append_drop.64", append_drop, &small);
	micro_run(m, "buf.append_drop.1400", append_drop, &large);
	micro_run(m, "buf.take.64", take, &small);
	micro_run(m, "buf.take.1400", take, &large);
	micro_run(m, "buf.peek", peek, &q);
	ss_bufq_free(&q);
	ss_testpool_free(&pool);
}

/* -- memory, hashes -- */

static void arena(void *at, uint32_t n)
{
	struct ss_arena a;

	for (uint32_t i = 0; i < n; i++) {
		ss_arena_init(&a, at);
		micro_keep(ss_arena_alloc(&a, 400));
		micro_keep(ss_arena_alloc(&a, 700));
		ss_arena_reset(&a);
	}
}

static void siphash(void *at, uint32_t n)
{
	struct ss_sipkey key = {{1, 2}};

	for (uint32_t i = 0; i < n; i++) {
		bytes[0] = (uint8_t)i;
		micro_keep(ss_siphash(&key, bytes, 36));
	}
}

/* The keys that are looked up are not in the order they were put in: strides over the whole table. */
static void map_get(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t key[4] = {i * 7919ull % TUPLES, 1, 2, 3};
		micro_keep(ss_map_get(at, key));
	}
}

void micro_items(struct micro *m)
{
	static struct ss_hist hist;
	struct ss_sipkey key = {{1, 2}};
	struct ss_arena_pools arenas;
	struct ss_map *map = ss_map_create(32, TUPLES, &key);

	for (uint64_t i = 0; i < TUPLES; i++)
		ss_map_put(map, (uint64_t[4]){i, 1, 2, 3}, (uint32_t)i);
	ss_arena_pools_create(&arenas, 64, 2);
	micro_run(m, "contract.hist_add", hist_add, &hist);
	timers(m);
	queues(m);
	micro_run(m, "mem.arena.two_pieces", arena, &arenas);
	micro_run(m, "base.siphash.36", siphash, NULL);
	micro_run(m, "base.map_get.10000", map_get, map);
	ss_arena_pools_free(&arenas);
	ss_map_free(map);
}
