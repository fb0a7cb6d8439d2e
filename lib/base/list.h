/*
 * list.h - an intrusive doubly linked list; news travels in these.
 *
 * Takes:   nodes embedded in the caller's objects.
 * Gives:   O(1) insert, remove, splice; "is it on a list" without knowing which.
 * Owns:    nothing.
 * Thread:  whoever owns the objects.
 */
#ifndef SS_LIST_H
#define SS_LIST_H

#include "base/base.h"

/* A head or a node. A node that is on no list points to itself. */
struct ss_list {
	struct ss_list *next, *prev;
};

static inline void ss_list_init(struct ss_list *l)
{
	l->next = l->prev = l;
}

static inline bool ss_list_empty(const struct ss_list *l)
{
	return l->next == l;
}

/* True when an initialised node is on some list. */
static inline bool ss_list_linked(const struct ss_list *n)
{
	return n->next != n;
}

static inline void ss_list_push_back(struct ss_list *l, struct ss_list *n)
{
	n->prev = l->prev;
	n->next = l;
	l->prev->next = n;
	l->prev = n;
}

static inline void ss_list_push_front(struct ss_list *l, struct ss_list *n)
{
	n->next = l->next;
	n->prev = l;
	l->next->prev = n;
	l->next = n;
}

/* Removes a node from whatever list it is on; harmless when it is on none. */
static inline void ss_list_remove(struct ss_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	ss_list_init(n);
}

/* Puts a node at the back unless it is on a list already: how news stays unique. */
static inline void ss_list_push_once(struct ss_list *l, struct ss_list *n)
{
	if (!ss_list_linked(n))
		ss_list_push_back(l, n);
}

/* Takes the first node off; NULL when the list is empty. */
static inline struct ss_list *ss_list_pop(struct ss_list *l)
{
	struct ss_list *n = l->next;
	if (n == l)
		return NULL;
	ss_list_remove(n);
	return n;
}

/* Moves everything on `from` to the back of `to`. */
static inline void ss_list_splice(struct ss_list *to, struct ss_list *from)
{
	if (ss_list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	ss_list_init(from);
}

#define ss_list_entry(n, type, member) ss_container_of(n, type, member)
#define ss_list_for(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)
/* As ss_list_for, but the body may remove pos. */
#define ss_list_for_safe(pos, tmp, head) \
	for (pos = (head)->next, tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif
