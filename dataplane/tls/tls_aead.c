/*
 * tls_aead.c - a backend and the expanded keys it holds.
 */
#include <stdalign.h>

#include <openssl/crypto.h>

#include "base/err.h"
#include "contract/counters.h"
#include "tls/tls_aead.h"

/* Keys given up in one call: wiping one takes 0.1 us. */
#define SWEEP 32

struct tls_slot {
	struct ss_list lru;
	struct tls_half *half; /* whose key it is; NULL: nobody's */
	alignas(SS_CACHE_LINE) uint8_t x[]; /* the backend's ops->xkey bytes */
};

static struct tls_slot *slot_at(const struct tls_aead *a, uint32_t i)
{
	return (struct tls_slot *)(a->slots + (size_t)i * a->stride);
}

int ss_tls_aead_create(struct tls_aead **out, const struct tls_aead_ops *ops, const struct tls_aead_place *at,
		       uint32_t slots)
{
	struct tls_aead *a = OPENSSL_zalloc(sizeof(*a));

	*out = NULL;
	if (!a)
		return SS_ERR_NO_MEM;
	a->ops = ops;
	a->counters = at->counters;
	ss_list_init(&a->lru);
	ss_list_init(&a->free);
	ss_list_init(&a->mark);
	ss_list_push_back(&a->lru, &a->mark);
	a->lib = ops->create(at);
	if (!a->lib) {
		OPENSSL_free(a);
		return SS_ERR_NOT_FOUND;
	}
	a->stride = (sizeof(struct tls_slot) + ops->xkey + SS_CACHE_LINE - 1) / SS_CACHE_LINE * SS_CACHE_LINE;
	a->slots = aligned_alloc(SS_CACHE_LINE, slots * a->stride);
	if (!a->slots) {
		ss_tls_aead_free(a);
		return SS_ERR_NO_MEM;
	}
	a->n = slots;
	for (uint32_t i = 0; i < slots; i++) {
		struct tls_slot *s = slot_at(a, i);

		memset(s, 0, a->stride);
		ss_list_push_back(&a->free, &s->lru);
	}
	*out = a;
	return 0;
}

void ss_tls_aead_free(struct tls_aead *a)
{
	if (!a)
		return;
	for (uint32_t i = 0; i < a->n; i++) {
		struct tls_slot *s = slot_at(a, i);

		a->ops->release(s->x);
		OPENSSL_cleanse(s->x, a->ops->xkey);
	}
	free(a->slots);
	a->ops->destroy(a->lib);
	OPENSSL_free(a);
}

static void take_back(struct tls_aead *a, struct tls_slot *s)
{
	a->ops->forget(s->x);
	s->half->slot = NULL;
	s->half = NULL;
	ss_list_remove(&s->lru);
	ss_list_push_back(&a->free, &s->lru);
	a->held--;
}

/* The one used longest ago; n > 0 slots are lent. */
static struct tls_slot *oldest(const struct tls_aead *a)
{
	const struct ss_list *n = a->lru.next == &a->mark ? a->mark.next : a->lru.next;

	return ss_list_entry(n, struct tls_slot, lru);
}

/* A place for the expanded key of h, which has none. */
static struct tls_slot *lend(struct tls_aead *a, struct tls_half *h)
{
	if (ss_list_empty(&a->free))
		take_back(a, oldest(a));
	struct tls_slot *s = ss_list_entry(a->free.next, struct tls_slot, lru);

	if (a->ops->expand(a->lib, (enum tls_alg)h->alg, h->sealing, h->key, s->x) < 0)
		return NULL;
	if (a->counters && h->expanded)
		ss_count(a->counters, SS_C_TLS_KEYS_AGAIN, 1);
	h->expanded = true;
	s->half = h;
	h->slot = s;
	a->held++;
	return s;
}

static struct tls_slot *slot_of(struct tls_aead *a, struct tls_half *h)
{
	struct tls_slot *s = h->slot;

	if (ss_unlikely(!s) && !(s = lend(a, h)))
		return NULL;
	ss_list_remove(&s->lru);
	ss_list_push_back(&a->lru, &s->lru);
	return s;
}

int ss_tls_aead_seal(struct tls_aead *a, struct tls_half *h, const struct tls_job *job)
{
	struct tls_slot *s = slot_of(a, h);

	return s ? a->ops->seal(a->lib, (enum tls_alg)h->alg, s->x, job) : SS_ERR_NO_MEM;
}

int ss_tls_aead_open(struct tls_aead *a, struct tls_half *h, const struct tls_job *job)
{
	struct tls_slot *s = slot_of(a, h);

	return s ? a->ops->open(a->lib, (enum tls_alg)h->alg, s->x, job) : SS_ERR_NO_MEM;
}

bool ss_tls_aead_sweep(struct tls_aead *a)
{
	for (uint32_t n = 0; a->lru.next != &a->mark; n++) {
		if (n == SWEEP)
			return false;
		take_back(a, ss_list_entry(a->lru.next, struct tls_slot, lru));
	}
	ss_list_remove(&a->mark);
	ss_list_push_back(&a->lru, &a->mark);
	return true;
}

void ss_tls_aead_rest(struct tls_aead *a, struct tls_half *h)
{
	if (h->slot)
		take_back(a, h->slot);
}

void ss_tls_aead_forget(struct tls_aead *a, struct tls_half *h)
{
	ss_tls_aead_rest(a, h);
	OPENSSL_cleanse(h, sizeof(*h));
}
