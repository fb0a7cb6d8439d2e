/* build_clusters_test.c - endpoints keep their slots over generations; a snapshot's end gives them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "build/build.h"

#define MAX_EPS 8
#define MAX_CLUSTERS 3

struct world {
	struct ss_names *names;
	struct ss_ep_table *table;
	struct ss_build *build;
	struct ss_model_errors errors;
	uint64_t generation;
};

static void start(struct world *w, uint32_t workers)
{
	memset(w, 0, sizeof(*w));
	w->names = ss_names_create(1000);
	assert_int_equal(ss_ep_table_create(&w->table, MAX_EPS, MAX_CLUSTERS), 0);
	struct ss_build_conf conf = {.names = w->names, .endpoints = w->table, .n_workers = workers};
	assert_int_equal(ss_build_create(&w->build, &conf), 0);
}

static void end(struct world *w)
{
	for (uint32_t i = 0; i < MAX_CLUSTERS; i++)
		assert_int_equal(w->table->cluster[i].ejected, 0);
	for (uint32_t i = 0; i < MAX_EPS; i++)
		assert_int_equal(w->table->ep[i].in_use, 0);
	ss_build_free(w->build);
	ss_ep_table_free(w->table);
	ss_names_free(w->names);
	ss_model_errors_free(&w->errors);
}

/* Clusters "c0", "c1", ... with endpoints 10.0.c.from to 10.0.c.(from + n - 1). */
static struct ss_model *model_of(uint32_t n_clusters, uint32_t from, uint32_t n)
{
	struct ss_model *m = ss_model_new();
	char name[20];

	m->n_clusters = n_clusters;
	m->clusters = ss_model_alloc(m, n_clusters * sizeof(*m->clusters));
	for (uint32_t c = 0; c < n_clusters; c++) {
		struct ss_model_cluster *k = &m->clusters[c];
		snprintf(name, sizeof(name), "c%u", c);
		k->src = (struct ss_model_src){"test.cfg", 10 + c};
		k->name = ss_model_text(m, name);
		k->caps[0].max[SS_CAP_CONNECTIONS] = 10;
		k->breaker.enabled = c == 0;
		k->breaker.conf.successes = 2;
		k->outlier.consecutive_errors = 1;
		k->outlier.base_ejection_ns = SS_NS_PER_SEC;
		k->outlier.max_ejection_percent = 50;
		for (uint32_t i = 0; i < SS_EP_EJECTS; i++)
			k->outlier.enforcing[i] = i == SS_EP_EJECT_RATE && c == 1 ? 50 : 100;
		k->n_endpoints = n;
		k->endpoints = ss_model_alloc(m, n * sizeof(*k->endpoints));
		for (uint32_t i = 0; i < n; i++) {
			k->endpoints[i].src = (struct ss_model_src){"test.cfg", 100 + i};
			k->endpoints[i].addr = (struct ss_addr){ss_ip4(0x0a000000 + (c << 8) + from + i), 80};
		}
	}
	return m;
}

static struct ss_snapshot *build(struct world *w, struct ss_model *m)
{
	struct ss_snapshot *s;

	ss_build_snapshot(w->build, m, ++w->generation, &s, &w->errors);
	ss_model_free(m);
	return s;
}

static void a_snapshot_has_what_the_model_says(void **state)
{
	struct world w;
	struct ss_snapshot *s;

	start(&w, 4);
	s = build(&w, model_of(2, 1, 3));
	assert_non_null(s);
	assert_int_equal(s->n_clusters, 2);
	assert_int_equal(s->clusters[1].n_endpoints, 3);
	assert_int_equal(s->clusters[1].outlier.n_endpoints, 3);
	assert_false(s->clusters[0].outlier.partly);
	assert_true(s->clusters[1].outlier.partly);
	assert_int_equal(s->clusters[1].outlier.enforcing[SS_EP_EJECT_RATE], 50);
	assert_int_equal(s->clusters[0].caps[0].max[SS_CAP_CONNECTIONS], 10); /* of all workers together */
	assert_int_equal(s->clusters[0].caps[0].max[SS_CAP_REQUESTS], 0);
	assert_int_equal(s->clusters[0].breaker->successes, 2);
	assert_null(s->clusters[1].breaker);
	assert_int_equal(s->clusters[0].endpoints[0].weight, 1);
	assert_string_equal(ss_names_text(w.names, s->clusters[1].endpoints[2].name), "10.0.1.3:80");
	assert_string_equal(ss_names_text(w.names, s->clusters[1].name), "c1");
	assert_int_not_equal(s->clusters[0].slot, s->clusters[1].slot);
	ss_build_destroy(s);
	end(&w);
}

