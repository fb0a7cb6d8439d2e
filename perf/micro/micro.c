/*
 * micro.c - the program around one x_bench.c: see micro.h.
 *
 * usage: micro_x [--json] [--only PREFIX] [--rounds N] [--count N] [--smoke] [--quick]
 * --quick: without what takes seconds to set up. --count: this many items per call and one round of two calls
 * (N, then 3 N): for callgrind.
 */
#include "perf/micro/micro.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/clock.h"

#define ROUND_NS (2 * SS_NS_PER_MS)
#define ROUNDS_MAX 99

struct micro {
	struct ss_clock clock;
	const char *only;
	uint32_t rounds, count;
	bool json, smoke, quick;
	uint32_t done; /* items measured */
};

static double tsc_ns(const struct micro *m, uint64_t cycles)
{
	return (double)cycles * (double)m->clock.mult / 4294967296.0;
}

/* Callgrind dumps what it has counted at the end of each call of this function, by its name. */
__attribute__((noinline, noclone)) void micro_measured(void (*fn)(void *at, uint32_t n), void *at, uint32_t n);
void micro_measured(void (*fn)(void *at, uint32_t n), void *at, uint32_t n)
{
	fn(at, n);
	__asm__ volatile("" : : : "memory"); /* no tail call: the end of fn is not the end of this */
}

static uint64_t once(void (*fn)(void *at, uint32_t n), void *at, uint32_t n)
{
	uint64_t start = rte_rdtsc_precise();

	micro_measured(fn, at, n);
	return rte_rdtsc_precise() - start;
}

/* Items for a round that lasts long enough for the clock not to matter. */
static uint32_t fitting(const struct micro *m, void (*fn)(void *at, uint32_t n), void *at)
{
	uint32_t n = 1;

	while (n < 1u << 28) {
		double ns = tsc_ns(m, once(fn, at, n));
		if (ns >= ROUND_NS)
			break;
		n = ns < ROUND_NS / 16.0 ? n * 8 : (uint32_t)(n * (ROUND_NS / ns)) + 1;
	}
	return n;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(struct micro *m, const char *name, const double *ns, uint32_t rounds, uint32_t n)
{
	if (m->json) {
		printf("%s\n  \"%s\": [", m->done ? "," : "", name);
		for (uint32_t i = 0; i < rounds; i++)
			printf("%s%.3f", i ? ", " : "", ns[i]);
		printf("]");
	} else {
		printf("%-36s %12.1f ns  (min %.1f, %u rounds of %u)\n", name, ns[rounds / 2], ns[0], rounds,
		       n);
	}
}

bool micro_wants(const struct micro *m, const char *group)
{
	size_t a = strlen(m->only), b = strlen(group);

	return strncmp(m->only, group, a < b ? a : b) == 0;
}

bool micro_asked(const struct micro *m, const char *name)
{
	return strcmp(m->only, name) == 0;
}

bool micro_patient(const struct micro *m)
{
	return !m->smoke && !m->quick && !m->count;
}

void micro_run(struct micro *m, const char *name, void (*fn)(void *at, uint32_t n), void *at)
{
	double ns[ROUNDS_MAX];
	uint32_t n;

	if (strncmp(name, m->only, strlen(m->only)) != 0)
		return;
	fn(at, 2); /* what the first time only costs is nobody's figure */
	if (m->count) {
		once(fn, at, m->count);
		ns[0] = tsc_ns(m, once(fn, at, 3 * m->count)) / (3 * m->count);
		print(m, name, ns, 1, 3 * m->count);
		m->done++;
		return;
	}
	n = m->smoke ? 2 : fitting(m, fn, at);
	for (uint32_t i = 0; i < m->rounds; i++)
		ns[i] = tsc_ns(m, once(fn, at, n)) / n;
	qsort(ns, m->rounds, sizeof(ns[0]), by_size);
	print(m, name, ns, m->rounds, n);
	m->done++;
}

static uint32_t number(const char *text, uint32_t most)
{
	unsigned long v = strtoul(text, NULL, 10);

	return v < 1 ? 1 : v > most ? most : (uint32_t)v;
}

static bool options(struct micro *m, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--json") == 0)
			m->json = true;
		else if (strcmp(argv[i], "--smoke") == 0)
			m->smoke = true;
		else if (strcmp(argv[i], "--quick") == 0)
			m->quick = true;
		else if (strcmp(argv[i], "--only") == 0 && more)
			m->only = argv[++i];
		else if (strcmp(argv[i], "--rounds") == 0 && more)
			m->rounds = number(argv[++i], ROUNDS_MAX);
		else if (strcmp(argv[i], "--count") == 0 && more)
			m->count = number(argv[++i], 1000000);
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct micro m = {.only = "", .rounds = 9};

	if (!options(&m, argc, argv)) {
		fprintf(stderr,
			"usage: %s [--json] [--only PREFIX] [--rounds N] [--count N] [--smoke] [--quick]\n",
			argv[0]);
		return 2;
	}
	if (m.smoke)
		m.rounds = 1;
	ss_clock_init(&m.clock, 0);
	if (m.json)
		printf("{");
	micro_items(&m);
	if (m.json)
		printf("\n}\n");
	if (!m.done)
		fprintf(stderr, "no item's name begins with \"%s\"\n", m.only);
	return m.done || m.only[0] ? 0 : 1;
}
