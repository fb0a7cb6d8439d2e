/* Who looks on: filters, lines that have no room, and tables whose sums are what happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

static struct ss_clock ticks;
static struct ss_names *names;
static struct ss_ep_table *endpoints;
static struct ss_counters *counters;
static struct ss_tele *t;

struct said {
	const char *method, *authority, *path, *peer;
	uint32_t cluster;
	uint16_t status, drop;
	uint64_t ms;
	uint32_t from, to; /* addresses */
};

static void happens(const struct said *s)
{
	struct ss_event ev = { .kind = SS_EVENT_REQUEST, .status = s->status, .drop = s->drop, .cluster = s->cluster };
	const char *peer = s->peer ? s->peer : "";
	uint32_t used = 0;

	ev.duration_ns = s->ms * SS_NS_PER_MS;
	ev.downstream = (struct ss_addr){ ss_ip4(s->from), 4000 };
	if (s->to)
		ev.upstream = (struct ss_addr){ ss_ip4(s->to), 80 };
	ss_event_put(&ev, &used, &ev.method_n, s->method, (uint32_t)strlen(s->method));
	ss_event_put(&ev, &used, &ev.authority_n, s->authority, (uint32_t)strlen(s->authority));
	ss_event_put(&ev, &used, &ev.path_n, s->path, (uint32_t)strlen(s->path));
	ss_event_put(&ev, &used, &ev.request_id_n, "id", 2);
	ss_event_put(&ev, &used, &ev.peer_n, peer, (uint32_t)strlen(peer));
	ss_tele_views_event(t, &ev, 0);
}

static const struct said good = { "GET", "a.example", "/cart/7", "spiffe://mesh/ns/a/sa/web", 1, 200, 0, 7, 0x0a000001, 0x0a000002 };

static struct ss_tele_view *open_view(struct ss_tele_view_conf conf)
{
	struct ss_tele_view *v;

	assert_int_equal(ss_tele_view_open(&v, t, &conf), 0);
	ss_tele_views_poll(t, NULL);
	return v;
}

static void fits(struct ss_tele_view_conf conf, bool want)
{
	struct ss_tele_view *v = open_view(conf);

	happens(&good);
	assert_int_equal(v->lines, want);
	assert_int_equal(ss_tele_view_text(v).n > 0, want);
	ss_tele_view_close(v);
}

static void test_filters(void **state)
{
	fits((struct ss_tele_view_conf){ 0 }, true);
	fits((struct ss_tele_view_conf){ .authority = "A.EXAMPLE", .method = "get", .path_prefix = "/cart" }, true);
	fits((struct ss_tele_view_conf){ .authority = "a.example.org" }, false);
	fits((struct ss_tele_view_conf){ .authority = "a.exampl" }, false);
	fits((struct ss_tele_view_conf){ .path_prefix = "/cart/77" }, false);
	fits((struct ss_tele_view_conf){ .path_prefix = "" }, true);
	fits((struct ss_tele_view_conf){ .cluster = "web" }, true);
	fits((struct ss_tele_view_conf){ .cluster = "db" }, false);
	fits((struct ss_tele_view_conf){ .route = "web" }, false); /* it had none */
	fits((struct ss_tele_view_conf){ .method = "GETS" }, false);
	fits((struct ss_tele_view_conf){ .identity = "spiffe://mesh/ns/a/sa/web" }, true);
	fits((struct ss_tele_view_conf){ .identity = "spiffe://mesh/ns/a/*" }, true);
	fits((struct ss_tele_view_conf){ .identity = "spiffe://mesh/ns/b/*" }, false);
	fits((struct ss_tele_view_conf){ .identity = "spiffe://mesh/ns/a/sa/we" }, false);
	fits((struct ss_tele_view_conf){ .status_from = 200, .status_to = 299 }, true);
	fits((struct ss_tele_view_conf){ .status_from = 500, .status_to = 599 }, false);
	fits((struct ss_tele_view_conf){ .min_ns = 7 * SS_NS_PER_MS }, true);
	fits((struct ss_tele_view_conf){ .min_ns = 8 * SS_NS_PER_MS }, false);
}

