/*
 * disco_file.c - endpoints from a file.
 *
 * Whoever writes a file in place leaves a part of one for a moment: what is no good is read again a little later before it
 * is refused. A list that was cut off is never good, for its end is missing.
 */
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "cfg/cfg.h"
#include "discovery/disco_int.h"

/* How long the rest of a file may take. */
#define QUIET_NS (150 * SS_NS_PER_MS)
/* Two changes within a tick of the file system's clock look alike. */
#define TICK_NS (10 * SS_NS_PER_MS)

static void stat_of(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		memset(st, 0, sizeof(*st));
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool just_changed(const struct stat *st)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (t.tv_sec - st->st_mtim.tv_sec) * (int64_t)SS_NS_PER_SEC + t.tv_nsec - st->st_mtim.tv_nsec < (int64_t)TICK_NS;
}

bool disco_file_changed(const struct disco_source *s)
{
	struct stat now;

	stat_of(s->cluster->discovery.path, &now);
	return !same(&now, &s->seen);
}

void disco_file_look(struct disco_source *s, bool judge, uint64_t now)
{
	struct ss_model_errors errors = {0};
	struct ss_model *answer;

	s->due = SS_NEVER;
	/* Before it is read: a change that comes meanwhile is seen the next time. */
	stat_of(s->cluster->discovery.path, &s->seen);
	if (just_changed(&s->seen))
		disco_want(s, now + SS_DISCO_PACE_NS);
	if (ss_cfg_endpoints(s->cluster->discovery.path, &answer, &errors) == 0) {
		s->doubted_at = 0;
		disco_answer(s, answer, now);
	} else if (judge || (s->doubted_at && now >= s->doubted_at + QUIET_NS)) {
		s->doubted_at = 0;
		disco_failed(s, errors.n ? errors.text[0] : "no reason given", now);
	} else {
		s->doubted_at = s->doubted_at ? s->doubted_at : now;
		disco_want(s, s->doubted_at + QUIET_NS);
	}
	ss_model_errors_free(&errors);
}