/* By name and by slot, the same as by looking; what is not there is not found. */
static void places_are_found(void **state)
{
	struct world w;
	struct ss_snapshot *s, looked;

	start(&w, 1);
	s = build(&w, model_of(3, 1, 2));
	assert_non_null(s);
	looked = *s;
	looked.cluster_at = looked.ep_at = NULL;
	for (uint32_t name = 0; name < 1000; name++)
		assert_ptr_equal(ss_snapshot_cluster(s, name), ss_snapshot_cluster(&looked, name));
	for (uint32_t i = 0; i < s->n_clusters; i++) {
		const struct ss_cluster *c = &s->clusters[i];
		assert_ptr_equal(ss_snapshot_cluster(s, c->name), c);
		for (uint32_t ep = 0; ep < MAX_EPS; ep++)
			assert_ptr_equal(ss_snapshot_endpoint(s, c, ep), ss_snapshot_endpoint(&looked, c, ep));
		for (uint32_t k = 0; k < c->n_endpoints; k++)
			assert_ptr_equal(ss_snapshot_endpoint(s, c, c->endpoints[k].ep), &c->endpoints[k]);
	}
	ss_build_destroy(s);
	end(&w);
}

static void history_outlives_reloads(void **state)
{
	struct world w;
	struct ss_snapshot *a, *b;
	uint32_t slot;

	start(&w, 1);
	a = build(&w, model_of(1, 1, 3));
	slot = a->clusters[0].endpoints[2].ep;
	assert_true(ss_ep_failure(w.table, slot, &a->clusters[0].outlier, 5));
	b = build(&w, model_of(1, 2, 3)); /* 2, 3, 4: the third is the second now */
	assert_int_equal(b->clusters[0].endpoints[1].ep, slot);
	ss_build_destroy(a);
	assert_false(ss_ep_pickable(w.table, slot, 5));
	assert_int_equal(w.table->cluster[b->clusters[0].slot].ejected, 1);
	ss_build_destroy(b);
	end(&w);
}

static void many_generations_fit(void **state)
{
	struct world w;
	struct ss_snapshot *old = NULL, *s;

	start(&w, 1);
	for (uint32_t g = 0; g < 100; g++) {
		s = build(&w, model_of(1 + g % 2, g * 2, 2));
		assert_non_null(s);
		ss_build_destroy(old);
		old = s;
	}
	ss_build_destroy(old);
	end(&w);
}

static bool told(const struct world *w, const char *part)
{
	for (uint32_t i = 0; i < w->errors.n; i++)
		if (strstr(w->errors.text[i], part))
			return true;
	return false;
}

static void too_much_is_refused_and_given_back(void **state)
{
	struct world w;
	struct ss_model *m;
	struct ss_snapshot *s;

	start(&w, 1);
	assert_null(build(&w, model_of(1, 1, MAX_EPS + 1)));
	assert_true(told(&w, "test.cfg:108: endpoints: no place left for 10.0.0.9:80"));
	assert_null(build(&w, model_of(MAX_CLUSTERS + 1, 1, 1)));
	assert_true(told(&w, "test.cfg:13: clusters: more than max_clusters (3)"));
	m = model_of(1, 1, 3);
	m->clusters[0].endpoints[2].addr = m->clusters[0].endpoints[0].addr;
	assert_null(build(&w, m));
	assert_true(told(&w, "test.cfg:102: endpoints: 10.0.0.1:80 is listed twice"));
	/* What was refused holds nothing. */
	s = build(&w, model_of(2, 1, MAX_EPS / 2));
	assert_non_null(s);
	ss_build_destroy(s);
	end(&w);
}

