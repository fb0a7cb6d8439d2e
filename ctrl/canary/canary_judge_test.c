/* Statistics against numbers known from elsewhere, and whole runs of canaries that are good, slow, failing and noisy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "canary/canary_judge.h"
#include "canary/canary_stat.h"

#define MS SS_NS_PER_MS
#define PARTS 60u /* of 5 s: 300 s */

static const struct ss_canary_gates gates = {.max_error_ratio = 110,
					     .max_p99_ratio = 120,
					     .error_margin = 20,
					     .latency_margin = 500,
					     .significance = 100,
					     .min_requests = 100};

/* -- known numbers -- */

static bool near(double a, double b, double by)
{
	if (fabs(a - b) <= by)
		return true;
	print_message("%.12g is not %.12g\n", a, b);
	return false;
}

/* The beta function is a binomial's tail (DLMF 8.17.5), which can be summed up. */
static void incomplete_beta(void **state)
{
	for (int n = 1; n < 40; n += 6)
		for (int k = 1; k <= n; k += 2)
			for (double p = 0.05; p < 1; p += 0.3) {
				double sum = 0;
				for (int i = k; i <= n; i++)
					sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(p) +
						   (n - i) * log1p(-p));
				assert_true(near(ss_canary_beta(p, k, n - k + 1), sum, 1e-10));
			}
	assert_true(near(ss_canary_beta(0.3, 2000, 5000), 0.9937, 0.01));
}

static void bounds(void **state)
{
	assert_true(near(ss_canary_z(0.025), 1.959964, 1e-5));
	assert_true(near(ss_canary_z(0.01), 2.326348, 1e-5));
	/* Newcombe 1998, table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339. */
	assert_true(near(ss_canary_rise_high(48, 80, 56, 70, 0.025), 0.3339, 1e-4));
	/* No failures: z^2 / (n + z^2) for each. */
	assert_true(near(ss_canary_rise_high(0, 1e9, 0, 2700, 0.01), 0.0020, 2e-5));
}

/* A mixture of likelihood ratios, by its integral. */
static void events(void **state)
{
	double share = 0.1, a = 2, b = 18, over = 0, prior = 0;

	for (int i = 0; i < 900000; i++) {
		double t = 0.1 + (i + 0.5) * 1e-6;
		double w = pow(t, a - 1) * pow(1 - t, b - 1);
		prior += w;
		over += w * pow(t / 0.1, 9) * pow((1 - t) / 0.9, 31);
	}
	assert_true(near(ss_canary_events_p(40, 9, share, 1), prior / over, 1e-5));
	assert_true(ss_canary_events_p(40, 4, share, 1) == 1);
	assert_true(ss_canary_events_p(0, 0, share, 1) == 1);
	assert_true(ss_canary_events_p(40, 40, share, 1) < 1e-20);
	assert_true(ss_canary_events_p(40, 9, share, 3) == 1); /* not more than three times stable's */
	assert_true(ss_canary_events_p(1e6, 0.5e6 + 4000, 0.5, 1) < 1e-6);
}

/* Looked at after each of two thousand events, with nothing wrong: p passes 5 % in fewer than 5 % of the runs. */
static void always_valid(void **state)
{
	struct ss_rng r;
	uint32_t wrong = 0, runs = 400;

	ss_rng_seed(&r, 7);
	for (uint32_t k = 0; k < runs; k++) {
		double all = 0, canary = 0, p = 1;
		while (all < 2000 && p > 0.05) {
			canary += ss_rng_chance(&r, 1, 10);
			p = ss_canary_events_p(++all, canary, 0.1, 1);
		}
		wrong += p <= 0.05;
	}
	print_message("2,000 looks at 5 %%: wrong in %u of %u\n", wrong, runs);
	assert_true(wrong <= runs / 20);
}

static void means(void **state)
{
	struct ss_canary_mean s = {.n = 1000, .mean = 1, .variance = 0.5e-4}, c = {.n = 1000, .mean = 1.1, .variance = 0.5e-4};
	double low = ss_canary_above_low(&s, &c, 0.01, 0.05);

	assert_true(near(ss_canary_above_p(&s, &c, low, 0.05), 0.01, 1e-6));
	assert_true(low > 0 && low < 0.1);
	assert_true(near(ss_canary_above_high(&s, &c, 0.01), 0.1 + 0.0232635, 1e-6));
	assert_true(ss_canary_above_p(&c, &s, 0, 0.05) == 1);
}

/* -- whole runs -- */

struct kind {
	const char *name;
	double rate_s, rate_c;  /* of failures */
	double slow;            /* the canary's latency, times stable's */
	double sigma;           /* of a lognormal latency of 10 ms */
	double bursts;          /* share of parts in which both fail and are slow */
};

enum end { PROMOTED, ROLLED_BACK, HELD, ENDS };

struct world {
	struct ss_rng rng;
	const struct kind *kind;
	double p[SS_CANARY_VARIANTS][SS_CANARY_BUCKETS]; /* of a latency */
	struct ss_canary_part parts[PARTS];
};

static double uniform(struct ss_rng *r)
{
	return ((double)(ss_rng_u64(r) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct ss_rng *r)
{
	double u = uniform(r), v = uniform(r);

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static uint32_t poisson(struct ss_rng *r, double mean)
{
	double limit = exp(-mean), p = 1;
	uint32_t n = 0;

	if (mean > 30)
		return (uint32_t)lround(fmax(mean + sqrt(mean) * normal(r), 0));
	for (p *= uniform(r); p > limit; p *= uniform(r))
		n++;
	return n;
}

static double lognormal(double x, double median, double sigma)
{
	return x > 0 ? erfc(-log(x / median) / sigma * M_SQRT1_2) / 2 : 0;
}

static struct world *begin(const struct kind *k, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	w->kind = k;
	ss_rng_seed(&w->rng, seed);
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++)
		for (uint32_t i = 0; i + 1 < SS_CANARY_BUCKETS; i++) {
			double median = 10 * MS * (v ? k->slow : 1), low = (double)ss_canary_lower(i);
			w->p[v][i] = lognormal((double)ss_canary_lower(i + 1), median, k->sigma) -
				     lognormal(low, median, k->sigma);
		}
	return w;
}

/* Requests of five seconds: arrivals are Poisson's, so each bucket's are, and on their own. */
static void play(struct world *w, double rps, double weight, struct ss_canary_part *part)
{
	bool burst = uniform(&w->rng) < w->kind->bursts;

	memset(part, 0, sizeof(*part));
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++) {
		struct ss_canary_counts *c = &part->of[v];
		double n = rps * 5 * (v ? weight : 1 - weight), rate = v ? w->kind->rate_c : w->kind->rate_s;
		for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++) {
			/* A burst: half as slow again. 37 buckets are a factor of 1.5. */
			uint32_t at = burst && i + 37 < SS_CANARY_BUCKETS ? i + 37 : i, k;
			if (w->p[v][i] * n < 1e-6)
				continue;
			k = poisson(&w->rng, w->p[v][i] * n);
			c->bucket[at] += k;
			c->requests += k;
		}
		c->failures = ss_min_u64(poisson(&w->rng, (double)c->requests * (burst ? 10 * rate : rate)), c->requests);
	}
}

static enum end run(const struct kind *k, double rps, uint64_t seed, struct ss_canary_verdict *v, uint32_t *seconds)
{
	static const double steps[] = {0.01, 0.05, 0.10, 0.25, 0.50};
	struct world *w = begin(k, seed);
	uint32_t window = 1, n = 0, since = 0, step = 0;
	enum end end = HELD;

	for (*seconds = 5; *seconds <= (rps < 100 ? 600 : 1200); *seconds += 5) {
		play(w, rps, steps[step], &w->parts[n++]);
		since += 5;
		ss_canary_judge(&gates, w->parts, n, window, v);
		if (v->say == SS_CANARY_ROLLBACK) {
			end = ROLLED_BACK;
			break;
		}
		if (v->say == SS_CANARY_PASS && since >= 60) {
			if (++step == SS_ARRAY_LEN(steps)) {
				end = PROMOTED;
				break;
			}
			since = n = 0;
			window++;
		} else if (n == PARTS) {
			n = 0;
			window++;
		}
	}
	free(w);
	return end;
}

