/* px_grpc_test.c - how a request of gRPC went stands in its trailers, or in a head that is all there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract/canaries.h"
#include "proxy/px_bed.h"

enum where { HEAD_ONLY, TRAILERS, NOWHERE };

static struct ss_canary_counts counts[SS_CANARY_VARIANTS];
static struct ss_canary_slot slot;
static struct ss_canary canary;

/* The one cluster is the canary's share. */
static struct world *with_canary(void)
{
	struct world *w = start();

	memset(counts, 0, sizeof(counts));
	slot.weight = SS_CANARY_NONE;
	canary = (struct ss_canary){.now = &slot, .counts = counts};
	w->route.canary = &canary;
	w->route.retry = NULL;
	return w;
}

/* A request whose response says so there. True when it is its endpoint's failure. */
static bool fails(struct world *w, bool grpc, enum where where, const char *status)
{
	struct ss_http_stream *d = request(w, "POST", "/shop.Cart/Add"), *u;
	uint64_t before = 0, after = 0;

	for (uint32_t i = 0; i < EPS; i++)
		before += w->table->ep[w->eps[i].ep].failures;
	field(d, "content-type", grpc ? "application/grpc" : "text/plain");
	fake_end(d);
	turn(w);
	if (!newest(w)->open)
		fake_open(newest(w), 100);
	u = routed(w);
	assert_non_null(u);
	if (where == HEAD_ONLY)
		field(u, "grpc-status", status);
	fake_status(u, 200);
	if (where != HEAD_ONLY)
		fake_bytes(u, "message", 7);
	if (where == TRAILERS) {
		ss_hdrs_add(&u->rx_trailers, SS_SPAN("grpc-status"), ss_span_str(status), 0);
		u->has_rx_trailers = true;
	}
	fake_end(u);
	turn(w);
	delivered(w, d);
	assert_int_equal(next_event(w).status, 200);
	for (uint32_t i = 0; i < EPS; i++)
		after += w->table->ep[w->eps[i].ep].failures;
	return after > before;
}

/* Envoy's mapping: 2 is 500, 4 is 504, 12 is 501, 13 is 500, 14 is 503, 15 is 500; and for the judge 8, too. */
static void as_its_http_status_would_be(void **state)
{
	static const uint32_t blamed = 1u << 2 | 1u << 4 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15, judged = blamed | 1u << 8;

	for (int where = HEAD_ONLY; where <= TRAILERS; where++)
		for (uint32_t s = 0; s <= 16; s++) {
			struct world *w = with_canary();
			char text[8];
			snprintf(text, sizeof(text), "%u", s);
			assert_int_equal(fails(w, true, where, text), blamed >> s & 1);
			assert_int_equal(counts[SS_CANARY_CANARY].requests, 1);
			assert_int_equal(counts[SS_CANARY_CANARY].failures, judged >> s & 1);
			/* What is not gRPC's may call its own fields as it likes. */
			assert_false(fails(w, false, where, text));
			assert_int_equal(counts[SS_CANARY_CANARY].failures, judged >> s & 1);
			end(w);
		}
}

static void a_number_that_grpc_has_not(void **state)
{
	struct world *w = with_canary();

	assert_true(fails(w, true, TRAILERS, "17"));
	assert_true(fails(w, true, TRAILERS, "4294967296"));
	assert_true(fails(w, true, HEAD_ONLY, "65552")); /* 16 in 16 bits */
	assert_false(fails(w, true, TRAILERS, "fine"));
	assert_false(fails(w, true, NOWHERE, ""));
	assert_int_equal(counts[SS_CANARY_CANARY].failures, 3);
	end(w);
}

/* Five in a row in their trailers eject, as five 503 would. */
static void trailers_eject(void **state)
{
	struct world *w = with_canary();

	w->cluster.n_endpoints = 1;
	w->cluster.outlier.n_endpoints = EPS;
	for (int i = 0; i < 5; i++) {
		assert_true(ss_ep_pickable(w->table, w->eps[0].ep, w->now));
		assert_true(fails(w, true, TRAILERS, "14"));
	}
	assert_false(ss_ep_pickable(w->table, w->eps[0].ep, w->now));
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_its_http_status_would_be),
		cmocka_unit_test(a_number_that_grpc_has_not),
		cmocka_unit_test(trailers_eject),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
