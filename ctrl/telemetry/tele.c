/* tele.c - the room's life, and the rings' way into the log. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

/* Records per worker and poll, so that a flood leaves the control thread time for the operator. */
#define BATCH 4096

int ss_tele_create(struct ss_tele **out, const struct ss_tele_conf *conf, char *err, size_t err_n)
{
	struct ss_tele *t = calloc(1, sizeof(*t));
	int code = 0;

	snprintf(err, err_n, "no memory");
	if (!t)
		return SS_ERR_NO_MEM;
	t->conf = *conf;
	t->version = strdup(conf->version ? conf->version : "");
	t->node = strdup(conf->node ? conf->node : "");
	if (!t->version || !t->node || ss_tele_pairs_create(&t->pairs) < 0 || ss_tele_recent_create(t) < 0)
		code = SS_ERR_NO_MEM;
	if (code == 0 && conf->access_log)
		code = ss_tele_log_open(&t->log, "access_log", conf->access_log, err, err_n);
	if (code == 0 && conf->audit_log)
		code = ss_tele_log_open(&t->audit, "audit_log", conf->audit_log, err, err_n);
	if (code == 0 && conf->health_log)
		code = ss_tele_log_open(&t->health, "health_log", conf->health_log, err, err_n);
	if (code == 0 && conf->metrics_address)
		code = ss_tele_http_start(t, err, err_n);
	if (code < 0) {
		ss_tele_free(t);
		return code;
	}
	*out = t;
	return 0;
}

void ss_tele_free(struct ss_tele *t)
{
	if (!t)
		return;
	while (ss_tele_poll(t))
		;
	ss_tele_http_stop(t);
	ss_tele_log_close(&t->log);
	ss_tele_log_close(&t->audit);
	ss_tele_log_close(&t->health);
	ss_tele_pairs_free(&t->pairs);
	ss_tele_recent_free(t);
	free(t->version);
	free(t->node);
	free(t);
}

static void remember_hash(struct ss_tele *t, const struct ss_snapshot *s)
{
	uint32_t last = (t->next_hash + TELE_HASHES - 1) % TELE_HASHES;

	if (!s || t->hashes[last].until == s->generation)
		return;
	/* Discovery and secrets make generations of the same configuration, many a second. Only what follows at once is known to
	 * be such: between others may have been one that came and went since the last look. */
	if (t->hashes[last].until + 1 == s->generation && !strcmp(t->hashes[last].hash, s->hash)) {
		t->hashes[last].until = s->generation;
		return;
	}
	t->hashes[t->next_hash].from = t->hashes[t->next_hash].until = s->generation;
	memcpy(t->hashes[t->next_hash].hash, s->hash, sizeof(s->hash));
	t->next_hash = (t->next_hash + 1) % TELE_HASHES;
}

/* Workers' times are those of CLOCK_MONOTONIC; an operator wants the time of day, also after it was set. */
static int64_t wall_offset(void)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (wall.tv_sec - mono.tv_sec) * (int64_t)SS_NS_PER_SEC + wall.tv_nsec - mono.tv_nsec;
}

bool ss_tele_poll(struct ss_tele *t)
{
	const struct ss_snapshot *s = t->conf.ask.snapshot ? t->conf.ask.snapshot(t->conf.ask.arg) : NULL;
	int64_t offset = wall_offset();
	bool more = false;

	remember_hash(t, s);
	for (uint32_t i = 0; i < t->conf.n_workers; i++) {
		struct ss_event_ring *ring = t->conf.events[i];
		const struct ss_event *ev;
		unsigned n = 0;

		while ((ev = ss_event_peek(ring)) && n++ < BATCH) {
			ss_tele_log_event(t, ev, offset);
			ss_tele_pairs_count(&t->pairs, s, ev);
			ss_tele_recent_add(t, ev, offset);
			if (t->n_views)
				ss_tele_views_event(t, ev, offset);
			ss_event_release(ring);
		}
		more |= ev != NULL;
	}
	ss_tele_views_poll(t, s);
	ss_tele_log_flush(&t->log);
	ss_tele_log_flush(&t->audit);
	ss_tele_log_flush(&t->health);
	return more;
}

void ss_tele_event(struct ss_tele *t, const struct ss_event *ev)
{
	ss_tele_log_event(t, ev, wall_offset());
}

static void reopen(struct tele_log *l, const char *key)
{
	char *path = l->path;
	char err[256];

	if (!path)
		return;
	l->path = NULL;
	ss_tele_log_close(l);
	if (ss_tele_log_open(l, key, path, err, sizeof(err)) < 0) {
		/* Keeps the path: the next reopening may find it writable. ss_tele_log_flush says so. */
		l->path = path;
		return;
	}
	free(path);
}

void ss_tele_reopen(struct ss_tele *t)
{
	reopen(&t->log, "access_log");
	reopen(&t->audit, "audit_log");
	reopen(&t->health, "health_log");
}
