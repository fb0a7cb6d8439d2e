#include <regex.h>

#include "ctrl/world_sim.h"

#define LIST 64 /* values of one word of a case file */

static struct ss_model *owner; /* of what array and text make */

void *world_array(size_t n, size_t size)
{
	return ss_model_alloc(owner, n * size);
}

char *world_text(const char *s)
{
	return ss_model_text(owner, s);
}

char *world_text_n(const char *s, size_t n)
{
	char *p = world_array(n + 1, 1);

	memcpy(p, s, n);
	return p;
}

struct ss_model_texts world_texts(const char *list)
{
	struct ss_model_texts t = {.v = world_array(LIST, sizeof(char *))};
	char *copy = world_text(list), *save;

	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		assert_true(t.n < LIST);
		t.v[t.n++] = one;
	}
	return t;
}

struct ss_model_id world_id(const char *one)
{
	size_t n = strlen(one);

	if (!strcmp(one, "any"))
		return (struct ss_model_id){.kind = SS_ID_ANY};
	if (!strncmp(one, "domain:", 7))
		return (struct ss_model_id){SS_ID_DOMAIN, world_text(one + 7)};
	if (one[0] == '~')
		return (struct ss_model_id){SS_ID_REGEX, world_text(one + 1)};
	if (one[0] == '*')
		return (struct ss_model_id){SS_ID_SUFFIX, world_text(one + 1)};
	if (one[n - 1] == '*')
		return (struct ss_model_id){SS_ID_PREFIX, world_text_n(one, n - 1)};
	return (struct ss_model_id){SS_ID_EXACT, world_text(one)};
}

uint16_t world_methods(const char *list)
{
	struct ss_model_texts t = world_texts(list);
	uint16_t bits = 0;

	for (uint32_t i = 0; i < t.n; i++)
		bits |= ss_route_method_bit(ss_span_str(t.v[i]));
	return bits;
}

char *world_line(char *line)
{
	line[strcspn(line, "\n")] = 0;
	for (size_t n = strlen(line); n && strchr(" \t", line[n - 1]);)
		line[--n] = 0;
	return line + strspn(line, " \t");
}

void world_start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	owner = w->m = ss_model_new();
	w->names = ss_names_create(20000);
	assert_int_equal(ss_ep_table_create(&w->endpoints, 8, 8), 0);
	assert_int_equal(ss_build_create(&w->build, &(struct ss_build_conf){w->names, w->endpoints, 1}), 0);
	w->m->hosts = world_array(WORLD_HOSTS, sizeof(*w->m->hosts));
	w->m->clusters = world_array(3, sizeof(*w->m->clusters));
	w->m->clusters[w->m->n_clusters++].name = world_text("c");
	w->m->n_listeners = 1;
	w->m->listeners = w->listener = world_array(1, sizeof(*w->listener));
	w->listener->name = world_text("in");
	w->listener->hosts = world_array(WORLD_HOSTS, sizeof(*w->listener->hosts));
}

int world_build(struct world *w)
{
	int err;

	ss_build_destroy(w->snap);
	w->snap = NULL;
	w->listener->n_hosts = w->m->n_hosts;
	for (uint32_t i = 0; i < w->m->n_hosts; i++)
		w->listener->hosts[i] = w->m->hosts[i].name;
	err = ss_build_snapshot(w->build, w->m, 1, &w->snap, &w->errors);
	if (!err)
		w->l = w->snap->listeners[0];
	return err;
}

void world_end(struct world *w)
{
	ss_build_destroy(w->snap);
	ss_build_free(w->build);
	ss_ep_table_free(w->endpoints);
	ss_names_free(w->names);
	ss_model_errors_free(&w->errors);
	ss_model_free(w->m);
}

struct ss_model_host *world_host(struct world *w, const char *name)
{
	struct ss_model_host *h = &w->m->hosts[w->m->n_hosts++];

	assert_true(w->m->n_hosts <= WORLD_HOSTS);
	h->src = (struct ss_model_src){"test.cfg", 1};
	h->name = world_text(name);
	h->domains = world_array(WORLD_HOSTS, sizeof(*h->domains));
	return h;
}

struct ss_model_route *world_route(struct ss_model_host *h, const char *name, uint32_t line)
{
	uint32_t n = h->n_routes;
	struct ss_model_route *r = h->routes;

	/* Twice as much room at every power of two. */
	if (!(n & (n - 1))) {
		h->routes = world_array(n ? 2 * n : 1, sizeof(*h->routes));
		memcpy(h->routes, r ? r : h->routes, n * sizeof(*r));
	}
	r = &h->routes[h->n_routes++];
	r->src = (struct ss_model_src){"test.cfg", line};
	r->name = world_text(name);
	r->clusters = world_array(3, sizeof(*r->clusters));
	r->clusters[0] = (struct ss_model_weighted){world_text("c"), SS_WEIGHT_SUM};
	r->n_clusters = 1;
	return r;
}

bool world_told(const struct world *w, const char *part)
{
	for (uint32_t i = 0; i < w->errors.n; i++)
		if (strstr(w->errors.text[i], part))
			return true;
	return false;
}

const char *world_name(const struct world *w, uint32_t id)
{
	return ss_names_text(w->names, id);
}

uint64_t world_seed(uint64_t otherwise)
{
	const char *env = getenv("SEED");

	return env ? strtoull(env, NULL, 0) : otherwise;
}

bool world_fits(const char *pattern, const char *subject)
{
	char whole[100];
	regex_t re;
	bool fits;

	snprintf(whole, sizeof(whole), "^(%s)$", pattern);
	assert_int_equal(regcomp(&re, whole, REG_EXTENDED | REG_NOSUB), 0);
	fits = regexec(&re, subject, 0, NULL, 0) == 0;
	regfree(&re);
	return fits;
}
