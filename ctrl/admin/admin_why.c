/* admin_why.c - "why": what would become of a request, now or with another file; "diff": what another file would change. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_int.h"
#include "build/build.h"

char *ss_admin_refusal(const struct ss_model_errors *e, const char *why)
{
	struct ss_json j;

	ss_json_open(&j);
	ss_json_list(&j, "errors");
	for (uint32_t i = 0; i < e->n; i++)
		ss_json_text(&j, NULL, e->text[i]);
	if (why)
		ss_json_text(&j, NULL, why);
	ss_json_end_list(&j);
	return ss_json_close(&j);
}

static char *explain(struct ss_admin *a, const struct ss_why_ask *ask, const struct ss_model *m,
		     const struct ss_snapshot *s, bool *ok)
{
	struct ss_model_errors none = { 0 };
	struct ss_json j;
	char err[400] = "nothing is in force yet";
	char *text;

	if (ask->request)
		return ss_admin_past(a, ask, m, s, ok);
	ss_json_open(&j);
	if (ask->config)
		ss_apply_warn(a->conf.apply, m, &j);
	*ok = s && ss_why_explain(a->why, s, m, ask, &j, NULL, err, sizeof(err)) == 0;
	text = ss_json_close(&j);
	if (*ok)
		return text;
	free(text);
	return ss_admin_refusal(&none, err);
}

static char *explain_candidate(struct ss_admin *a, const struct ss_why_ask *ask, bool *ok)
{
	struct ss_model_errors errors = { 0 };
	struct ss_snapshot *s = NULL;
	struct ss_model *m = NULL;
	char *text;

	*ok = false;
	if (ss_apply_candidate(a->conf.apply, ask->config, &m, &s, &errors) < 0)
		text = ss_admin_refusal(&errors, NULL);
	else
		text = explain(a, ask, m, s, ok);
	ss_model_errors_free(&errors);
	ss_build_destroy(s);
	ss_model_free(m);
	return text;
}

char *ss_admin_why(struct ss_admin *a, char *line, bool *ok)
{
	struct ss_model_errors none = { 0 };
	struct ss_why_ask ask;
	char err[400];

	*ok = false;
	if (!line)
		return ss_admin_refusal(&none, "which request? say listener, method, authority and path");
	if (ss_why_read(&ask, line, err, sizeof(err)) < 0)
		return ss_admin_refusal(&none, err);
	if (ask.config)
		return explain_candidate(a, &ask, ok);
	return explain(a, &ask, ss_apply_model(a->conf.apply), ss_publish_current(a->conf.publish), ok);
}

static char *differences(struct ss_admin *a, const struct ss_model *m, bool *ok)
{
	struct ss_json j;
	char *text;

	ss_json_open(&j);
	ss_json_text(&j, "file", m->file);
	ss_json_text(&j, "config_hash", m->hash);
	ss_json_text(&j, "in_force", ss_apply_model(a->conf.apply)->hash);
	ss_apply_warn(a->conf.apply, m, &j);
	*ok = ss_apply_diff(a->conf.apply, m, &j) == 0;
	text = ss_json_close(&j);
	if (!*ok) {
		free(text);
		return NULL;
	}
	return text;
}

char *ss_admin_diff(struct ss_admin *a, char *line, bool *ok)
{
	struct ss_model_errors errors = { 0 };
	struct ss_snapshot *s = NULL;
	struct ss_model *m = NULL;
	struct ss_why_ask ask = { 0 };
	char err[400] = "which file?", *text;

	*ok = false;
	if (!line || ss_why_read(&ask, line, err, sizeof(err)) < 0 || !ask.config)
		return ss_admin_refusal(&errors, err);
	if (ss_apply_candidate(a->conf.apply, ask.config, &m, &s, &errors) < 0)
		text = ss_admin_refusal(&errors, NULL);
	else
		text = differences(a, m, ok);
	ss_model_errors_free(&errors);
	ss_build_destroy(s);
	ss_model_free(m);
	return text;
}