/* How many of twenty ended how; the last reasons of those that were held. */
static void twenty(const struct kind *k, double rps, uint32_t ends[ENDS])
{
	uint32_t why[SS_CANARY_WHYS] = {0}, took[20], in_window = 0;
	char text[400];
	int at = 0;

	memset(ends, 0, ENDS * sizeof(*ends));
	for (uint32_t i = 0; i < 20; i++) {
		struct ss_canary_verdict v;
		enum end e = run(k, rps, 1000 + i, &v, &took[i]);
		ends[e]++;
		in_window += e == ROLLED_BACK && took[i] <= 300;
		if (e != PROMOTED)
			why[v.why]++;
	}
	for (uint32_t i = 1; i < SS_CANARY_WHYS; i++)
		if (why[i])
			at += snprintf(text + at, sizeof(text) - (size_t)at, " %s %u", ss_canary_why_text((uint8_t)i), why[i]);
	print_message("%-22s %6.0f/s: promoted %2u, rolled back %2u (%u within 300 s), held %2u;%s\n", k->name, rps,
		      ends[PROMOTED], ends[ROLLED_BACK], in_window, ends[HELD], at ? text : "");
}

static void good(void **state)
{
	static const struct kind k = {"good", 0.001, 0.001, 1, 0.5, 0};
	uint32_t e[ENDS];

	twenty(&k, 10000, e);
	assert_true(e[ROLLED_BACK] <= 1 && e[PROMOTED] >= 18);
	twenty(&k, 2000, e);
	assert_true(e[ROLLED_BACK] <= 1);
	twenty(&k, 50, e);
	assert_true(e[ROLLED_BACK] <= 1);
}

/* Many requests show it; with fewer it may be held, but never goes to the top. */
static void a_little_worse(const struct kind *k)
{
	uint32_t e[ENDS];

	twenty(k, 10000, e);
	assert_true(e[PROMOTED] == 0 && e[ROLLED_BACK] >= 15);
	twenty(k, 2000, e);
	assert_true(e[PROMOTED] == 0);
	twenty(k, 50, e);
	assert_true(e[PROMOTED] == 0);
}

static void slow(void **state)
{
	static const struct kind k = {"5 % slower", 0.001, 0.001, 1.05, 0.5, 0};
	static const struct kind much = {"30 % slower", 0.001, 0.001, 1.3, 0.5, 0};
	uint32_t e[ENDS];

	a_little_worse(&k);
	twenty(&much, 2000, e);
	assert_true(e[ROLLED_BACK] == 20);
}

static void failing(void **state)
{
	static const struct kind k = {"fails 0.2 % more", 0.001, 0.003, 1, 0.5, 0};
	static const struct kind base = {"same, of 5 % before", 0.05, 0.052, 1, 0.5, 0};
	static const struct kind much = {"fails 5 % more", 0.001, 0.051, 1, 0.5, 0};
	uint32_t e[ENDS];

	a_little_worse(&k);
	twenty(&base, 10000, e);
	assert_true(e[PROMOTED] == 0);
	twenty(&much, 2000, e);
	assert_true(e[ROLLED_BACK] == 20);
}

/* As good as stable, but nobody can see it well: latencies over decades, failures and slowness in bursts of both. */
static void noisy(void **state)
{
	static const struct kind k = {"good, noisy", 0.01, 0.01, 1, 1.2, 0.1};
	uint32_t e[ENDS];

	twenty(&k, 10000, e);
	assert_true(e[ROLLED_BACK] <= 1);
	twenty(&k, 2000, e);
	assert_true(e[ROLLED_BACK] <= 1);
	twenty(&k, 50, e);
	assert_true(e[ROLLED_BACK] <= 1);
}

/* -- single verdicts -- */

