/*
 * canary_stat.h - how sure one may be that a share of a split is worse, however often one looks.
 *
 * Takes:   counts and moments.
 * Gives:   probabilities of having been deceived, and bounds.
 * Owns:    nothing: pure functions.
 * Thread:  any.
 * Units:   probabilities 0 to 1.
 *
 * A test that is made again and again until it says "worse" will say so of anything: looked at sixty times, a test at 1 %
 * is wrong one time in ten or more. So the p-values here are always valid: the probability that p falls to alpha or below at
 * any of all looks is at most alpha, where nothing is worse (Robbins 1970; Johari, Pekelis and Walsh 2017).
 */
#ifndef SS_CANARY_STAT_H
#define SS_CANARY_STAT_H

#include "base/base.h"

/* Mean of n numbers, with the variance that it itself has. */
struct ss_canary_mean {
	double n, mean, variance;
};

/* I_x(a, b), DLMF 8.17. */
double ss_canary_beta(double x, double a, double b);

/*
 * Of `all` events (failures, slow requests) `canary` were the canary's, which has `share` of the requests: p of that, if
 * its rate is at most `ratio` times stable's. Given that an event happens, it is the canary's with probability
 * theta = share * ratio / (share * ratio + 1 - share), whatever the rate is and however it varies: so an outage that hits
 * both moves nothing. A mixture of likelihood ratios over all larger theta is a martingale; p is its inverse (Ville).
 */
double ss_canary_events_p(double all, double canary, double share, double ratio);

/* p of the canary's mean being above stable's by at most `least`; tau: how much more is looked for (the mixture's width). */
double ss_canary_above_p(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double least, double tau);
/* The bound at alpha from below (the same test), and one from above that is good for one look. */
double ss_canary_above_low(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double alpha,
			   double tau);
double ss_canary_above_high(const struct ss_canary_mean *stable, const struct ss_canary_mean *canary, double alpha);

/* A bound from above, for one look, of how much larger the canary's rate is: score intervals joined (Newcombe 1998, 10). */
double ss_canary_rise_high(double failures_s, double n_s, double failures_c, double n_c, double alpha);

/* z with a normal tail of alpha above it. */
double ss_canary_z(double alpha);

#endif
