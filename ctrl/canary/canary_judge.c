/* canary_judge.c - a window's verdict. */
#include "canary/canary_judge.h"

#include <math.h>
#include <string.h>

#include "canary/canary_stat.h"

#define TAIL 0.01 /* of requests are above p99 */

/* Both shares over some parts. */
struct both {
	struct ss_canary_counts of[SS_CANARY_VARIANTS];
};

/* p of each question, none below another's business. */
struct doubts {
	double errors, p99, fails_more, slower;
};

void ss_canary_add(struct ss_canary_counts *to, const struct ss_canary_counts *c, bool away)
{
	to->requests += away ? -c->requests : c->requests;
	to->failures += away ? -c->failures : c->failures;
	for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++)
		to->bucket[i] += away ? -c->bucket[i] : c->bucket[i];
}

/* -- latency -- */

static double in_buckets(const struct ss_canary_counts *c)
{
	double n = 0;

	for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++)
		n += c->bucket[i];
	return n;
}

/* Logarithms: a share that is slower by 5 % is so at every quantile, and a few very slow requests do not hide the rest. */
static struct ss_canary_mean log_mean(const struct ss_canary_counts *c)
{
	double n = in_buckets(c), sum = 0, squares = 0, mean;

	if (n < 1)
		return (struct ss_canary_mean){0};
	for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++) {
		if (!c->bucket[i])
			continue;
		double v = log(((double)ss_canary_lower(i) + (double)ss_canary_lower(i + 1)) / 2 + 0.5);
		sum += c->bucket[i] * v;
		squares += c->bucket[i] * v * v;
	}
	mean = sum / n;
	return (struct ss_canary_mean){.n = n, .mean = mean, .variance = fmax(squares / n - mean * mean, 0) / n};
}

/* Within the bucket as if its values lay at equal distances. */
static double p99_of(const struct ss_canary_counts *c)
{
	double want = in_buckets(c) * (1 - TAIL), below = 0;

	for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++) {
		double low = (double)ss_canary_lower(i), high = (double)ss_canary_lower(i + 1);
		if (c->bucket[i] && below + c->bucket[i] >= want)
			return low + (high - low) * (want - below) / c->bucket[i];
		below += c->bucket[i];
	}
	return 0;
}

/* Where the slowest hundredth of both together begins. */
static uint32_t tail_begin(const struct both *b)
{
	double want = (in_buckets(&b->of[0]) + in_buckets(&b->of[1])) * TAIL, above = 0;

	for (uint32_t i = SS_CANARY_BUCKETS; i > 0; i--) {
		above += (double)b->of[0].bucket[i - 1] + (double)b->of[1].bucket[i - 1];
		if (above > want)
			return i;
	}
	return 0;
}

static double above(const struct ss_canary_counts *c, uint32_t from)
{
	double n = 0;

	for (uint32_t i = from; i < SS_CANARY_BUCKETS; i++)
		n += c->bucket[i];
	return n;
}

/* -- doubts -- */

static double margin_of_latency(const struct ss_canary_gates *g)
{
	return log1p(g->latency_margin / 1e4);
}

