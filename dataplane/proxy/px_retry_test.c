/* px_retry_test.c - retries: the cases of retry_cases.txt, and what a line cannot say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "proxy/px_bed.h"
#include "wire/httpdate.h"

static const char *cases_path;
static char identity[100]; /* of every endpoint's certificate */
static struct ss_peer_names names;

/* -- a line of the file -- */

#define WORDS 16
struct words {
	uint32_t n;
	char *w[WORDS];
};

struct line {
	uint32_t number;
	struct words policy, request, script, gets;
	uint32_t tries;
};

static struct words split_words(char *text)
{
	struct words ws = {0};
	char *rest = NULL;

	for (char *t = strtok_r(text, " \t\n", &rest); t; t = strtok_r(NULL, " \t\n", &rest)) {
		assert_true(ws.n < WORDS);
		ws.w[ws.n++] = t;
	}
	return ws;
}

static bool parse(char *text, struct line *l)
{
	char *part[5], *p = text;

	if (text[0] == '#' || text[strspn(text, " \t\n")] == '\0')
		return false;
	for (int i = 0; i < 5; i++) {
		part[i] = p;
		p = strchr(p, '|');
		assert_true(i == 4 || p);
		if (i < 4)
			*p++ = '\0';
	}
	l->policy = split_words(part[0]);
	l->request = split_words(part[1]);
	l->script = split_words(part[2]);
	l->gets = split_words(part[3]);
	l->tries = (uint32_t)atoi(part[4]);
	return true;
}

/* -- policy -- */

static uint16_t codes[8];
static struct ss_route_field fields[8], request_fields[8];

/* "name", or "name~kind~value"; "!" before it: inverted. */
static struct ss_route_field field_of(char *text)
{
	static const char *const kinds[] = {"exact", "prefix", "suffix", "present", "regex", "range"};
	struct ss_route_field f = {.kind = SS_HM_PRESENT, .invert = *text == '!'};
	char *kind = strchr(text, '~'), *value = kind ? strchr(kind + 1, '~') : NULL;

	if (kind) {
		assert_non_null(value);
		*kind++ = *value++ = '\0';
		for (f.kind = 0; strcmp(kinds[f.kind], kind) != 0; f.kind++)
			assert_true(f.kind < SS_HM_RANGE);
		f.value = ss_span_str(value);
	}
	if (f.kind == SS_HM_RANGE)
		assert_int_equal(sscanf(value, "%ld..%ld", &f.start, &f.end), 2);
	f.name = ss_span_str(text + f.invert);
	return f;
}

static void set_fields(struct ss_field_set *s, struct ss_route_field *memory, char *text)
{
	char *rest = NULL;

	s->v = memory;
	for (char *t = strtok_r(text, ",", &rest); t; t = strtok_r(NULL, ",", &rest))
		memory[s->n++] = field_of(t);
}

static void set_policy(struct ss_retry *r, char *key)
{
	char *v = strchr(key, '='), *rest = NULL;
	uint64_t n;

	if (v)
		*v++ = '\0';
	n = v ? (uint64_t)atoi(v) : 0;
	if (!strcmp(key, "max"))
		r->max_retries = (uint8_t)n;
	else if (!strcmp(key, "try"))
		r->per_try_ns = n * MS;
	else if (!strcmp(key, "idle"))
		r->per_try_idle_ns = n * MS;
	else if (!strcmp(key, "base"))
		r->base_ns = n * MS;
	else if (!strcmp(key, "after"))
		r->max_after_ns = n * S;
	else if (!strcmp(key, "body"))
		r->body_max = (uint32_t)n;
	else if (!strcmp(key, "non_idempotent"))
		r->non_idempotent = true;
	else if (!strcmp(key, "on"))
		for (char *t = strtok_r(v, ",", &rest); t; t = strtok_r(NULL, ",", &rest)) {
			assert_true(ss_retry_condition(ss_span_str(t)));
			r->on |= ss_retry_condition(ss_span_str(t));
		}
	else if (!strcmp(key, "status"))
		for (char *t = strtok_r(v, ",", &rest); t; t = strtok_r(NULL, ",", &rest))
			codes[r->n_status++] = (uint16_t)atoi(t);
	else if (!strcmp(key, "headers"))
		set_fields(&r->headers, fields, v);
	else if (!strcmp(key, "request_headers"))
		set_fields(&r->request_headers, request_fields, v);
	else
		fail_msg("unknown policy key %s", key);
}

