/* canary_stat.c - always-valid tests, and bounds. */
#include "canary/canary_stat.h"

#include <math.h>

/* -- the incomplete beta function -- */

/* DLMF 8.17.22, by the modified method of Lentz (1976). */
static double fraction(double x, double a, double b)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), f;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	f = d;
	for (int m = 1; m < 500; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step = 1;

		for (int i = 0; i < 2; i++) {
			double k = i ? odd : even;
			d = 1 + k * d;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = 1 + k / c;
			c = fabs(c) < tiny ? tiny : c;
			step = c * d;
			f *= step;
		}
		if (fabs(step - 1) < 1e-14)
			break;
	}
	return f;
}

double ss_canary_beta(double x, double a, double b)
{
	double front;

	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	/* The fraction converges fast on this side of the mean, 8.17.4 gives the other. */
	if (x <= (a + 1) / (a + b + 2))
		return front * fraction(x, a, b) / a;
	return 1 - front * fraction(1 - x, b, a) / b;
}

/* -- events -- */

/* Of the prior: a relative width of 0.7 around theta, where theta is small. */
#define WIDTH 2.0

double ss_canary_events_p(double all, double canary, double share, double ratio)
{
	double odds = share * ratio / (1 - share), theta = odds / (1 + odds), rest = all - canary;
	double a = theta <= 0.5 ? WIDTH : WIDTH * odds, b = theta <= 0.5 ? WIDTH / odds : WIDTH;
	double before, after, log_e;

	if (!(theta > 0 && theta < 1) || all <= 0)
		return 1;
	/* Above theta: of the prior, and of what the events have made of it. */
	before = ss_canary_beta(1 - theta, b, a);
	after = ss_canary_beta(1 - theta, b + rest, a + canary);
	if (!(before > 0) || !(after > 0))
		return 1;
	log_e = log(after) - log(before) + lgamma(a + canary) + lgamma(b + rest) - lgamma(a + b + all) - lgamma(a) -
		lgamma(b) + lgamma(a + b) - canary * log(theta) - rest * log1p(-theta);
	return log_e <= 0 ? 1 : exp(-log_e);
}

/* -- means -- */

static double variance_of(const struct ss_canary_mean *s, const struct ss_canary_mean *c)
{
	return fmax(s->variance + c->variance, 1e-18); /* all values in one bucket */
}

/* log of the likelihood ratio, mixed over effects above 0 with the density of a halved N(0, tau^2):
 * 2 sqrt(V / (V + tau^2)) exp(d^2 tau^2 / (2 V (V + tau^2))) Phi(d tau / sqrt(V (V + tau^2))). */
static double log_ratio(double d, double v, double t)
{
	double k = t / (v * (v + t));

	return log(v / (v + t)) / 2 + d * d * k / 2 + log(erfc(-d * sqrt(k / 2)));
}

double ss_canary_above_p(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double least, double tau)
{
	double d = canary->mean - stable->mean - least, l;

	if (!(d > 0) || stable->n < 2 || canary->n < 2)
		return 1;
	l = log_ratio(d, variance_of(stable, canary), tau * tau);
	return l <= 0 ? 1 : exp(-l);
}

double ss_canary_above_low(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double alpha,
			   double tau)
{
	double v = variance_of(stable, canary), low = 0, high = 1e3;

	for (int i = 0; i < 100; i++) {
		double mid = (low + high) / 2;
		if (log_ratio(mid, v, tau * tau) < -log(alpha))
			low = mid;
		else
			high = mid;
	}
	return canary->mean - stable->mean - high;
}

double ss_canary_above_high(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double alpha)
{
	return canary->mean - stable->mean + ss_canary_z(alpha) * sqrt(variance_of(stable, canary));
}

/* -- rates -- */

/* Wilson 1927. */
static void score(double x, double n, double z, double *low, double *high)
{
	double p = x / n, zz = z * z / n, mid = (p + zz / 2) / (1 + zz);
	double half = z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);

	*low = fmax(mid - half, 0);
	*high = fmin(mid + half, 1);
}

double ss_canary_rise_high(double failures_s, double n_s, double failures_c, double n_c, double alpha)
{
	double z = ss_canary_z(alpha), ps = failures_s / n_s, pc = failures_c / n_c, low, high, unused;

	score(failures_s, n_s, z, &low, &unused);
	score(failures_c, n_c, z, &unused, &high);
	return pc - ps + sqrt((high - pc) * (high - pc) + (ps - low) * (ps - low));
}

/* Bisection of erfc: called a few times a second at most. */
double ss_canary_z(double alpha)
{
	double low = -40, high = 40;

	for (int i = 0; i < 100; i++) {
		double mid = (low + high) / 2;
		if (erfc(mid * M_SQRT1_2) / 2 > alpha)
			low = mid;
		else
			high = mid;
	}
	return low;
}
