/*
 * tele_pairs.c - who calls what, and how the way to us was protected: what an operator watches while a listener goes
 * from permissive to strict. Counted from the workers' records, so it costs a request nothing.
 *
 * A source is its verified identity; without one, its address; strangers at an edge are all one. There are at most
 * TELE_PAIRS, and addresses have half of them: whoever comes from many cannot crowd out the mesh. What finds no place is
 * counted as "other".
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"
#include "telemetry/tele_int.h"

#define TABLE (2 * TELE_PAIRS)
static_assert((TABLE & (TABLE - 1)) == 0, "a mask");

static uint32_t hash(struct ss_span source, uint32_t cluster)
{
	const struct ss_sipkey key = { { 0x7061697273, cluster } };

	return (uint32_t)ss_siphash(&key, source.p, source.n);
}

/* Its place in the table, or the free one where it would stand. */
static uint16_t *place(struct tele_pairs *p, struct ss_span source, uint32_t cluster)
{
	uint32_t i = hash(source, cluster) & (TABLE - 1);

	for (; p->table[i]; i = (i + 1) & (TABLE - 1)) {
		const struct ss_tele_pair *pair = &p->pair[p->table[i] - 1];

		if (pair->cluster == cluster && ss_span_eq(ss_span_str(pair->source), source))
			break;
	}
	return &p->table[i];
}

static struct ss_tele_pair *add(struct tele_pairs *p, uint16_t *at, struct ss_span source, uint32_t cluster)
{
	struct ss_tele_pair *pair = &p->pair[p->n];
	char *text = p->n < TELE_PAIRS ? strndup((const char *)source.p, source.n) : NULL;

	if (!text)
		return NULL;
	pair->source = text;
	pair->cluster = cluster;
	*at = (uint16_t)++p->n;
	return pair;
}

int ss_tele_pairs_create(struct tele_pairs *p)
{
	p->pair = calloc(TELE_PAIRS, sizeof(*p->pair));
	p->table = calloc(TABLE, sizeof(*p->table));
	if (!p->pair || !p->table || !add(p, place(p, SS_SPAN("other"), 0), SS_SPAN("other"), 0))
		return SS_ERR_NO_MEM;
	return 0;
}

void ss_tele_pairs_free(struct tele_pairs *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free((char *)(uintptr_t)p->pair[i].source);
	free(p->pair);
	free(p->table);
}

static bool at_edge(const struct ss_snapshot *s, uint32_t listener)
{
	const struct ss_listener *l = s ? ss_snapshot_listener(s, listener) : NULL;

	return l && l->edge;
}

/* peer_n: where it stands in a record's text is after what comes before it. */
static struct ss_span peer_of(const struct ss_event *ev)
{
	return ss_span(ev->text + ev->method_n + ev->authority_n + ev->path_n + ev->request_id_n, ev->peer_n);
}

void ss_tele_pairs_count(struct tele_pairs *p, const struct ss_snapshot *s, const struct ss_event *ev)
{
	struct ss_span source = peer_of(ev);
	bool address = source.n == 0 && !at_edge(s, ev->listener);
	char text[SS_IP_TEXT];
	struct ss_tele_pair *pair;
	uint16_t *at;

	if (ev->kind != SS_EVENT_REQUEST || ev->tls >= SS_ARRAY_LEN(pair->requests))
		return;
	if (source.n == 0)
		source = address ? ss_span_str(ss_ip_text(&ev->downstream.ip, text)) : SS_SPAN("edge");
	at = place(p, source, ev->cluster);
	pair = *at ? &p->pair[*at - 1] : NULL;
	if (!pair && !(address && p->addresses >= TELE_PAIRS / 2)) {
		pair = add(p, at, source, ev->cluster);
		p->addresses += pair && address;
	}
	if (!pair)
		pair = &p->pair[0];
	pair->requests[ev->tls]++;
}

bool ss_tele_pair(const struct ss_tele *t, uint32_t i, struct ss_tele_pair *out)
{
	if (i >= t->pairs.n)
		return false;
	*out = t->pairs.pair[i];
	return true;
}
