#include "base/clock.h"

#include <rte_cycles.h>
#include <rte_pause.h>
#include <time.h>

#define CALIBRATE_NS (20 * SS_NS_PER_MS)

static uint64_t monotonic_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SS_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/*
 * One reading of both clocks. A preemption between the two would skew the calibration, so the pair
 * with the narrowest TSC bracket of several tries is kept.
 */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < 16; i++) {
		uint64_t before = rte_rdtsc_precise();
		uint64_t t = monotonic_ns();
		uint64_t after = rte_rdtsc_precise();
		if (after - before < best) {
			best = after - before;
			*tsc = before + (after - before) / 2;
			*ns = t;
		}
	}
}

void ss_clock_init(struct ss_clock *c, uint64_t tsc_hz)
{
	uint64_t tsc = 0, ns = 0;
	read_both(&c->base_tsc, &c->base_ns);
	if (tsc_hz) {
		c->mult = (uint64_t)(((unsigned __int128)SS_NS_PER_SEC << 32) / tsc_hz);
		return;
	}
	while (monotonic_ns() - c->base_ns < CALIBRATE_NS)
		rte_pause();
	read_both(&tsc, &ns);
	c->mult = (uint64_t)(((unsigned __int128)(ns - c->base_ns) << 32) / (tsc - c->base_tsc));
}

uint64_t ss_clock_at(const struct ss_clock *c, uint64_t tsc)
{
	uint64_t cycles = tsc - c->base_tsc;
	return c->base_ns + (uint64_t)(((unsigned __int128)cycles * c->mult) >> 32);
}

uint64_t ss_clock_ns(const struct ss_clock *c)
{
	return ss_clock_at(c, rte_rdtsc());
}
