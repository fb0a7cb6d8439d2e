/*
 * Who compresses our header blocks. An encoder's table is six kilobytes, half of what an idle HTTP/2 connection
 * held; its contents are our choice (RFC 7541 4.2: a size of 0 empties the table at both ends). So encoders are
 * fewer than connections, and stand in a list by last use: a connection that answers without one takes that
 * of whoever has been silent longest, who begins anew, with an empty table, when it speaks again.
 */
#include <stdlib.h>

#include "http/http_int.h"

struct ss_h2_encoder {
	struct ss_list lru;
	struct ss_h2_conn *owner; /* NULL: nobody's */
	struct ss_hpack_enc enc;
};

struct ss_h2_encoders {
	struct ss_list lru; /* the one used last at the back */
	struct ss_h2_encoder e[];
};

/* A sixteenth of the connections, but enough that few connections never take turns. */
static uint32_t how_many(uint32_t max_conns)
{
	return ss_min_u32(max_conns, ss_max_u32(max_conns / 16, SS_H2_ENCODERS_MIN));
}

struct ss_h2_encoders *ss_h2_encoders_create(uint32_t max_conns)
{
	uint32_t n = how_many(max_conns);
	struct ss_h2_encoders *all = malloc(sizeof(*all) + n * sizeof(all->e[0]));

	if (!all)
		return NULL;
	/* Touched, as pools are: no worker runs short of memory in flight. */
	memset(all, 0, sizeof(*all) + n * sizeof(all->e[0]));
	ss_list_init(&all->lru);
	for (uint32_t i = 0; i < n; i++) {
		ss_list_init(&all->e[i].lru);
		ss_list_push_back(&all->lru, &all->e[i].lru);
	}
	return all;
}

void ss_h2_encoders_free(struct ss_h2_encoders *all)
{
	free(all);
}

static void begin(struct ss_h2_conn *k, struct ss_hpack_enc *e)
{
	ss_hpack_enc_init(e);
	if (k->enc_anew) /* the peer may hold entries of the table that is no more */
		ss_hpack_enc_limit(e, 0);
	ss_hpack_enc_limit(e, k->peer_table);
	k->enc_anew = true;
}

struct ss_hpack_enc *ss_h2_encoder(struct ss_http_conn *c)
{
	struct ss_h2_encoders *all = c->http->encoders;
	struct ss_h2_conn *k = c->h2;
	struct ss_h2_encoder *e = k->encoder;

	if (!e) {
		e = ss_list_entry(all->lru.next, struct ss_h2_encoder, lru);
		if (e->owner)
			e->owner->encoder = NULL;
		e->owner = k;
		k->encoder = e;
		begin(k, &e->enc);
	}
	ss_list_remove(&e->lru);
	ss_list_push_back(&all->lru, &e->lru);
	return &e->enc;
}

void ss_h2_encoder_limit(struct ss_http_conn *c, uint32_t limit)
{
	struct ss_h2_conn *k = c->h2;

	if (k->encoder)
		ss_hpack_enc_limit(&k->encoder->enc, limit);
	else if (limit != k->peer_table)
		k->enc_anew = true; /* RFC 7541 4.2: the lowest size of those between two blocks has to be told */
	k->peer_table = limit;
}

void ss_h2_encoder_end(struct ss_http_conn *c)
{
	struct ss_h2_encoder *e = c->h2->encoder;

	if (!e)
		return;
	c->h2->encoder = NULL;
	e->owner = NULL;
	ss_list_remove(&e->lru);
	ss_list_push_front(&c->http->encoders->lru, &e->lru);
}
