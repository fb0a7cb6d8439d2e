/*
 * tcp_table.c - finds the connection or TIME-WAIT entry of a four-tuple.
 *
 * Chained, with the links inside the entries: no allocation, and removal needs no tombstones. The hash
 * is keyed, because strangers choose the tuples.
 */
#include "tcp/tcp_int.h"

uint32_t ss_tcp_hash(const struct ss_tcp *t, const struct ss_tuple *u)
{
	if (ss_likely(u->local.family == 4)) {
		uint8_t k[12];
		memcpy(k, u->local.b, 4);
		memcpy(k + 4, u->remote.b, 4);
		ss_put_be16(k + 8, u->local_port);
		ss_put_be16(k + 10, u->remote_port);
		return (uint32_t)ss_siphash(&t->key, k, sizeof(k));
	}
	return (uint32_t)ss_siphash(&t->key, u, sizeof(*u));
}

static inline bool tuple_eq(const struct ss_tuple *a, const struct ss_tuple *b)
{
	_Static_assert(sizeof(struct ss_tuple) == 38, "compared as bytes: no padding");
	return memcmp(a, b, sizeof(*a)) == 0;
}

struct ss_tcp_node *ss_tcp_find(const struct ss_tcp *t, const struct ss_tuple *u, uint32_t hash)
{
	struct ss_tcp_node *n = t->table[hash & t->table_mask];
	while (n && (n->hash != hash || !tuple_eq(&n->tuple, u)))
		n = n->next;
	return n;
}

void ss_tcp_insert(struct ss_tcp *t, struct ss_tcp_node *n)
{
	struct ss_tcp_node **slot = &t->table[n->hash & t->table_mask];
	n->next = *slot;
	*slot = n;
}

void ss_tcp_remove(struct ss_tcp *t, struct ss_tcp_node *n)
{
	struct ss_tcp_node **at = &t->table[n->hash & t->table_mask];
	while (*at && *at != n)
		at = &(*at)->next;
	if (*at)
		*at = n->next;
	n->next = NULL;
}

/* Frames are steered before they are parsed, by net: the two must agree. */
uint16_t ss_tcp_steer(const struct ss_tuple *t, uint16_t n_workers)
{
	return ss_net_steer_tuple(t, n_workers);
}