static void doubt(const struct ss_canary_gates *g, const struct both *b, uint32_t tail, struct doubts *d)
{
	const struct ss_canary_counts *s = &b->of[SS_CANARY_STABLE], *c = &b->of[SS_CANARY_CANARY];
	double n_s = (double)s->requests, n_c = (double)c->requests, share = n_c / (n_s + n_c);
	double failures = (double)s->failures + (double)c->failures, slow = above(c, tail);
	/* What stable would fail at the least: half a request more than none. */
	double rate = fmax((double)s->failures, 0.5) / n_s, more = (rate + g->error_margin / 2e4) / rate;
	struct ss_canary_mean ms = log_mean(s), mc = log_mean(c);
	double margin = margin_of_latency(g);

	d->errors = ss_canary_events_p(failures, (double)c->failures, share, 1);
	d->fails_more = ss_canary_events_p(failures, (double)c->failures, share, more);
	d->p99 = ss_canary_events_p(above(s, tail) + slow, slow, share, 1);
	d->slower = ss_canary_above_p(&ms, &mc, margin / 2, margin);
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* The same without the part that has most of the canary's failures, and without the one with most of its slow requests. */
static void doubt_more(const struct ss_canary_gates *g, const struct both *all, const struct ss_canary_part *parts,
		       uint32_t n, uint32_t tail, struct doubts *d)
{
	uint32_t failing = 0, slow = 0;
	struct doubts less;
	struct both b;

	for (uint32_t i = 1; i < n; i++) {
		if (parts[i].of[1].failures > parts[failing].of[1].failures)
			failing = i;
		if (above(&parts[i].of[1], tail) > above(&parts[slow].of[1], tail))
			slow = i;
	}
	for (uint32_t k = 0; k < 2; k++) {
		const struct ss_canary_part *out = &parts[k ? slow : failing];
		b = *all;
		ss_canary_add(&b.of[0], &out->of[0], true);
		ss_canary_add(&b.of[1], &out->of[1], true);
		if (!b.of[0].requests || !b.of[1].requests)
			less = (struct doubts){1, 1, 1, 1};
		else
			doubt(g, &b, tail, &less);
		d->errors = larger(d->errors, less.errors);
		d->fails_more = larger(d->fails_more, less.fails_more);
		d->p99 = larger(d->p99, less.p99);
		d->slower = larger(d->slower, less.slower);
	}
}

/* -- the verdict -- */

static void numbers(const struct ss_canary_gates *g, const struct both *b, double alpha, struct ss_canary_verdict *v)
{
	const struct ss_canary_counts *s = &b->of[SS_CANARY_STABLE], *c = &b->of[SS_CANARY_CANARY];
	struct ss_canary_mean ms = log_mean(s), mc = log_mean(c);
	double rate_s = fmax((double)s->failures, 0.5) / (double)s->requests;

	for (uint32_t i = 0; i < SS_CANARY_VARIANTS; i++) {
		v->requests[i] = b->of[i].requests;
		v->failures[i] = b->of[i].failures;
		v->p99_ns[i] = p99_of(&b->of[i]);
	}
	if (!s->requests || !c->requests)
		return;
	v->error_ratio = (double)c->failures / (double)c->requests / rate_s;
	v->p99_ratio = v->p99_ns[0] > 0 ? v->p99_ns[1] / v->p99_ns[0] : 0;
	v->slowdown = expm1(mc.mean - ms.mean);
	v->slow_low = expm1(ss_canary_above_low(&ms, &mc, alpha, margin_of_latency(g)));
	v->slow_high = expm1(ss_canary_above_high(&ms, &mc, g->significance / 1e4));
	v->error_high = ss_canary_rise_high((double)s->failures, (double)s->requests, (double)c->failures,
					    (double)c->requests, g->significance / 1e4);
}

static void say(struct ss_canary_verdict *v, enum ss_canary_say what, enum ss_canary_why why, bool sure)
{
	v->say = (uint8_t)what;
	v->why = (uint8_t)why;
	v->sure = sure;
}

static void decide(const struct ss_canary_gates *g, struct ss_canary_verdict *v)
{
	enum ss_canary_say worse = g->regression == SS_CANARY_REGRESSION_HOLD ? SS_CANARY_HOLD : SS_CANARY_ROLLBACK;
	bool errors = v->error_ratio * 100 > g->max_error_ratio, p99 = v->p99_ratio * 100 > g->max_p99_ratio;

	if (ss_min_u64(v->requests[0], v->requests[1]) < g->min_requests)
		say(v, SS_CANARY_HOLD, SS_CANARY_WHY_SAMPLE, false);
	else if (errors && v->p_errors < v->alpha)
		say(v, SS_CANARY_ROLLBACK, SS_CANARY_WHY_ERRORS, true);
	else if (p99 && v->p_p99 < v->alpha)
		say(v, SS_CANARY_ROLLBACK, SS_CANARY_WHY_P99, true);
	else if (v->p_fails_more < v->alpha)
		say(v, worse, SS_CANARY_WHY_FAILS_MORE, true);
	else if (v->p_slower < v->alpha)
		say(v, worse, SS_CANARY_WHY_SLOWER, true);
	else if (v->error_high * 1e4 > g->error_margin)
		say(v, SS_CANARY_HOLD, SS_CANARY_WHY_ERROR_SAMPLE, false);
	else if (v->slow_high * 1e4 > g->latency_margin)
		say(v, SS_CANARY_HOLD, SS_CANARY_WHY_LATENCY_SAMPLE, false);
	else if (p99)
		say(v, SS_CANARY_HOLD, SS_CANARY_WHY_P99, false);
	else
		say(v, SS_CANARY_PASS, SS_CANARY_WHY_NONE, false);
}

void ss_canary_judge(const struct ss_canary_gates *g, const struct ss_canary_part *parts, uint32_t n_parts, uint32_t window,
		     struct ss_canary_verdict *out)
{
	struct doubts d = {1, 1, 1, 1};
	struct both all;
	uint32_t tail;

	memset(out, 0, sizeof(*out));
	memset(&all, 0, sizeof(all));
	/* Three questions (failures, the slowest, all), and a series over windows whose sum is 1: 1/2, 1/6, 1/12, ... */
	out->alpha = g->significance / 1e4 / 3 / ((double)window * (window + 1));
	for (uint32_t i = 0; i < n_parts; i++)
		for (uint32_t k = 0; k < SS_CANARY_VARIANTS; k++)
			ss_canary_add(&all.of[k], &parts[i].of[k], false);
	numbers(g, &all, out->alpha, out);
	if (all.of[0].requests && all.of[1].requests) {
		tail = tail_begin(&all);
		doubt(g, &all, tail, &d);
		doubt_more(g, &all, parts, n_parts, tail, &d);
	}
	out->p_errors = d.errors;
	out->p_p99 = d.p99;
	out->p_fails_more = d.fails_more;
	out->p_slower = d.slower;
	decide(g, out);
}