static void use_policy(struct world *w, const struct line *l)
{
	struct ss_retry *r = &w->retry;

	*r = (struct ss_retry){
		.max_ns = S, .max_after_ns = 300 * S, .body_max = 65536, .status = codes};
	identity[0] = '\0';
	for (uint32_t i = 0; i < l->policy.n; i++)
		if (!strcmp(l->policy.w[i], "stranger"))
			w->cluster.mesh_hop = false;
		else if (!strncmp(l->policy.w[i], "identity=", 9))
			snprintf(identity, sizeof(identity), "%s", l->policy.w[i] + 9);
		else
			set_policy(r, l->policy.w[i]);
	if (!r->on)
		r->on = SS_RETRY_DEFAULT;
	if (!r->max_retries)
		w->route.retry = NULL;
}

/* -- request -- */

static struct ss_http_stream *send_request(struct world *w, const struct line *l)
{
	char *method = l->request.w[0], *plus = strchr(method, '+');
	uint32_t body = plus ? (uint32_t)atoi(plus + 1) : 0;
	bool grpc = !strcmp(method, "GRPC");
	struct ss_http_stream *d;
	static char zeros[100000];

	if (plus)
		*plus = '\0';
	d = request(w, grpc ? "POST" : method, "/");
	if (grpc)
		field(d, "content-type", "application/grpc");
	for (uint32_t i = 1; i < l->request.n; i++) {
		char *v = strchr(l->request.w[i], '=');
		*v = '\0';
		field(d, l->request.w[i], v + 1);
	}
	if (body)
		fake_bytes(d, zeros, body);
	fake_end(d);
	return d;
}

/* -- endpoints -- */

/* The world's day begins at some time in 2026. */
static struct ss_wall wall = {.offset_ns = 1790000000ll * SS_NS_PER_SEC};

static const char *date_text(const struct world *w, int from_now)
{
	static char text[SS_HTTPDATE_TEXT];

	ss_httpdate_put(text, (uint64_t)((int64_t)((w->now + (uint64_t)wall.offset_ns) / SS_NS_PER_SEC) + from_now));
	return text;
}

static void act(struct world *w, struct ss_http_stream *u, char *what)
{
	char *rest = NULL, *h;

	if (!strcmp(what, "reset")) {
		fake_gone(u->conn, SS_DROP_NONE);
		return;
	}
	if (!strcmp(what, "refused")) {
		fake_reset(u, SS_DROP_UPSTREAM_STREAM_RESET, true);
		return;
	}
	if (!strcmp(what, "stall")) {
		u->rx.status = 1; /* seen */
		return;
	}
	what = strtok_r(what, "/", &rest);
	if (!strncmp(what, "grpc:", 5))
		field(u, "grpc-status", what + 5);
	while ((h = strtok_r(NULL, "/", &rest))) {
		char *v = strchr(h, '=');
		*v = '\0';
		/* date+2, date-5: so many seconds from now, as the world's calendar has it */
		if (!strncmp(v + 1, "date", 4))
			field(u, h, date_text(w, atoi(v + 5)));
		else
			field(u, h, v + 1);
	}
	fake_status(u, strncmp(what, "grpc:", 5) ? (uint16_t)atoi(what) : 200);
	fake_end(u);
}

static struct ss_http_conn *unopened(struct world *w)
{
	struct ss_list *n;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (c->upstream && !c->open && !c->gone)
			return c;
	}
	return NULL;
}

static uint32_t play(struct world *w, struct line *l, struct ss_http_stream *d)
{
	uint32_t tries = 0;

	for (int step = 0; step < 3000 && !d->tx_head && !d->over; step++) {
		struct ss_http_stream *u = routed(w);
		struct ss_http_conn *c = unopened(w);
		char *next = tries < l->script.n ? l->script.w[tries] : NULL;
		if (u && !next)
			return tries + 1; /* one that nobody expected */
		if (u) {
			act(w, u, next);
			tries++;
		} else if (c && next && !strcmp(next, "noconn")) {
			fake_gone(c, SS_DROP_TCP_RESET);
			tries++;
		} else if (c) {
			names.identity = ss_span_str(identity);
			c->peer.names = &names;
			fake_open(c, 100);
		}
		w->now += 5 * MS;
	}
	return tries;
}

static void run(struct line *l)
{
	struct world *w = start();
	struct ss_http_stream *d;
	struct ss_event e;
	char got[40];
	uint32_t tries;

	use_policy(w, l);
	w->snap.wall = &wall;
	w->cluster.outlier.consecutive_errors = 0;
	d = send_request(w, l);
	tries = play(w, l, d);
	if (!d->tx_head)
		fail_msg("retry_cases.txt:%u: no answer after %u tries", l->number, tries);
	if (!strncmp(l->gets.w[0], "grpc:", 5))
		snprintf(got, sizeof(got), "grpc:%s", fake_field(&d->tx, "grpc-status"));
	else
		snprintf(got, sizeof(got), "%u", d->tx.status);
	delivered(w, d);
	e = next_event(w);
	if (strcmp(got, l->gets.w[0]) != 0 || tries != l->tries)
		fail_msg("retry_cases.txt:%u: client got %s after %u tries", l->number, got, tries);
	if (strcmp(ss_drop_flag(e.drop), l->gets.n > 1 ? l->gets.w[1] : "-") != 0)
		fail_msg("retry_cases.txt:%u: flag %s (%s)", l->number, ss_drop_flag(e.drop), ss_drop_name(e.drop));
	end(w);
}

