/*
 * build_rewrite.c - redirects and rewrites; expressions with captures into PCRE2's machine code.
 *
 * Hyperscan finds no captures. PCRE2's code is made here, bounded in steps and depth, and shared by all live
 * snapshots that have the same expression: machine code for a thousand of them takes longer than a reload
 * may.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"
#include "contract/redirect.h"

#define GROUPS 10       /* \0 to \9 */
#define STEPS_MAX 20000 /* of one match: some hundred microseconds at most */
#define DEPTH_MAX 500

/* -- code that is shared -- */

struct shared {
	struct shared *next; /* in its bucket */
	uint64_t hash;
	pcre2_code *code;
	uint32_t uses; /* rewrites of live snapshots */
	char pattern[];
};

#define BUCKETS 1024u
static struct shared *all[BUCKETS];

static void drop_shared(void *arg)
{
	struct shared *s = arg, **at = &all[s->hash % BUCKETS];

	if (--s->uses)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	pcre2_code_free(s->code);
	free(s);
}

static struct shared *find_shared(uint64_t hash, const char *pattern)
{
	struct shared *s = all[hash % BUCKETS];

	while (s && strcmp(s->pattern, pattern) != 0)
		s = s->next;
	return s;
}

/* An expression with what takes its place, and where they stand. */
struct subst {
	const struct ss_model_src *src;
	const char *key, *regex, *text;
};

static int compile_new(struct ss_build_job *j, const struct subst *m, pcre2_code **out)
{
	PCRE2_UCHAR why[120] = "";
	PCRE2_SIZE at = 0;
	int err = 0;

	*out = pcre2_compile((PCRE2_SPTR)m->regex, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_UTF, &err, &at,
			     NULL);
	if (*out && (err = pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE)) == 0)
		return 0;
	pcre2_get_error_message(err, why, sizeof(why));
	ss_model_error(j->errors, m->src, m->key, "regular expression \"%s\": %s", m->regex, (const char *)why);
	pcre2_code_free(*out);
	return SS_ERR_CONFIG;
}

static int compile(struct ss_build_job *j, const struct subst *m, pcre2_code **out)
{
	const char *pattern = m->regex;
	uint64_t hash = ss_route_hash(SS_ROUTE_HASH_START, ss_span_str(pattern), 0);
	struct shared *s = find_shared(hash, pattern);

	if (!s) {
		s = calloc(1, sizeof(*s) + strlen(pattern) + 1);
		if (!s)
			return SS_ERR_NO_MEM;
		strcpy(s->pattern, pattern);
		s->hash = hash;
		if (compile_new(j, m, &s->code) < 0) {
			free(s);
			return SS_ERR_CONFIG;
		}
		s->next = all[hash % BUCKETS];
		all[hash % BUCKETS] = s;
	}
	s->uses++;
	*out = s->code;
	return ss_build_on_free(j, drop_shared, s);
}

/* -- what workers write -- */

static void free_match(void *m)
{
	pcre2_match_data_free(m);
}

static void free_bounds(void *b)
{
	pcre2_match_context_free(b);
}

/* One block of match data for each worker, once for a snapshot. */
static int make_matches(struct ss_build_job *j, struct ss_build_regex *x)
{
	pcre2_match_context *b;
	void **match;

	if (x->match)
		return 0;
	match = ss_build_array(j, ss_build_seats(j), sizeof(*match));
	b = match ? pcre2_match_context_create(NULL) : NULL;
	if (!b || ss_build_on_free(j, free_bounds, b) < 0)
		return SS_ERR_NO_MEM;
	pcre2_set_match_limit(b, STEPS_MAX);
	pcre2_set_depth_limit(b, DEPTH_MAX);
	for (uint32_t w = 0; w < ss_build_seats(j); w++) {
		match[w] = pcre2_match_data_create(GROUPS, NULL);
		if (!match[w] || ss_build_on_free(j, free_match, match[w]) < 0)
			return SS_ERR_NO_MEM;
	}
	x->match = match;
	x->bounds = b;
	return 0;
}

/* -- the substitution: "\1" is a group, "\\" a backslash -- */

