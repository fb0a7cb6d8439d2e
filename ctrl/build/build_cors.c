/* build_cors.c - cross-origin policies with their answers ready to send; and maintenance. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"
#include "contract/cors.h"

/* "a, b, c"; empty for none. any: whether one of them is "*". */
static struct ss_span joined(struct ss_build_job *j, char *const *texts, uint32_t n, bool *any)
{
	size_t len = 1;
	char *all;
	struct ss_span out;

	for (uint32_t i = 0; i < n; i++) {
		len += strlen(texts[i]) + 2;
		*any |= strcmp(texts[i], "*") == 0;
	}
	all = calloc(1, len);
	for (uint32_t i = 0; all && i < n; i++) {
		strcat(all, i ? ", " : "");
		strcat(all, texts[i]);
	}
	out = ss_build_text(j, *any ? "*" : all);
	free(all);
	return out;
}

/* Exact ones and prefixes into a list, expressions into a database. */
static int build_origins(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_cors *m,
			 const struct ss_model_src *src, struct ss_cors *c)
{
	struct ss_origin *o = ss_build_array(j, m->n_origins, sizeof(*o));
	struct ss_build_pattern *patterns = calloc(m->n_origins + 1, sizeof(*patterns));
	uint32_t n_patterns = 0;
	int err = o && patterns ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; !err && i < m->n_origins; i++) {
		const struct ss_model_origin *from = &m->origins[i];
		if (from->kind == SS_MODEL_ORIGIN_REGEX)
			patterns[n_patterns++] = (struct ss_build_pattern){from->text, i, src};
		else if (from->kind == SS_MODEL_ORIGIN_EXACT && !strcmp(from->text, "*"))
			c->any = !m->credentials;
		else
			o[c->n_origins++] = (struct ss_origin){.kind = from->kind == SS_MODEL_ORIGIN_PREFIX
									       ? SS_ORIGIN_PREFIX
									       : SS_ORIGIN_EXACT,
							       .text = ss_build_text(j, from->text)};
	}
	c->origins = o;
	if (!err)
		err = ss_build_regex_set(j, x, patterns, n_patterns, "cors", &c->regexes);
	free(patterns);
	return err;
}

int ss_build_cors(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_cors *m,
		  const struct ss_model_src *src, const struct ss_cors **out)
{
	struct ss_cors *c = m->present ? ss_build_alloc(j, sizeof(*c)) : NULL;
	bool any_method = false, any_header = false, any_expose = false;
	char age[24];

	if (!m->present)
		return 0;
	if (!c)
		return SS_ERR_NO_MEM;
	snprintf(age, sizeof(age), "%llu", (unsigned long long)(m->max_age_ns / SS_NS_PER_SEC));
	c->credentials = m->credentials;
	c->methods = joined(j, m->methods, m->n_methods, &any_method);
	c->headers = joined(j, m->headers, m->n_headers, &any_header);
	c->expose = joined(j, m->expose, m->n_expose, &any_expose);
	c->max_age = ss_build_text(j, age);
	/* Fetch 3.2.5: with credentials "*" means a method or header of that name. */
	c->echo_methods = any_method && m->credentials;
	c->echo_headers = any_header && m->credentials;
	if (any_expose && m->credentials)
		c->expose = SS_SPAN_NONE;
	*out = c;
	return build_origins(j, x, m, src, c);
}

int ss_build_maintenance(struct ss_build_job *j, const struct ss_model_maintenance *m,
			 const struct ss_maintenance **out)
{
	struct ss_maintenance *s;

	if (!m->present || !m->enabled)
		return 0;
	s = ss_build_alloc(j, sizeof(*s));
	if (!s)
		return SS_ERR_NO_MEM;
	*s = (struct ss_maintenance){
		.body = ss_build_text(j, m->body),
		.type = ss_build_text(j, m->type),
		.retry_after_s = (uint32_t)((m->retry_after_ns + SS_NS_PER_SEC - 1) / SS_NS_PER_SEC)};
	*out = s;
	return 0;
}
