/*
 * load_main.c - the control thread of sidestep-load: options, DPDK, one worker, a line a second, the report.
 */
#include <rte_launch.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "model/model.h"
#include "perf/load/load_int.h"
#include "start/eal.h"

enum { EXIT_RIGHT = 0, EXIT_ERRORS = 1, EXIT_START = 2, EXIT_HELD = 3 };

/* How often the control thread looks whether the worker has ended. */
#define LOOK_NS (5 * SS_NS_PER_MS)

static uint64_t seen(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

static const char *const phases[] = { "opening", "warmup", "measuring", "draining", "closing", "ended" };

/* For whoever takes samples of other processes at both ends of the measuring: also with --quiet. */
static void tell_phase(const struct ss_load *w, uint32_t *told)
{
	uint32_t phase = __atomic_load_n(&w->phase, __ATOMIC_RELAXED);

	for (; *told < phase; ++*told)
		fprintf(stderr, "phase %s\n", phases[*told + 1]);
}

static void progress(const struct ss_load *w, struct ss_load_live *last, double took)
{
	struct ss_load_live now = { .requests = seen(&w->live.requests), .errors = seen(&w->live.errors),
				    .bytes = seen(&w->live.bytes), .served = seen(&w->live.served),
				    .open = seen(&w->live.open), .behind = seen(&w->live.behind) };

	fprintf(stderr, "%-9s", phases[__atomic_load_n(&w->phase, __ATOMIC_RELAXED)]);
	if (w->o->client)
		fprintf(stderr, " %9.0f requests/s  %8.1f MB/s  %llu errors  %llu open",
			(double)(now.requests - last->requests) / took,
			(double)(now.bytes - last->bytes) / took / 1e6, (unsigned long long)now.errors,
			(unsigned long long)now.open);
	if (w->o->rate > 0)
		fprintf(stderr, "  %llu behind", (unsigned long long)now.behind);
	if (w->o->n_listen)
		fprintf(stderr, "  %9.0f served/s", (double)(now.served - last->served) / took);
	fputc('\n', stderr);
	*last = now;
}

/* Until the worker has ended; a first signal asks it to, a second one leaves. */
static void watch(struct ss_load *w, const sigset_t *ours)
{
	struct timespec nap = { .tv_nsec = LOOK_NS };
	struct ss_load_live last = { 0 };
	uint64_t line = ss_clock_ns(&w->clock);
	uint32_t told = 0;

	while (!atomic_load(&w->ended)) {
		if (sigtimedwait(ours, NULL, &nap) > 0 && atomic_fetch_add(&w->stop, 1))
			_exit(EXIT_START);
		tell_phase(w, &told);
		uint64_t now = ss_clock_ns(&w->clock);
		if (now - line < SS_NS_PER_SEC || w->o->quiet)
			continue;
		progress(w, &last, (double)(now - line) / 1e9);
		line = now;
	}
	tell_phase(w, &told);
}

static int report(const struct ss_load *w)
{
	const char *path = w->o->json;
	bool only = path && strcmp(path, "-") == 0;
	char *text = path ? ss_load_report_json(w) : NULL;
	FILE *f = only ? stdout : path ? fopen(path, "w") : NULL;
	int code = 0;

	if (!only)
		ss_load_report_text(w, stdout);
	if (path && (!text || !f || fprintf(f, "%s\n", text) < 0 || fflush(f) != 0)) {
		fprintf(stderr, "sidestep-load: --json: cannot write %s\n", path);
		code = SS_ERR_CONFIG;
	}
	if (f && !only)
		fclose(f);
	free(text);
	return code;
}

static int measure(struct ss_load *w, const sigset_t *ours)
{
	int code;

	if (rte_eal_remote_launch(ss_load_run, w, 1) < 0) {
		fputs("sidestep-load: the worker cannot start on its core\n", stderr);
		return EXIT_START;
	}
	watch(w, ours);
	rte_eal_wait_lcore(1);
	code = report(w) < 0 ? EXIT_START : EXIT_RIGHT;
	if (w->o->client && !w->complete && !w->client.n_ever) {
		fprintf(stderr, "sidestep-load: no connection could be opened to the --target\n");
		code = EXIT_ERRORS;
	}
	if (code == EXIT_RIGHT && ss_load_errors(w))
		code = EXIT_ERRORS;
	return ss_load_nothing_held(w) ? code : EXIT_HELD;
}

/* Threads that the EAL makes have the signals blocked as well: they wait for this thread alone. */
static int run(const struct ss_load_opts *o)
{
	struct ss_load_setup s = { 0 };
	struct ss_load *w = NULL;
	sigset_t ours;
	char err[512];
	int code = EXIT_START;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (ss_load_setup_model(&s, o) < 0 || ss_load_setup_build(&s) < 0)
		goto out;
	if (ss_eal_start(&s.model->process, false, err, sizeof(err)) < 0) {
		fprintf(stderr, "sidestep-load: %s\n", err);
		goto out;
	}
	if (ss_load_create(&w, o, &s, err, sizeof(err)) < 0)
		fprintf(stderr, "sidestep-load: %s\n", err);
	else
		code = measure(w, &ours);
	ss_load_free(w);
	ss_eal_stop();
out:
	ss_load_setup_free(&s);
	return code;
}

static int print_body(uint64_t n)
{
	struct ss_load_pattern p;

	ss_load_pattern_init(&p);
	for (uint64_t at = 0; at < n;) {
		struct ss_span s = ss_load_pattern_at(&p, at, n - at);

		if (fwrite(s.p, 1, s.n, stdout) != s.n)
			return EXIT_START;
		at += s.n;
	}
	return fflush(stdout) == 0 ? EXIT_RIGHT : EXIT_START;
}

static int serve(const struct ss_load_opts *o)
{
	if (o->help)
		ss_load_opts_usage(stdout);
	if (o->version)
		puts("sidestep-load " SS_LOAD_VERSION);
	if (o->help || o->version)
		return EXIT_RIGHT;
	return o->print_body ? print_body(o->print_bytes) : run(o);
}

int main(int argc, char **argv)
{
	struct ss_load_opts o;
	char err[256];
	int code = EXIT_START;

	if (ss_load_opts_parse(&o, argc, argv, err, sizeof(err)) < 0)
		fprintf(stderr, "sidestep-load: %s\n", err);
	else
		code = serve(&o);
	ss_load_opts_free(&o);
	return code;
}
