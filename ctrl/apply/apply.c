#include <stdlib.h>
#include <string.h>

#include "apply/apply_int.h"
#include "base/err.h"
#include "cfg/cfg.h"
#include "loop/log.h"
#include "loop/pace.h"

int ss_apply_create(struct ss_apply **out, const struct ss_apply_conf *conf)
{
	struct ss_apply *a = calloc(1, sizeof(*a));
	*out = NULL;
	if (!a || !(a->path = strdup(conf->path))) {
		free(a);
		return SS_ERR_NO_MEM;
	}
	a->build = conf->build;
	a->disco = conf->disco;
	a->publish = conf->publish;
	a->history = conf->history;
	a->first = a->current = conf->model;
	*out = a;
	return 0;
}

void ss_apply_free(struct ss_apply *a)
{
	if (!a)
		return;
	if (a->current != a->first)
		ss_model_free(a->current);
	ss_model_free(a->first);
	free(a->path);
	free(a);
}

static int lend(struct ss_apply *a, struct ss_model *m, struct ss_model_errors *errors)
{
	int err = a->disco ? ss_disco_lend(a->disco, m) : 0;

	if (err < 0)
		ss_model_error(errors, NULL, NULL, "out of memory");
	return err;
}

static void follow(struct ss_apply *a)
{
	if (a->disco)
		ss_disco_follow(a->disco, a->current);
}

static int build_and_swap(struct ss_apply *a, struct ss_model *m, struct ss_model_errors *errors)
{
	struct ss_snapshot *s;
	/* A generation's number is used once, also when it is refused: a log line names one attempt. */
	int err = lend(a, m, errors);
	if (err == 0)
		err = ss_build_snapshot(a->build, m, ++a->generation, &s, errors);
	if (err < 0)
		return err;
	ss_publish_swap(a->publish, s);
	return 0;
}

int ss_apply_first(struct ss_apply *a, struct ss_model_errors *errors)
{
	int err = build_and_swap(a, a->current, errors);
	if (err == 0) {
		follow(a);
		ss_apply_keep_read(a, SS_HISTORY_START, NULL);
	}
	return err;
}

int ss_apply_read(struct ss_apply *a, struct ss_model_errors *errors)
{
	struct ss_model *m;
	int err = ss_cfg_load(a->path, &m, errors);
	if (err < 0)
		return err;
	err = ss_cfg_same_process(a->first, m, errors);
	if (err == 0)
		err = build_and_swap(a, m, errors);
	if (err < 0) {
		ss_model_free(m);
		return err;
	}
	if (a->current != a->first)
		ss_model_free(a->current);
	a->current = m;
	follow(a);
	return 0;
}

int ss_apply_candidate(struct ss_apply *a, const char *path, struct ss_model **m, struct ss_snapshot **s,
		       struct ss_model_errors *errors)
{
	struct ss_pace pace;
	int err;

	*m = NULL;
	*s = NULL;
	ss_pace_begin(&pace, ss_model_core_shared(&a->first->process, a->first->process.control_core, 0));
	err = ss_cfg_load(path, m, errors);
	if (err == 0)
		err = ss_cfg_same_process(a->first, *m, errors);
	if (err == 0)
		err = lend(a, *m, errors);
	if (err == 0)
		err = ss_build_candidate(a->build, *m, a->generation + 1, s, errors);
	ss_pace_end(&pace);
	if (err < 0 && *m) {
		ss_model_free(*m);
		*m = NULL;
	}
	return err;
}

