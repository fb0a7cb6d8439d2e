/* load_origin.c - reads a request to its end, waits as long as it is told, answers with the pattern. */
#include "base/err.h"
#include "perf/load/load_int.h"

int ss_load_origin_create(struct ss_load_origin *g, uint32_t max_answers)
{
	g->delays = g->o->delays;
	g->answers = ss_pool_create("answers", sizeof(struct ss_load_answer), max_answers);
	if (!g->answers)
		return SS_ERR_NO_MEM;
	return ss_load_heap_create(&g->heap, max_answers);
}

void ss_load_origin_free(struct ss_load_origin *g)
{
	ss_load_heap_free(&g->heap);
	ss_pool_free(g->answers);
}

static void forget(struct ss_load_origin *g, struct ss_load_answer *a)
{
	ss_load_heap_remove(&g->heap, &a->due);
	ss_list_remove(&a->hungry);
	ss_http_release(a->stream);
	ss_pool_give(g->answers, a);
}

/* "/size/N", with or without a query, asks for N bytes. */
static uint64_t size_of(const struct ss_load_origin *g, struct ss_span path)
{
	struct ss_span start = SS_SPAN("/size/");
	uint64_t n = 0;

	if (!ss_span_starts(path, start) || path.n == start.n)
		return g->o->response_size;
	for (uint32_t i = start.n; i < path.n && path.p[i] != '?'; i++) {
		if (path.p[i] < '0' || path.p[i] > '9' || n >> 40)
			return g->o->response_size;
		n = n * 10 + (uint64_t)(path.p[i] - '0');
	}
	return n;
}

static struct ss_load_answer *begin(struct ss_load_origin *g, struct ss_http_stream *s)
{
	struct ss_load_answer *a = ss_pool_take(g->answers);
	const struct ss_hdrs *h = ss_http_head(s);

	if (!a) {
		ss_http_reset(s, SS_HTTP_REFUSED_STREAM);
		ss_http_release(s);
		return NULL;
	}
	*a = (struct ss_load_answer){ .role = SS_LOAD_ORIGIN, .stream = s, .size = size_of(g, h->path) };
	a->due.place = SS_LOAD_NOT_DUE;
	ss_list_init(&a->hungry);
	ss_http_set_owner(s, a);
	return a;
}

static void finished(struct ss_load_origin *g, struct ss_load_answer *a)
{
	g->tally.requests++;
	g->tally.wrong += a->wrong;
	g->tally.request_bytes += a->body_in;
	g->tally.response_bytes += a->sent;
	ss_load_live_add(&g->live->served, 1);
	forget(g, a);
}

/* As much of the body as http takes, and as there are buffers for; the rest follows. True: some went. */
static bool pump(struct ss_load_origin *g, struct ss_load_answer *a, uint64_t now)
{
	uint64_t before = a->sent;

	while (a->sent < a->size) {
		uint64_t n = ss_min_u64(ss_http_room(a->stream), a->size - a->sent);
		struct ss_bufq q;

		if (!n)
			return a->sent != before; /* news tells of room */
		ss_bufq_init(&q);
		n = ss_load_feed_grant(&g->feed, n, now);
		if (!n || ss_load_body_fill(g->pattern, &q, g->feed.bufs, a->sent, n) < 0) {
			ss_bufq_free(&q);
			ss_list_push_once(&g->feed.hungry, &a->hungry);
			return a->sent != before;
		}
		a->sent += n;
		if (ss_http_send_body(a->stream, &q, a->sent == a->size) < 0)
			return true; /* it is over: news says why */
	}
	finished(g, a);
	return true;
}

static struct ss_span decimal(char *buf, size_t n, uint64_t v)
{
	char *p = buf + n;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return ss_span(p, (uint32_t)(buf + n - p));
}

static void answer(struct ss_load_origin *g, struct ss_load_answer *a, uint64_t now)
{
	bool none = g->o->response_status == 204 || g->o->response_status == 304;
	bool empty = none || a->size == 0 || ss_span_eq(ss_http_head(a->stream)->method, SS_SPAN("HEAD"));
	struct ss_hdr v[2];
	struct ss_hdrs h;
	char length[20];

	ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
	h.status = (uint16_t)g->o->response_status;
	ss_hdrs_add(&h, SS_SPAN("content-type"), SS_SPAN("text/plain"), 0);
	if (!none)
		ss_hdrs_add(&h, SS_SPAN("content-length"), decimal(length, sizeof(length), a->size), 0);
	a->begun = true;
	if (empty)
		a->size = 0;
	if (ss_http_send_head(a->stream, &h, empty) < 0) {
		ss_http_reset(a->stream, SS_HTTP_INTERNAL_ERROR);
		g->tally.reset++;
		forget(g, a);
		return;
	}
	pump(g, a, now);
}

/* The whole request is here: answer now, or when its delay is over. */
static void asked(struct ss_load_origin *g, struct ss_load_answer *a, uint64_t now)
{
	uint64_t delay = ss_load_delays_draw(&g->delays);

	g->tally.delayed += delay != 0;
	/* The heap is as large as the pool of answers. */
	if (!delay || ss_load_heap_add(&g->heap, &a->due, now + delay) < 0)
		answer(g, a, now);
}

void ss_load_origin_news(struct ss_load_origin *g, struct ss_http_stream *s, uint64_t now)
{
	struct ss_load_reference ref = { .check = SS_LOAD_CHECK_PATTERN, .pattern = g->pattern };
	struct ss_load_answer *a = ss_http_owner(s);
	uint32_t ev = ss_http_events(s);

	if (!a && (ev & SS_HTTP_EV_RESET)) {
		ss_http_release(s);
		return;
	}
	if (!a && (!(ev & SS_HTTP_EV_HEAD) || !(a = begin(g, s))))
		return;
	if ((ev & (SS_HTTP_EV_BODY | SS_HTTP_EV_END)) && !ss_load_body_take(s, &ref, &a->body_in))
		a->wrong = true;
	if (ev & SS_HTTP_EV_RESET) {
		g->tally.reset++;
		forget(g, a);
	} else if ((ev & SS_HTTP_EV_END) && !a->begun) {
		asked(g, a, now);
	} else if ((ev & SS_HTTP_EV_ROOM) && a->begun) {
		pump(g, a, now);
	}
}

bool ss_load_origin_run(struct ss_load_origin *g, uint64_t now)
{
	struct ss_list hungry, *n;
	struct ss_load_due *d;
	bool any = false;

	ss_list_init(&hungry);
	ss_list_splice(&hungry, &g->feed.hungry);
	while ((n = ss_list_pop(&hungry)))
		any |= pump(g, ss_list_entry(n, struct ss_load_answer, hungry), now);
	while ((d = ss_load_heap_pop(&g->heap, now))) {
		answer(g, ss_container_of(d, struct ss_load_answer, due), now);
		any = true;
	}
	return any;
}
