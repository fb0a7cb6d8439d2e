/*
 * load_hist.h - a log-linear histogram of nanoseconds, fine enough for percentiles.
 *
 * Takes:   values from one worker.
 * Gives:   quantiles at most 1/128 (0.8 %) above the truth, from 1 ns to 137 s; min, max and mean exactly.
 * Owns:    its buckets.
 * Thread:  one writer; reading is for when it has ended.
 */
#ifndef SS_LOAD_HIST_H
#define SS_LOAD_HIST_H

#include "base/base.h"

#define SS_LOAD_HIST_BITS 7
#define SS_LOAD_HIST_TOP 37 /* what is 2^37 ns or more lands in the last bucket; max stays exact */
#define SS_LOAD_HIST_BUCKETS ((SS_LOAD_HIST_TOP - SS_LOAD_HIST_BITS + 1) << SS_LOAD_HIST_BITS)

struct ss_load_hist {
	uint64_t count, sum, min, max;
	uint64_t bucket[SS_LOAD_HIST_BUCKETS];
};

void ss_load_hist_clear(struct ss_load_hist *h);
void ss_load_hist_add(struct ss_load_hist *h, uint64_t ns);
/* The least value that a share q (0..1) of the samples do not exceed; 0 without samples. */
uint64_t ss_load_hist_quantile(const struct ss_load_hist *h, double q);
double ss_load_hist_mean(const struct ss_load_hist *h);

#endif