static void fill(struct ss_canary_counts *c, uint32_t n, uint32_t failures, uint64_t ns)
{
	c->requests += n;
	c->failures += failures;
	c->bucket[ss_canary_bucket(ns)] += n;
}

static void a_hiccup_is_no_evidence(void **state)
{
	struct ss_canary_part *p = calloc(20, sizeof(*p));
	struct ss_canary_verdict v;

	for (uint32_t i = 0; i < 20; i++) {
		fill(&p[i].of[0], 900, 1, 10 * MS);
		fill(&p[i].of[1], 100, i == 7 ? 100 : 0, i == 7 ? 900 * MS : 10 * MS);
	}
	ss_canary_judge(&gates, p, 20, 1, &v);
	assert_int_equal(v.say, SS_CANARY_HOLD);
	assert_true(v.error_ratio > 1.1);
	fill(&p[8].of[1], 100, 100, 900 * MS); /* twice is */
	ss_canary_judge(&gates, p, 20, 1, &v);
	assert_int_equal(v.say, SS_CANARY_ROLLBACK);
	assert_int_equal(v.why, SS_CANARY_WHY_ERRORS);
	assert_true(v.sure);
	free(p);
}

static void reasons(void **state)
{
	struct ss_canary_part p[2] = {0};
	struct ss_canary_gates g = gates;
	struct ss_canary_verdict v;

	ss_canary_judge(&gates, p, 0, 1, &v);
	assert_int_equal(v.why, SS_CANARY_WHY_SAMPLE);
	fill(&p[0].of[0], 99, 0, MS);
	fill(&p[0].of[1], 99, 99, MS);
	ss_canary_judge(&gates, p, 1, 1, &v);
	assert_int_equal(v.say, SS_CANARY_HOLD);
	assert_int_equal(v.why, SS_CANARY_WHY_SAMPLE);
	for (uint32_t i = 0; i < 2; i++) {
		p[i] = (struct ss_canary_part){0};
		fill(&p[i].of[0], 1000, 0, 10 * MS);
		fill(&p[i].of[1], 1000, 0, 10 * MS);
	}
	ss_canary_judge(&gates, p, 2, 1, &v);
	assert_int_equal(v.why, SS_CANARY_WHY_ERROR_SAMPLE); /* 0 of 2,000 may be 0.27 % */
	g.error_margin = 100;
	ss_canary_judge(&g, p, 2, 1, &v);
	assert_int_equal(v.say, SS_CANARY_PASS);
	for (uint32_t i = 0; i < 2; i++) {
		p[i].of[1] = (struct ss_canary_counts){0};
		fill(&p[i].of[1], 980, 0, 10 * MS);
		fill(&p[i].of[1], 20, 0, 40 * MS);
	}
	ss_canary_judge(&g, p, 2, 1, &v);
	assert_int_equal(v.say, SS_CANARY_ROLLBACK);
	assert_int_equal(v.why, SS_CANARY_WHY_P99);
	assert_true(v.p99_ratio > 3.5 && v.slowdown < 0.05);
	for (uint32_t i = 0; i < 2; i++) {
		p[i].of[1] = (struct ss_canary_counts){0};
		fill(&p[i].of[1], 1000, 0, 11 * MS);
	}
	ss_canary_judge(&g, p, 2, 1, &v);
	assert_int_equal(v.say, SS_CANARY_ROLLBACK);
	assert_int_equal(v.why, SS_CANARY_WHY_SLOWER);
	g.regression = SS_CANARY_REGRESSION_HOLD;
	ss_canary_judge(&g, p, 2, 1, &v);
	assert_int_equal(v.say, SS_CANARY_HOLD);
	assert_int_equal(v.why, SS_CANARY_WHY_SLOWER);
	assert_true(v.sure);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(incomplete_beta), cmocka_unit_test(bounds),   cmocka_unit_test(events),
		cmocka_unit_test(always_valid),	   cmocka_unit_test(means),    cmocka_unit_test(good),
		cmocka_unit_test(slow),		   cmocka_unit_test(failing),  cmocka_unit_test(noisy),
		cmocka_unit_test(a_hiccup_is_no_evidence), cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