static uint64_t lines_in(struct ss_span text)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Whoever does not read gets what there was room for, and is told of the rest: none is unaccounted for. */
static void test_slow(void **state)
{
	struct ss_tele_view *v = open_view((struct ss_tele_view_conf){ 0 });
	uint64_t happened = 0, lines = 0;
	char *said;

	for (int poll = 0; poll < 50; poll++) {
		for (int i = 0; i < 220; i++, happened++)
			happens(&good);
		ss_tele_views_poll(t, NULL);
	}
	assert_true(ss_tele_view_text(v).n <= SS_TELE_VIEW_TEXT);
	assert_true(v->dropped > 0);
	lines = lines_in(ss_tele_view_text(v));
	assert_true(lines < happened);
	/* The first poll wrote so many, said how many it had left out, and went on. */
	said = strndup((const char *)ss_tele_view_text(v).p, ss_tele_view_text(v).n);
	assert_non_null(strstr(said, "\n{\"dropped\":20}\n"));
	free(said);
	ss_tele_view_taken(v);
	said = strndup((const char *)ss_tele_view_text(v).p, ss_tele_view_text(v).n);
	assert_int_equal(strncmp(said, "{\"dropped\":", 11), 0);
	assert_int_equal(v->lines + strtoull(said + 11, NULL, 10) + (lines - v->lines) * 20, happened);
	free(said);
	ss_tele_view_taken(v);
	assert_int_equal(ss_tele_view_text(v).n, 0);
	ss_tele_view_close(v);
}

/* What happens between the answer to a viewer and the next poll is seen too. */
static void test_first(void **state)
{
	struct ss_tele_view_conf conf = { 0 };
	struct ss_tele_view *v;

	assert_int_equal(ss_tele_view_open(&v, t, &conf), 0);
	happens(&good);
	assert_int_equal(lines_in(ss_tele_view_text(v)), 1);
	assert_int_equal(v->dropped, 0);
	ss_tele_view_close(v);
}

/* Lines that were left out are told by the next poll, though nothing more happens. */
static void test_only_dropped(void **state)
{
	struct ss_tele_view *v = open_view((struct ss_tele_view_conf){ 0 });

	v->left = 0;
	happens(&good);
	assert_int_equal(ss_tele_view_text(v).n, 0);
	ss_tele_views_poll(t, NULL);
	assert_int_equal(lines_in(ss_tele_view_text(v)), 1);
	assert_memory_equal(ss_tele_view_text(v).p, "{\"dropped\":1}\n", 14);
	assert_int_equal(v->dropped, 0);
	ss_tele_view_close(v);
}

static void test_bounds(void **state)
{
	struct ss_tele_view_conf conf = { .max = 2 };
	struct ss_tele_view *v = open_view(conf), *more[SS_TELE_VIEWS];

	for (int i = 0; i < 3; i++)
		happens(&good);
	assert_int_equal(v->lines, 2);
	assert_true(ss_tele_view_over(v));
	assert_int_equal(v->dropped, 0);
	for (uint32_t i = 1; i < SS_TELE_VIEWS; i++)
		more[i] = open_view(conf);
	assert_int_equal(ss_tele_view_open(&more[0], t, &conf), SS_ERR_FULL);
	assert_null(more[0]);
	ss_tele_view_close(v);
	more[0] = open_view(conf);
	for (uint32_t i = 0; i < SS_TELE_VIEWS; i++)
		ss_tele_view_close(more[i]);
	assert_int_equal(t->n_views, 0);
	ss_tele_view_close(NULL);
}

static char *table(struct ss_tele_view *v, const struct ss_snapshot *s)
{
	return ss_tele_top_close(v->top, v->conf.kind, t, s, v->top->began + 2 * SS_NS_PER_SEC);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("%s is not in %s", part, text);
}

static void test_services(void **state)
{
	struct ss_tele_view *v = open_view((struct ss_tele_view_conf){ .kind = SS_TELE_TOP_SERVICES, .interval_ns = SS_NEVER });
	struct said s = good;
	char *text;

	for (int i = 0; i < 98; i++)
		happens(&good);
	s.ms = 500;
	s.status = 503;
	happens(&s);
	s.status = 403;
	s.drop = SS_DROP_DENIED;
	happens(&s);
	s = good;
	s.cluster = 0;
	happens(&s);
	text = table(v, NULL);
	has(text, "\"of\":\"services\",\"seconds\":2.000,\"lost\":0");
	has(text, "{\"cluster\":\"web\",\"requests\":100,\"rate\":50.0,\"errors\":1,\"error_percent\":1.00,\"refused\":1,\"p50_us\":7");
	has(text, "{\"cluster\":\"-\",\"requests\":1,");
	free(text);
	/* The next table begins anew. */
	ss_count(counters, SS_C_EVENTS_LOST, 3);
	text = table(v, NULL);
	has(text, "\"lost\":3,\"rows\":[]");
	free(text);
	text = table(v, NULL);
	has(text, "\"lost\":0,");
	free(text);
	ss_tele_view_close(v);
}

