/*
 * tele_recent.c - records of requests that have just ended, kept for who asks about one by its id.
 *
 * Workers write each record anyway; keeping a copy costs them nothing, and the control thread the copy. What failed is kept
 * apart as well: it is asked about more, and a flood of good requests would push it out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

static int make(struct tele_ring *r, uint32_t cap)
{
	r->cap = cap;
	r->record = cap ? calloc(cap, sizeof(*r->record)) : NULL;
	return cap && !r->record ? SS_ERR_NO_MEM : 0;
}

int ss_tele_recent_create(struct ss_tele *t)
{
	int code = make(&t->recent, t->conf.recent);

	return code < 0 ? code : make(&t->failed, (t->conf.recent + 3) / 4);
}

void ss_tele_recent_free(struct ss_tele *t)
{
	free(t->recent.record);
	free(t->failed.record);
}

static uint32_t text_n(const struct ss_event *ev)
{
	uint32_t n = (uint32_t)ev->method_n + ev->authority_n + ev->path_n + ev->request_id_n + ev->peer_n + ev->trace_n +
		     ev->user_agent_n + ev->detail_n;

	return ss_min_u32(n, SS_EVENT_TEXT);
}

static void keep(struct tele_ring *r, const struct ss_event *ev, int64_t offset, uint64_t seen)
{
	r->record[r->next].offset = offset;
	r->record[r->next].seen = seen;
	memcpy(&r->record[r->next].ev, ev, offsetof(struct ss_event, text) + text_n(ev));
	r->next = r->next + 1 == r->cap ? 0 : r->next + 1;
	r->n += r->n < r->cap;
}

void ss_tele_recent_add(struct ss_tele *t, const struct ss_event *ev, int64_t offset)
{
	if (!t->recent.cap || ev->kind != SS_EVENT_REQUEST)
		return;
	keep(&t->recent, ev, offset, ++t->seen);
	if (ev->drop || ev->status >= 500 || ev->status == 0)
		keep(&t->failed, ev, offset, t->seen);
}

/* Ids are longer than what a record keeps of them. */
static bool is(const struct ss_event *ev, struct ss_span id)
{
	const char *at = ev->text + ev->method_n + ev->authority_n + ev->path_n;

	return ev->request_id_n && ev->request_id_n <= id.n && (ev->request_id_n == id.n || ev->request_id_n == 40) &&
	       !memcmp(at, id.p, ev->request_id_n);
}

/* The skip-th from the newest, of the first `until` requests; *skip falls by those that are passed over. */
static const struct tele_record *find(const struct tele_ring *r, struct ss_span id, uint64_t until, uint32_t *skip)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct tele_record *k = &r->record[(r->next + r->cap - 1 - i) % r->cap];
		if (k->seen <= until && is(&k->ev, id) && (*skip)-- == 0)
			return k;
	}
	return NULL;
}

const struct ss_event *ss_tele_recent(const struct ss_tele *t, struct ss_span request_id, uint32_t skip, int64_t *offset)
{
	const struct tele_record *k = find(&t->recent, request_id, t->seen, &skip);

	if (!k)
		k = find(&t->failed, request_id, t->seen - t->recent.n, &skip);
	if (k && offset)
		*offset = k->offset;
	return k ? &k->ev : NULL;
}
