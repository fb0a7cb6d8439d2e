/*
 * eal.h - DPDK's environment out of the process part of a model.
 *
 * Takes:   cores, memory and ports of the model.
 * Gives:   a running EAL; worker i is lcore i + 1, control is the main lcore 0.
 * Owns:    the EAL. It leaves no file behind.
 * Thread:  control, once per process. Blocks.
 * Errors:  SS_ERR_FATAL with a sentence.
 */
#ifndef SS_EAL_H
#define SS_EAL_H

#include "model/model.h"

#define SS_EAL_ARGS 40

struct ss_eal_args {
	int n;
	char *v[SS_EAL_ARGS + 1]; /* NULL-terminated */
	char text[4096];          /* what v points into */
	size_t used;
};

/* The arguments alone, for the log and for tests. telemetry: keep DPDK's own socket.
 * SS_ERR_FATAL when they do not fit. */
int ss_eal_args(struct ss_eal_args *a, const struct ss_model_process *p, bool telemetry);
int ss_eal_start(const struct ss_model_process *p, bool telemetry, char *err, size_t err_n);
void ss_eal_stop(void);

#endif
