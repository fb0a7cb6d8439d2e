/* build_snapshot.c - runs the parts in order; names, identities; the snapshot's beginning and end. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "build/build_files.h"

int ss_build_create(struct ss_build **out, const struct ss_build_conf *conf)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return SS_ERR_NO_MEM;
	(*out)->conf = *conf;
	return 0;
}

void ss_build_free(struct ss_build *b)
{
	if (!b)
		return;
	ss_build_files_free(b->files);
	free(b->past.v);
	free(b);
}

uint32_t ss_build_name(struct ss_build_job *j, const char *name)
{
	uint32_t id = ss_names_intern(j->names, name);
	if (id == 0)
		ss_model_error(j->errors, NULL, NULL,
			       "no place left for the name \"%s\": restart to forget old ones", name);
	return id;
}

uint32_t ss_build_addr_name(struct ss_build_job *j, const struct ss_addr *a)
{
	char text[SS_ADDR_TEXT];
	return ss_build_name(j, ss_addr_text(a, text));
}

/* DNS names compare without regard to case, and tables have them in lower case. */
static struct ss_span id_value(struct ss_build_job *j, const struct ss_model_id *m)
{
	struct ss_span lower = ss_build_lower(j, m->value);

	return m->kind == SS_ID_EXACT && !ss_id_trust_domain(lower).p ? lower : ss_build_text(j, m->value);
}

int ss_build_ids(struct ss_build_job *j, uint32_t n, const struct ss_model_id *ids, uint16_t *out_n,
		 const struct ss_id_match **out)
{
	struct ss_id_match *m = ss_build_array(j, n, sizeof(*m));
	*out_n = 0;
	*out = m;
	if (!m)
		return SS_ERR_NO_MEM;
	if (n > UINT16_MAX) {
		ss_model_error(j->errors, NULL, "allowed_ids", "more than %u identities", UINT16_MAX);
		return SS_ERR_CONFIG;
	}
	for (uint32_t i = 0; i < n; i++) {
		m[i].kind = (uint8_t)ids[i].kind;
		m[i].value = id_value(j, &ids[i]);
		if (ids[i].value && !m[i].value.p)
			return SS_ERR_NO_MEM;
	}
	*out_n = (uint16_t)n;
	return 0;
}

/* The snapshot lies in its own memory, which is freed last. */
static bool begin(struct ss_build_job *j, const struct ss_build *b, const struct ss_model *m, uint64_t generation)
{
	struct ss_snapshot *s = ss_build_edition_first(j);

	if (!s)
		return false;
	s->generation = generation;
	s->n_workers = b->conf.n_workers;
	s->policies = b->conf.policies;
	s->wall = b->conf.wall;
	memcpy(s->hash, m->hash, sizeof(s->hash));
	return true;
}

int ss_build_compile(struct ss_build *b, const struct ss_model *m, const struct ss_build_files *files,
		     uint64_t generation, struct ss_snapshot **out, struct ss_model_errors *errors)
{
	static int (*const parts[])(struct ss_build_job *) = {
		ss_build_clusters, ss_build_places, ss_build_ext_authz, ss_build_jwt_providers, ss_build_limits,
		ss_build_regex_start, ss_build_routes, ss_build_listeners,
	};
	struct ss_build_job j = {
		.b = b, .model = m, .names = b->conf.names, .endpoints = b->conf.endpoints,
		.limit_table = b->conf.limits, .policies = b->conf.policies,
		.n_workers = b->conf.n_workers, .errors = errors,
		.past = &b->past, .files = files,
	};
	uint32_t before = errors->n;
	int err = 0;
	*out = NULL;
	if (!begin(&j, b, m, generation)) {
		ss_model_error(errors, NULL, NULL, "out of memory");
		return SS_ERR_NO_MEM;
	}
	/* A part that fails does not keep the next from looking: the operator wants every error. */
	for (size_t i = 0; i < SS_ARRAY_LEN(parts) && err != SS_ERR_NO_MEM; i++) {
		int one = parts[i](&j);
		err = one < 0 ? one : err;
	}
	if (ss_build_regex_finish(&j) < 0)
		err = SS_ERR_NO_MEM;
	if (err == 0 && errors->n > before) /* a part forgot to say so: the lines count */
		err = SS_ERR_CONFIG;
	if (err < 0) {
		ss_build_destroy(j.snap);
		return err;
	}
	ss_build_subsets_keep(&j);
	ss_build_edition_keep(&j);
	*out = j.snap;
	return 0;
}

int ss_build_snapshot(struct ss_build *b, const struct ss_model *m, uint64_t generation,
		      struct ss_snapshot **out, struct ss_model_errors *errors)
{
	struct ss_build_files *files = ss_build_files_read(m, b->files);
	int err = SS_ERR_NO_MEM;

	*out = NULL;
	if (!files)
		ss_model_error(errors, NULL, NULL, "out of memory");
	else
		err = ss_build_compile(b, m, files, generation, out, errors);
	if (err < 0) {
		ss_build_files_free(files);
		return err;
	}
	ss_build_files_good(files, b->files);
	ss_build_files_free(b->files);
	b->files = files;
	return 0;
}

int ss_build_candidate(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		       struct ss_model_errors *errors)
{
	struct ss_build apart = {.conf = b->conf};
	struct ss_build_files *files = ss_build_files_read(m, b->files);
	int err = SS_ERR_NO_MEM;

	*out = NULL;
	if (!files)
		ss_model_error(errors, NULL, NULL, "out of memory");
	else
		err = ss_build_compile(&apart, m, files, generation, out, errors);
	ss_build_files_free(files);
	free(apart.past.v);
	return err;
}

void ss_build_destroy(struct ss_snapshot *s)
{
	if (s)
		ss_build_mem_free(s->memory);
}