static void the_cases_of_the_file(void **state)
{
	FILE *f = fopen(cases_path, "r");
	char text[400];
	uint32_t number = 0, n = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		struct line l = {.number = ++number};
		if (parse(text, &l)) {
			run(&l);
			n++;
		}
	}
	fclose(f);
	assert_true(n > 60);
}

/* -- what a line cannot say -- */

/* Full jitter: over many requests the second try comes uniformly between 0 and the base. */
static void back_off_is_uniform(void **state)
{
	struct world *w = start();
	uint32_t n = 400, early = 0, late = 0;
	uint64_t sum = 0;

	w->retry = (struct ss_retry){.on = SS_RETRY_5XX, .max_retries = 1, .base_ns = 100 * MS, .max_ns = S};
	w->cluster.outlier.consecutive_errors = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct ss_http_stream *d = get(w, "/"), *u = NULL;
		uint64_t at;
		for (int k = 0; k < 4 && !(u = routed(w)); k++)
			if (unopened(w))
				fake_open(unopened(w), 100);
		assert_non_null(u);
		fake_status(u, 503);
		fake_end(u);
		at = w->now;
		while (!(u = routed(w))) {
			if (unopened(w))
				fake_open(unopened(w), 100);
			w->now += MS / 2;
		}
		at = w->now - at;
		assert_true(at < 105 * MS);
		sum += at;
		early += at < 25 * MS;
		late += at > 75 * MS;
		answer(w, u, 200, "");
		delivered(w, d);
	}
	/* 400 draws: the mean's standard deviation is 1.4 ms, that of a quarter's count 8.7. */
	assert_in_range(sum / n, 43 * MS, 58 * MS);
	assert_in_range(early, 65, 140);
	assert_in_range(late, 65, 140);
	end(w);
}

/* Another endpoint is preferred, and the same bytes go there. */
static void another_endpoint_gets_the_same_bytes(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "PUT", "/x"), *u[2];

	w->retry.on = SS_RETRY_5XX;
	fake_bytes(d, "body", 4);
	fake_end(d);
	u[0] = opened(w, 100);
	answer(w, u[0], 503, "sorry, not now");
	u[1] = opened(w, 100);
	assert_int_not_equal(u[0]->conn->remote.ip.b[3], u[1]->conn->remote.ip.b[3]);
	fake_drain(u[1], 100);
	body_is(u[1], "body");
	answer(w, u[1], 200, "done");
	delivered(w, d);
	body_is(d, "done"); /* nothing of the first answer */
	end(w);
}

static void hops_are_told(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "GET", "/"), *u;

	w->retry.on = SS_RETRY_5XX;
	w->retry.per_try_ns = 2 * S;
	field(d, "x-envoy-attempt-count", "2");
	fake_end(d);
	u = opened(w, 100);
	assert_string_equal(fake_field(&u->tx, "x-envoy-attempt-count"), "2");
	assert_string_equal(fake_field(&u->tx, "x-envoy-expected-rq-timeout-ms"), "2000");
	w->now += 4 * S - 4 * MS / 10;
	answer(w, u, 503, "");
	u = opened(w, 100);
	assert_string_equal(fake_field(&u->tx, "x-envoy-attempt-count"), "3");
	assert_true(atoi(fake_field(&u->tx, "x-envoy-expected-rq-timeout-ms")) <= 1002);
	answer(w, u, 503, "");
	assert_int_equal(d->tx.status, 503);
	assert_string_equal(fake_field(&d->tx, "x-sidestep-retried"), "1");
	delivered(w, d);
	end(w);
}

/* Nobody at an edge learns of it, nor is believed. */
static void strangers_are_not_told(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "GET", "/"), *u;

	w->listener.edge = true;
	w->retry.on = SS_RETRY_5XX;
	field(d, "x-envoy-attempt-count", "7");
	field(d, "x-envoy-max-retries", "0");
	field(d, "x-envoy-expected-rq-timeout-ms", "1");
	fake_end(d);
	u = opened(w, 100);
	assert_string_equal(fake_field(&u->tx, "x-envoy-attempt-count"), "1");
	answer(w, u, 503, "");
	u = opened(w, 100);
	answer(w, u, 503, "");
	assert_int_equal(d->tx.status, 503);
	assert_null(fake_field(&d->tx, "x-sidestep-retried"));
	delivered(w, d);
	end(w);
}

