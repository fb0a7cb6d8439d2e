#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"

/* A small model by hand: one plaintext listener, one host, two routes, two clusters. */
static struct ss_model_endpoint eps[3];
static struct ss_model_cluster clusters[2];
static struct ss_model_weighted weights[2];
static struct ss_model_route routes[2];
static struct ss_model_host hosts[1];
static struct ss_model_listener listeners[1];
static char *domains[] = { "*" }, *host_names[] = { "web" };
static struct ss_model *model; /* by make_model; another goes with the last */

static void make_model(void)
{
	for (uint32_t i = 0; i < 3; i++)
		eps[i] =
			(struct ss_model_endpoint){ .addr = { ss_ip4(0x0a000001 + i), 80 }, .weight = 1 + i };
	clusters[0] = (struct ss_model_cluster){ .name = "a",
						 .n_endpoints = 2,
						 .endpoints = eps,
						 .caps = { { { 0, 0, 5, 0 } } },
						 .outlier.consecutive_errors = 5 };
	clusters[1] = (struct ss_model_cluster){ .name = "b", .n_endpoints = 1, .endpoints = eps + 2 };
	weights[0] = (struct ss_model_weighted){ "a", 9000 };
	weights[1] = (struct ss_model_weighted){ "b", 1000 };
	routes[0] = (struct ss_model_route){ .name = "split", .path_kind = SS_PATH_PREFIX, .path = "/x",
					     .n_clusters = 2, .clusters = weights, .timeout_ns = 7 };
	routes[1] = (struct ss_model_route){ .name = "rest", .action = SS_ACTION_DIRECT, .direct_status = 404,
					     .direct_body = "no", .direct_type = "text/plain" };
	hosts[0] = (struct ss_model_host){ .name = "web", .n_domains = 1, .domains = domains, .n_routes = 2,
					   .routes = routes };
	listeners[0] = (struct ss_model_listener){ .name = "in",
						   .addr = { ss_ip4(0x0a0000fe), 80 },
						   .n_hosts = 1,
						   .max_connections = 5,
						   .hosts = host_names,
						   .edge = true };
	ss_model_free(model);
	model = ss_model_new();
	strcpy(model->hash, "0123456789abcdef");
	model->n_clusters = 2;
	model->clusters = clusters;
	model->n_hosts = model->n_listeners = 1;
	model->hosts = hosts;
	model->listeners = listeners;
}

static struct ss_names *names;
static struct ss_ep_table *table;
static struct ss_build *b;

static struct ss_snapshot *build(uint64_t generation)
{
	struct ss_model_errors e = { 0 };
	struct ss_snapshot *s;
	int r = ss_build_snapshot(b, model, generation, &s, &e);
	for (uint32_t i = 0; i < e.n; i++)
		print_message("%s\n", e.text[i]);
	assert_int_equal(r, 0);
	return s;
}

static void snapshot_holds_the_model(void **state)
{
	struct ss_snapshot *s = build(3);
	assert_int_equal(s->generation, 3);
	assert_string_equal(s->hash, "0123456789abcdef");
	assert_int_equal(s->n_clusters, 2);
	assert_int_equal(s->n_listeners, 1);
	const struct ss_listener *l = &s->listeners[0];
	assert_string_equal(ss_names_text(names, l->name), "in");
	assert_ptr_equal(ss_snapshot_listener(s, l->name), l);
	assert_int_equal(l->addr.port, 80);
	assert_true(l->edge);
	assert_int_equal(l->max_connections, 3); /* of 5 over 2 workers, rounded up */
	assert_int_equal(l->tls->mode, SS_TLS_DISABLE);
	assert_false(l->authz->default_deny);
	assert_int_equal(l->hosts->hosts[0].n_routes, 2);
	assert_int_equal(l->hosts->hosts[0].routes[0].timeout_ns, 7);
	const struct ss_cluster *c = &s->clusters[0];
	assert_string_equal(ss_names_text(names, c->name), "a");
	assert_int_equal(c->caps[0].max[SS_CAP_REQUESTS], 5);
	assert_int_equal(c->n_endpoints, 2);
	assert_string_equal(ss_names_text(names, c->endpoints[1].name), "10.0.0.2:80");
	assert_null(c->tls);
	ss_build_destroy(s);
}