static int parse_subst(struct ss_build_job *j, const struct subst *m, const pcre2_code *code,
		       struct ss_rewrite_regex *x)
{
	const char *p = m->text, *from = p;
	struct ss_subst *parts = ss_build_array(j, strlen(p) + 1, sizeof(*parts));
	uint32_t groups = 0;

	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (!parts)
		return SS_ERR_NO_MEM;
	for (; *p; p++) {
		if (*p != '\\')
			continue;
		if (p > from)
			parts[x->n_parts++] = (struct ss_subst){ss_span(from, (uint32_t)(p - from)), -1};
		from = p + 2;
		p++;
		if (*p == '\\')
			from = p; /* the second one is text */
		else if (*p >= '0' && *p <= '9' && (uint32_t)(*p - '0') <= groups)
			parts[x->n_parts++] = (struct ss_subst){SS_SPAN_NONE, (int8_t)(*p - '0')};
		else {
			ss_model_error(
				j->errors, m->src, m->key,
				"substitution \"%s\": a \\ is followed by a group's number or another \\", m->text);
			return SS_ERR_CONFIG;
		}
	}
	if (p > from)
		parts[x->n_parts++] = (struct ss_subst){ss_span(from, (uint32_t)(p - from)), -1};
	/* The spans pointed into the model's text: the snapshot outlives it. */
	for (uint16_t i = 0; i < x->n_parts; i++) {
		char *copy = parts[i].text.n ? ss_build_array(j, parts[i].text.n, 1) : NULL;
		if (copy)
			parts[i].text.p = memcpy(copy, parts[i].text.p, parts[i].text.n);
		else if (parts[i].text.n)
			return SS_ERR_NO_MEM;
	}
	x->parts = parts;
	return 0;
}

static int build_regex(struct ss_build_job *j, struct ss_build_regex *x, const struct subst *m,
		       const struct ss_rewrite_regex **out)
{
	struct ss_rewrite_regex *r = ss_build_alloc(j, sizeof(*r));
	pcre2_code *code = NULL;
	int err = r ? compile(j, m, &code) : SS_ERR_NO_MEM;

	if (!err)
		err = make_matches(j, x);
	if (err)
		return err;
	*r = (struct ss_rewrite_regex){.code = code, .match = x->match, .bounds = x->bounds};
	*out = r;
	return parse_subst(j, m, code, r);
}

/* -- the parts of a route -- */

static int needs_prefix(struct ss_build_job *j, const struct ss_model_route *m, const char *key)
{
	if (m->path_kind == SS_PATH_PREFIX || m->path_kind == SS_PATH_SEGMENTS)
		return 0;
	ss_model_error(j->errors, &m->src, key, "needs a path prefix to replace");
	return SS_ERR_CONFIG;
}

int ss_build_rewrite(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_route *m,
		     struct ss_route *r)
{
	const char *prefix = m->rewrite.prefix ? m->rewrite.prefix : m->prefix_rewrite;
	struct subst subst = {&m->src, "rewrite", m->rewrite.regex, m->rewrite.substitution};
	struct ss_rewrite *w;

	if (!m->rewrite.present && !m->prefix_rewrite)
		return 0;
	if (prefix && needs_prefix(j, m, m->rewrite.prefix ? "rewrite" : "prefix_rewrite") < 0)
		return SS_ERR_CONFIG;
	r->rewrite = w = ss_build_alloc(j, sizeof(*w));
	if (!w)
		return SS_ERR_NO_MEM;
	*w = (struct ss_rewrite){.kind = m->rewrite.path    ? SS_PATH_FULL
					 : prefix           ? SS_PATH_PREFIX_NEW
					 : m->rewrite.regex ? SS_PATH_REGEX_NEW
							    : SS_PATH_KEPT,
				 .path = ss_build_text(j, prefix ? prefix : m->rewrite.path),
				 .host = ss_build_text(j, m->rewrite.host),
				 .host_header = ss_build_lower(j, m->rewrite.host_header),
				 .auto_host = m->rewrite.auto_host};
	return subst.regex ? build_regex(j, x, &subst, &w->regex) : 0;
}

int ss_build_redirect(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_route *m,
		      struct ss_route *r)
{
	struct subst subst = {&m->src, "redirect", m->redirect.regex, m->redirect.substitution};
	const struct ss_model_redirect *from = &m->redirect;
	struct ss_redirect *d;

	if (!from->present)
		return 0;
	if (from->prefix && needs_prefix(j, m, "redirect") < 0)
		return SS_ERR_CONFIG;
	r->redirect = d = ss_build_alloc(j, sizeof(*d));
	if (!d)
		return SS_ERR_NO_MEM;
	*d = (struct ss_redirect){.status = from->status,
				  .port = from->port,
				  .kind = from->path     ? SS_PATH_FULL
					  : from->prefix ? SS_PATH_PREFIX_NEW
					  : from->regex  ? SS_PATH_REGEX_NEW
							 : SS_PATH_KEPT,
				  .strip_query = from->strip_query,
				  .scheme = ss_build_text(j, from->scheme),
				  .host = ss_build_text(j, from->host),
				  .path = ss_build_text(j, from->path ? from->path : from->prefix)};
	return subst.regex ? build_regex(j, x, &subst, &d->regex) : 0;
}