static void test_endpoints(void **state)
{
	struct ss_endpoint ep[2] = { { .addr = { ss_ip4(0x0a000002), 80 } }, { .addr = { ss_ip4(0x0a000003), 80 } } };
	struct ss_cluster c = { .name = 1, .n_endpoints = 2, .endpoints = ep };
	struct ss_snapshot s = { .n_clusters = 1, .clusters = &c };
	struct ss_tele_view *v;
	char *text;

	assert_int_equal(ss_ep_cluster_hold(endpoints, 1, &c.slot), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ss_ep_hold(endpoints, c.slot, &ep[i].addr, &ep[i].ep), 0);
	v = open_view((struct ss_tele_view_conf){ .kind = SS_TELE_TOP_ENDPOINTS, .interval_ns = SS_NEVER });
	happens(&good);
	ss_ep_begin(endpoints, ep[0].ep);
	text = table(v, &s);
	has(text, "\"address\":\"10.0.0.2:80\",\"requests\":1,");
	assert_null(strstr(text, "10.0.0.3")); /* well, and nobody asked it */
	free(text);
	ss_ep_set_unhealthy(endpoints, ep[1].ep, true);
	happens(&good);
	text = table(v, &s);
	has(text, "\"address\":\"10.0.0.2:80\",\"requests\":1,");
	has(text, "\"address\":\"10.0.0.3:80\",\"requests\":0,");
	has(text, "\"unhealthy\":1,");
	free(text);
	ss_tele_view_close(v);
	v = open_view((struct ss_tele_view_conf){ .kind = SS_TELE_TOP_SERVICES, .interval_ns = SS_NEVER });
	text = table(v, &s);
	has(text, "\"requests\":0,\"rate\":0.0,\"errors\":0,\"error_percent\":0.00,\"refused\":0,\"endpoints\":2,\"ejected\":0,\"unhealthy\":1");
	free(text);
	ss_tele_view_close(v);
	ss_ep_end(endpoints, ep[0].ep);
	for (int i = 0; i < 2; i++)
		ss_ep_drop(endpoints, ep[i].ep);
	ss_ep_cluster_drop(endpoints, c.slot);
}

/* More than there are rows: none is lost, the rest is "others". */
static void test_many(void **state)
{
	struct ss_tele_view *v = open_view((struct ss_tele_view_conf){ .kind = SS_TELE_TOP_CONNECTIONS, .interval_ns = SS_NEVER });
	struct said s = good;
	char *text;

	for (uint32_t i = 0; i < TELE_TOP_ROWS + 30; i++) {
		s.from = 0x0b000000 + i;
		happens(&s);
		happens(&s);
	}
	assert_int_equal(v->top->n, TELE_TOP_ROWS);
	text = table(v, NULL);
	has(text, "\"others\":{\"requests\":60,");
	has(text, "\"address\":\"11.0.0.0:4000\",\"requests\":2,");
	has(text, "\"peer\":\"spiffe://mesh/ns/a/sa/web\"");
	assert_true(strlen(text) < SS_TELE_VIEW_TEXT / 4 * 3);
	free(text);
	ss_tele_view_close(v);
}

static int start(void **state)
{
	static struct ss_counters *one[1];
	struct ss_tele_conf conf = { .n_workers = 0, .clock = &ticks };
	char err[256];

	ss_clock_init(&ticks, 0);
	names = ss_names_create(16);
	counters = aligned_alloc(64, sizeof(*counters));
	if (!names || !counters || ss_names_intern(names, "web") != 1 || ss_ep_table_create(&endpoints, 4, 4) < 0)
		return -1;
	memset(counters, 0, sizeof(*counters));
	conf.names = names;
	conf.endpoints = endpoints;
	conf.counters = one;
	one[0] = counters;
	if (ss_tele_create(&t, &conf, err, sizeof(err)) < 0)
		return -1;
	t->conf.n_workers = 1; /* whose ring nobody polls here */
	return 0;
}

static int stop(void **state)
{
	t->conf.n_workers = 0;
	ss_tele_free(t);
	ss_ep_table_free(endpoints);
	free(counters);
	ss_names_free(names);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),   cmocka_unit_test(test_slow),   cmocka_unit_test(test_first),
		cmocka_unit_test(test_only_dropped), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_services), cmocka_unit_test(test_endpoints), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