int ss_apply_reload(struct ss_apply *a, const char *by, uint64_t *generation, struct ss_model_errors *errors)
{
	uint32_t before = errors->n;
	struct ss_pace pace;
	ss_pace_begin(&pace, ss_model_core_shared(&a->first->process, a->first->process.control_core, 0));
	int err = ss_apply_read(a, errors);
	ss_pace_end(&pace);
	*generation = err < 0 ? 0 : a->generation;
	for (uint32_t i = before; err < 0 && i < errors->n; i++)
		ss_log(SS_LOG_ERROR, "configuration refused", "reason", errors->text[i], NULL);
	if (err == 0) {
		ss_log(SS_LOG_INFO, "configuration published", "generation", ss_log_u64(a->generation),
		       "hash", a->current->hash, NULL);
		ss_apply_keep_read(a, SS_HISTORY_RELOAD, by);
	} else if (a->history) {
		ss_apply_keep_refused(a, &(struct ss_history_note){
						 .how = SS_HISTORY_RELOAD, .by = by,
						 .refused = errors->n > before ? errors->text[before] : "no memory" });
	}
	return err;
}

bool ss_apply_refresh(struct ss_apply *a, bool judge)
{
	struct ss_snapshot *s;
	int doubts = ss_build_refresh(a->build, a->current, a->generation + 1, judge, &s);

	if (doubts < 0 || !s)
		return doubts == 0;
	a->generation++;
	ss_publish_swap(a->publish, s);
	return doubts == 0;
}

bool ss_apply_again(struct ss_apply *a)
{
	struct ss_model_errors errors = { 0 };
	struct ss_snapshot *s;
	int err = ss_build_again(a->build, a->current, a->generation + 1, &s, &errors);

	for (uint32_t i = 0; err < 0 && i < errors.n; i++)
		ss_log(SS_LOG_ERROR, "configuration refused", "reason", errors.text[i], NULL);
	ss_model_errors_free(&errors);
	if (err < 0)
		return false;
	a->generation++;
	ss_publish_swap(a->publish, s);
	return true;
}

/* The list stays the old one's where the new one cannot be built. */
static void take_offer(struct ss_apply *a, const struct ss_disco_offer *o)
{
	struct ss_model_cluster *k = &a->current->clusters[o->at], was = *k;
	struct ss_model_errors errors = { 0 };
	struct ss_snapshot *s;

	k->endpoints = o->endpoints;
	k->n_endpoints = o->n;
	if (ss_build_endpoints(a->build, a->current, o->at, ss_publish_current(a->publish), &s, &errors) < 0) {
		*k = was;
		ss_disco_settle(a->disco, o, errors.n ? errors.text[0] : "no reason given");
	} else {
		ss_publish_swap(a->publish, s);
		ss_disco_settle(a->disco, o, NULL);
	}
	ss_model_errors_free(&errors);
}

void ss_apply_offers(struct ss_apply *a)
{
	struct ss_disco_offer o;
	struct ss_pace pace;

	ss_pace_begin(&pace, ss_model_core_shared(&a->first->process, a->first->process.control_core, 0));
	while (ss_disco_offer(a->disco, a->current, &o))
		take_offer(a, &o);
	ss_pace_end(&pace);
}

void ss_apply_warn(const struct ss_apply *a, const struct ss_model *m, struct ss_json *j)
{
	struct ss_model_errors found = { 0 };

	if (a->disco)
		ss_disco_faults(a->disco, m, &found, &found);
	if (found.n)
		ss_json_list(j, "warnings");
	for (uint32_t i = 0; i < found.n; i++)
		ss_json_text(j, NULL, found.text[i]);
	if (found.n)
		ss_json_end_list(j);
	ss_model_errors_free(&found);
}

int ss_apply_diff(const struct ss_apply *a, const struct ss_model *m, struct ss_json *j)
{
	return ss_cfg_diff(j, a->current, m);
}

const struct ss_model *ss_apply_model(const struct ss_apply *a)
{
	return a->current;
}

void ss_apply_show(const struct ss_apply *a, struct ss_json *j)
{
	ss_cfg_show(j, a->current);
}

const struct ss_history *ss_apply_history(const struct ss_apply *a)
{
	return a->history;
}

const char *ss_apply_path(const struct ss_apply *a)
{
	return a->path;
}