static bool shows(const struct ss_snapshot *s, uint32_t at, uint32_t from, uint32_t n)
{
	bool good = s->clusters[at].n_endpoints == n && s->clusters[at].outlier.n_endpoints == n;

	for (uint32_t i = 0; good && i < n; i++)
		good = ss_ip4_u32(&s->clusters[at].endpoints[i].addr.ip) == 0x0a000000 + (at << 8) + from + i &&
		       ss_snapshot_endpoint(s, &s->clusters[at], s->clusters[at].endpoints[i].ep) == &s->clusters[at].endpoints[i];
	return good;
}

/* Endpoints from..from + n - 1 of cluster `at`. */
static struct ss_snapshot *edit(struct world *w, struct ss_model *m, const struct ss_snapshot *now, uint32_t at,
				uint32_t from, uint32_t n)
{
	struct ss_model_cluster *k = &m->clusters[at];
	struct ss_snapshot *s;

	k->endpoints = ss_model_alloc(m, (n + 1) * sizeof(*k->endpoints));
	k->n_endpoints = n;
	for (uint32_t i = 0; i < n; i++)
		k->endpoints[i].addr = (struct ss_addr){ss_ip4(0x0a000000 + (at << 8) + from + i), 80};
	ss_build_endpoints(w->build, m, at, now, &s, &w->errors);
	return s;
}

/* What is not discovered is the same memory; slots stay with who stays, and come back with the edition that had them last. */
static void editions_share_all_but_endpoints(void **state)
{
	struct world w;
	struct ss_snapshot *s, *next;

	start(&w, 2);
	struct ss_model *m = model_of(3, 1, 2);
	m->clusters[1].discovery.present = m->clusters[2].discovery.present = true;
	assert_int_equal(ss_build_snapshot(w.build, m, 1, &s, &w.errors), 0);
	const struct ss_balance *kept = s->clusters[0].balance, *other = s->clusters[2].balance;
	uint32_t stays = s->clusters[1].endpoints[1].ep, name = s->clusters[1].name;
	for (uint32_t i = 1; i < 200; i++) {
		uint32_t n = 1 + i % 2;
		next = edit(&w, m, s, 1, 2, n); /* 10.0.1.2 stays */
		assert_non_null(next);
		assert_int_equal(next->edition, s->edition + 1);
		assert_int_equal(next->generation, 1);
		assert_int_equal(next->clusters[1].edition, next->edition);
		assert_int_equal(next->clusters[0].edition, 0);
		assert_ptr_equal(next->clusters[0].balance, kept);
		assert_ptr_equal(next->clusters[2].balance, other);
		assert_ptr_equal(ss_snapshot_cluster(next, name), &next->clusters[1]);
		assert_int_equal(next->clusters[1].endpoints[0].ep, stays);
		assert_true(shows(next, 0, 1, 2) && shows(next, 1, 2, n) && shows(next, 2, 1, 2));
		ss_build_destroy(s);
		s = next;
	}
	/* One that cannot be built leaves the last as it was. */
	assert_null(edit(&w, m, s, 1, 1, MAX_EPS + 1));
	assert_true(told(&w, "no place left for 10.0.1."));
	assert_true(shows(s, 1, 2, 2));
	/* The order in which they end plays no role. */
	struct ss_snapshot *a = edit(&w, m, s, 2, 5, 1), *b = edit(&w, m, a, 1, 7, 1);
	assert_non_null(b);
	ss_build_destroy(a);
	assert_true(shows(b, 0, 1, 2) && shows(b, 1, 7, 1) && shows(b, 2, 5, 1));
	ss_build_destroy(b);
	assert_true(shows(s, 1, 2, 2));
	ss_build_destroy(s);
	ss_model_free(m);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_has_what_the_model_says),
		cmocka_unit_test(places_are_found),
		cmocka_unit_test(history_outlives_reloads),
		cmocka_unit_test(many_generations_fit),
		cmocka_unit_test(too_much_is_refused_and_given_back),
		cmocka_unit_test(editions_share_all_but_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