/* An endpoint keeps its slot, and so its history, over reloads - also when its neighbours change. */
static void slots_and_names_stay(void **state)
{
	struct ss_snapshot *s1 = build(1);
	uint32_t slot = s1->clusters[0].endpoints[1].ep, name = s1->listeners[0].name;
	atomic_store(&table->ep[slot].errors, 4);
	clusters[0].endpoints = eps + 1; /* the first one goes */
	clusters[0].n_endpoints = 1;
	struct ss_snapshot *s2 = build(2);
	ss_build_destroy(s1);
	assert_int_equal(s2->clusters[0].endpoints[0].ep, slot);
	assert_int_equal(atomic_load(&table->ep[slot].errors), 4);
	assert_int_equal(s2->listeners[0].name, name);
	ss_build_destroy(s2);
	make_model();
}

/* A refused build gives back what it took: the table is small enough to run out otherwise. */
static void a_refused_build_leaves_nothing(void **state)
{
	for (int i = 0; i < 50; i++) {
		struct ss_model_errors e = { 0 };
		struct ss_snapshot *s;
		struct ss_model_endpoint other = { .addr = { ss_ip4(0x0b000000 + (uint32_t)i), 80 },
						   .weight = 1 };
		clusters[1].endpoints = &other;
		routes[0].path_kind = SS_PATH_REGEX;
		routes[0].path = "a(";
		assert_int_equal(ss_build_snapshot(b, model, 1, &s, &e), SS_ERR_CONFIG);
		assert_null(s);
		assert_int_equal(e.n, 1);
		ss_model_errors_free(&e);
		make_model();
	}
	ss_build_destroy(build(1));
}

static void on_free(void *arg)
{
	strcat(arg, "x");
}

static void memory_ends_with_the_snapshot(void **state)
{
	char log[8] = "";
	struct ss_snapshot s = { .memory = ss_build_mem_create() };
	struct ss_model_errors e = { 0 };
	struct ss_build_job j = { .snap = &s, .errors = &e };
	assert_non_null(s.memory);
	for (size_t n = 0; n < 200; n += 33) {
		unsigned char *p = ss_build_alloc(&j, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % SS_CACHE_LINE, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
	}
	assert_true(ss_span_eq(ss_build_lower(&j, "X-AbC"), SS_SPAN("x-abc")));
	assert_int_equal(ss_build_text(&j, NULL).n, 0);
	assert_int_equal(ss_build_on_free(&j, on_free, log), 0);
	assert_int_equal(e.n, 0);
	assert_null(ss_build_array(&j, SIZE_MAX / 2, 8));
	assert_int_equal(e.n, 1);
	assert_string_equal(log, "");
	ss_build_mem_free(s.memory);
	assert_string_equal(log, "x");
	ss_model_errors_free(&e);
}

static int start(void **state)
{
	make_model();
	names = ss_names_create(64);
	if (ss_ep_table_create(&table, 8, 4) < 0)
		return -1;
	return ss_build_create(&b, &(struct ss_build_conf){ names, table, 2 });
}

static int stop(void **state)
{
	ss_model_free(model);
	ss_build_free(b);
	ss_ep_table_free(table);
	ss_names_free(names);
	return 0;
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(snapshot_holds_the_model),
		cmocka_unit_test(slots_and_names_stay),
		cmocka_unit_test(a_refused_build_leaves_nothing),
		cmocka_unit_test(memory_ends_with_the_snapshot),
	};
	return cmocka_run_group_tests(t, start, stop);
}
