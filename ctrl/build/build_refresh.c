/*
 * build_refresh.c - other files in place of those that run: the good ones are taken, of the others the last good
 * ones stay.
 *
 * Each changed unit is read and judged by itself first. That all of them together make a snapshot is not certain
 * then (a certificate may have left its trust domain), so when they do not, they are tried one after the other.
 */
#include "base/err.h"
#include "build/build_files.h"
#include "build/build_tls.h"
#include "loop/log.h"

static const char *kind(const struct ss_build_unit *u)
{
	return u->state.trust ? "trust" : "secret";
}

/* One look at all files. */
struct look {
	struct ss_build *b;
	const struct ss_model *m;
	uint64_t generation;
	bool judge; /* else what is no good is doubted only */
	int doubts;
};

static void refuse(struct look *l, struct ss_build_unit *stays, const struct ss_build_unit *read,
		   const struct ss_model_errors *errors)
{
	const char *why = errors->n ? errors->text[0] : "no reason given";

	if (!l->judge)
		l->doubts++;
	else if (ss_build_files_refuse(stays, read, why))
		ss_log(SS_LOG_ERROR, "secret refused", kind(stays), stays->state.name, "reason", why, NULL);
}

static void taken(const struct ss_build_unit *u, uint64_t generation)
{
	ss_log(SS_LOG_INFO, "secret rotated", kind(u), u->state.name, "generation", ss_log_u64(generation), NULL);
}

/* Are the files of this unit good by themselves? */
static int probe(struct ss_build *b, const struct ss_model *m, const struct ss_build_files *files,
		 const struct ss_build_unit *u, struct ss_model_errors *errors)
{
	struct ss_build_job j = { .b = b, .model = m, .names = b->conf.names, .n_workers = b->conf.n_workers,
				  .errors = errors, .files = files };
	uint32_t i = u->state.trust ? ss_model_trust(m, u->state.name) : ss_model_secret(m, u->state.name);

	if (!u->state.trust) {
		struct ss_build_secret own;
		int err = ss_build_secret_load(&j, &m->secrets[i], &own);

		if (err == 0)
			ss_build_secret_free(&own);
		return err;
	}
	STACK_OF(X509) *bundle = ss_build_bundle_load(&j, &m->trusts[i]);
	sk_X509_pop_free(bundle, X509_free);
	return bundle ? 0 : SS_ERR_CONFIG;
}

/* Puts back what runs where what was read is no good. Returns how many units are new. */
static uint32_t sift(struct look *l, struct ss_build_files *read)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < read->n; i++) {
		struct ss_build_unit *u = read->unit[i];
		struct ss_build_unit *runs = ss_build_files_find(l->b->files, u->state.trust, u->state.name);
		struct ss_model_errors errors = { 0 };

		if (u == runs) {
			ss_build_files_forget(u);
			continue;
		}
		if (runs && probe(l->b, l->m, read, u, &errors) < 0) {
			refuse(l, runs, u, &errors);
			ss_build_files_put(read, runs);
		} else {
			changed++;
		}
		ss_model_errors_free(&errors);
	}
	return changed;
}

/* files, whose units are good together, are those that run from now on. */
static void keep(struct ss_build *b, struct ss_build_files *files)
{
	ss_build_files_good(files, b->files);
	ss_build_files_free(b->files);
	b->files = files;
}

/* One new unit beside those that run. */
static void try_alone(struct look *l, struct ss_build_unit *u, struct ss_snapshot **out)
{
	struct ss_build_files *files = ss_build_files_copy(l->b->files);
	struct ss_model_errors errors = { 0 };
	struct ss_snapshot *s = NULL;

	if (!files)
		return;
	ss_build_files_put(files, u);
	if (ss_build_compile(l->b, l->m, files, l->generation, &s, &errors) < 0) {
		refuse(l, ss_build_files_find(l->b->files, u->state.trust, u->state.name), u, &errors);
		ss_build_files_free(files);
	} else {
		keep(l->b, files);
		taken(u, l->generation);
		ss_build_destroy(*out);
		*out = s;
	}
	ss_model_errors_free(&errors);
}

int ss_build_refresh(struct ss_build *b, const struct ss_model *m, uint64_t generation, bool judge,
		     struct ss_snapshot **out)
{
	struct ss_build_files *read = ss_build_files_read(m, b->files), *before = b->files;
	struct look l = { .b = b, .m = m, .generation = generation, .judge = judge };
	struct ss_model_errors errors = { 0 };

	*out = NULL;
	if (!read)
		return SS_ERR_NO_MEM;
	if (!before || sift(&l, read) == 0) {
		ss_build_files_free(read);
		return l.doubts;
	}
	bool together = ss_build_compile(b, m, read, generation, out, &errors) == 0;
	for (uint32_t i = 0; i < read->n; i++) {
		struct ss_build_unit *u = read->unit[i];

		if (u == ss_build_files_find(b->files, u->state.trust, u->state.name))
			continue;
		if (together)
			taken(u, generation);
		else
			try_alone(&l, u, out);
	}
	if (together)
		keep(b, read);
	else
		ss_build_files_free(read);
	ss_model_errors_free(&errors);
	return l.doubts;
}

int ss_build_again(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		   struct ss_model_errors *errors)
{
	return ss_build_compile(b, m, b->files, generation, out, errors);
}

bool ss_build_secret(const struct ss_build *b, uint32_t i, struct ss_secret_state *out)
{
	if (!b->files || i >= b->files->n)
		return false;
	*out = b->files->unit[i]->state;
	return true;
}

const char *ss_build_secret_path(const struct ss_build *b, uint32_t i)
{
	for (uint32_t k = 0; b->files && k < b->files->n; k++) {
		const struct ss_build_unit *u = b->files->unit[k];

		if (i < u->n)
			return u->file[i].path;
		i -= u->n;
	}
	return NULL;
}
