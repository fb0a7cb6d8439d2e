/*
 * limit_bench.c - rate limits of a request: one bucket for all, an identity's bucket among many, a refusal,
 * and a bucket that three more threads take from as fast as they can (where there are cores for them).
 */
#include <pthread.h>
#include <stdio.h>

#include "limit/limit.h"
#include "perf/micro/micro.h"

#define IDENTITIES 1000u
#define OTHERS 3

struct limits {
	struct ss_limit_table *t;
	struct ss_limit limit[2];
	const struct ss_limit *named[2];
	struct ss_limit_list list[2];
	struct ss_limit_request rq;
	char who[IDENTITIES][64];
	uint64_t now;
	uint32_t passed;
	_Atomic bool stop;
};

static void one(struct limits *l, uint16_t worker, uint64_t now, uint32_t *passed)
{
	struct ss_limit_request rq = l->rq;
	struct ss_limit_verdict v;

	rq.worker = worker;
	*passed += ss_limit_pass(l->t, &l->list[0], NULL, &rq, now, &v);
}

/* Time goes on fast enough for a token to be there. */
static void pass(void *at, uint32_t n)
{
	struct limits *l = at;

	for (uint32_t i = 0; i < n; i++)
		one(l, 0, l->now += 200, &l->passed);
}

static void refuse(void *at, uint32_t n)
{
	struct limits *l = at;

	for (uint32_t i = 0; i < n; i++)
		one(l, 0, l->now, &l->passed);
}

/* A total and an identity's own, as Linkerd's policy has them. */
static void total_and_identity(void *at, uint32_t n)
{
	struct limits *l = at;
	struct ss_limit_verdict v;

	for (uint32_t i = 0; i < n; i++) {
		l->rq.identity = ss_span_str(l->who[i % IDENTITIES]);
		l->passed += ss_limit_pass(l->t, &l->list[0], &l->list[1], &l->rq, l->now += 200, &v);
	}
}

static void *other(void *at)
{
	struct limits *l = at;
	uint32_t passed = 0;

	for (uint64_t now = l->now; !atomic_load_explicit(&l->stop, memory_order_relaxed);)
		one(l, 1, now += 200, &passed);
	micro_keep(passed);
	return NULL;
}

static void contended(struct micro *m, struct limits *l)
{
	pthread_t t[OTHERS];

	for (int i = 0; i < OTHERS; i++)
		if (pthread_create(&t[i], NULL, other, l))
			return;
	micro_run(m, "limit.pass.contended_by_3", pass, l);
	atomic_store(&l->stop, true);
	for (int i = 0; i < OTHERS; i++)
		pthread_join(t[i], NULL);
}

static void make(struct limits *l)
{
	*l = (struct limits){.now = SS_NS_PER_SEC};
	assert(ss_limit_table_create(&l->t, 4, 65536, 2) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		l->limit[i] = (struct ss_limit){
			.name = 1 + i, .enforce = true, .key = i ? SS_LIMIT_IDENTITY : SS_LIMIT_ALL};
		ss_limit_pace_of(&l->limit[i].pace, 10000000, SS_NS_PER_SEC, 1000);
		ss_limit_hold(l->t, 1 + i, &l->limit[i].slot);
		l->named[i] = &l->limit[i];
		l->list[i] = (struct ss_limit_list){1, &l->named[i]};
	}
	for (uint32_t i = 0; i < IDENTITIES; i++)
		snprintf(l->who[i], sizeof(l->who[i]), "spiffe://mesh.local/ns/namespace/sa/service-%04u", i);
}

void micro_items(struct micro *m)
{
	static struct limits l;

	make(&l);
	micro_run(m, "limit.pass", pass, &l);
	micro_run(m, "limit.total_and_identity", total_and_identity, &l);
	if (micro_patient(m) && micro_wants(m, "limit.pass.contended_by_3"))
		contended(m, &l);
	ss_limit_pace_of(&l.limit[0].pace, 1, SS_NS_PER_SEC, 1);
	micro_run(m, "limit.refuse", refuse, &l);
	ss_limit_table_free(l.t);
}