static void a_deadline_is_carried_on(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/pkg.Svc/M"), *u;

	field(d, "content-type", "application/grpc");
	field(d, "grpc-timeout", "3S");
	fake_end(d);
	turn(w);
	w->now += S;
	u = opened(w, 100);
	assert_in_range(atoi(fake_field(&u->tx, "grpc-timeout")), 1900, 2000);
	assert_true(fake_field(&u->tx, "grpc-timeout")[4] == 'm');
	answer(w, u, 200, "");
	delivered(w, d);
	end(w);
}

static void a_stream_may_not_last_for_ever(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d, *u;
	struct ss_event e;

	w->route.max_stream_ns = 10 * S;
	d = get(w, "/");
	u = opened(w, 100);
	fake_status(u, 200);
	turn(w);
	for (int i = 0; i < 12 && !d->over; i++) {
		fake_bytes(u, "tick", 4);
		wait_for(w, S);
		fake_drain(d, 100);
	}
	assert_true(d->over);
	e = next_event(w);
	assert_string_equal(ss_drop_flag(e.drop), "DT");
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 0);
	end(w);
}

/* The policy of a route that a reload takes away is not used any more. */
static void a_reload_may_take_the_policy_away(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u;

	w->retry.on = SS_RETRY_5XX;
	u = opened(w, 100);
	w->snap.generation = 2;
	w->route.retry = NULL;
	ss_up_adopt(w->up, &w->snap, w->now);
	answer(w, u, 503, "");
	assert_int_equal(d->tx.status, 503);
	delivered(w, d);
	end(w);
}

/* -- hedging -- */

/* A request whose first try is late and that has a second one: u[0] is the first. */
static struct ss_http_stream *hedged(struct world *w, struct ss_http_stream **u)
{
	struct ss_http_stream *d;

	w->retry = (struct ss_retry){
		.on = SS_RETRY_5XX, .max_retries = 1, .hedge = true, .per_try_ns = 100 * MS, .body_max = 65536};
	d = get(w, "/");
	u[0] = opened(w, 100);
	u[0]->rx.status = 1; /* seen */
	wait_for(w, 102 * MS);
	assert_false(u[0]->over);
	u[1] = opened(w, 100);
	assert_ptr_not_equal(u[0]->conn, u[1]->conn);
	return d;
}

static void the_late_try_may_still_win(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	fake_status(u[0], 200);
	fake_bytes(u[0], "first", 5);
	fake_end(u[0]);
	turn(w);
	assert_true(u[1]->over && u[1]->released);
	delivered(w, d);
	body_is(d, "first");
	assert_int_equal(next_event(w).status, 200);
	end(w);
}

static void the_second_try_may_win(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	answer(w, u[1], 200, "second");
	assert_true(u[0]->over && u[0]->released);
	delivered(w, d);
	body_is(d, "second");
	end(w);
}

static void a_bad_head_does_not_win(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	answer(w, u[0], 503, "");
	assert_false(d->tx_head);
	answer(w, u[1], 200, "second");
	delivered(w, d);
	body_is(d, "second");
	end(w);
}

static void the_last_of_two_is_waited_for(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	fake_reset(u[1], SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	assert_false(d->tx_head);
	answer(w, u[0], 200, "first");
	delivered(w, d);
	body_is(d, "first");
	end(w);
}

static void both_may_fail(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	fake_reset(u[1], SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	fake_reset(u[0], SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	replied(w, d, 502, "UR");
	end(w);
}

static void a_client_that_goes_ends_both(void **state)
{
	struct world *w = start();
	struct ss_http_stream *u[2], *d = hedged(w, u);

	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(u[0]->over && u[1]->over);
	end(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cases_of_the_file),
		cmocka_unit_test(back_off_is_uniform),
		cmocka_unit_test(another_endpoint_gets_the_same_bytes),
		cmocka_unit_test(hops_are_told),
		cmocka_unit_test(strangers_are_not_told),
		cmocka_unit_test(a_deadline_is_carried_on),
		cmocka_unit_test(a_stream_may_not_last_for_ever),
		cmocka_unit_test(the_late_try_may_still_win),
		cmocka_unit_test(the_second_try_may_win),
		cmocka_unit_test(a_bad_head_does_not_win),
		cmocka_unit_test(the_last_of_two_is_waited_for),
		cmocka_unit_test(both_may_fail),
		cmocka_unit_test(a_client_that_goes_ends_both),
		cmocka_unit_test(a_reload_may_take_the_policy_away),
	};

	if (argc < 2)
		return 2;
	cases_path = argv[1];
	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
