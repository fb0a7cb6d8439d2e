/*
 * Handshakes with something to do are parked on a list. A step gets flat bytes and leaves flat bytes: nothing of
 * the worker goes with it (tls_shake.h). Where there are handshake threads each parked one is given to its
 * thread, and comes back at a later turn; else a bounded number of steps runs here, each turn, after the
 * connections that are open have had theirs.
 *
 * One that waits for an engine is away as well: its thread keeps it, and runs it again; here it is on t->paused, and
 * runs again once a turn.
 *
 * A handshake stays with one thread, because its SSL_CTX is that thread's. How many are in a step or wait for one
 * is bounded for new clients; one that has begun is never refused for that: its first half is paid for.
 */
#include <stdatomic.h>
#include <time.h>

#include "tls/tls_int.h"

/* As the crew's threads have it. */
#define LAST_NAPS 2000

/* ---- admission ---- */

/* The budget is a time: when the handshakes admitted so far would be over at the rate allowed. It may run ahead
 * of now by a second, which is a burst of one second's number. */
static bool within_rate(struct ss_tls *t)
{
	uint64_t each = t->conf.handshake_rate ? SS_NS_PER_SEC / t->conf.handshake_rate : 0;
	uint64_t at = ss_max_u64(t->budget_at, t->now) + each;

	if (at > t->now + SS_NS_PER_SEC)
		return false;
	t->budget_at = at;
	return true;
}

enum ss_drop ss_tls_admit(struct ss_tls *t)
{
	if (ss_pool_used(t->trips) + t->waiting >= ss_pool_size(t->trips))
		return SS_DROP_TLS_QUEUE_FULL;
	return within_rate(t) ? SS_DROP_NONE : SS_DROP_TLS_RATE;
}

/* ---- the list ---- */

void ss_tls_park_anyway(struct ss_tls_conn *c)
{
	if (c->waits)
		return;
	c->waits = true;
	c->t->waiting++;
	ss_list_push_once(&c->t->parked, &c->work);
}

static struct ss_tls_conn *pop(struct ss_tls *t, struct ss_list *from)
{
	struct ss_tls_conn *c = ss_list_entry(ss_list_pop(from), struct ss_tls_conn, work);

	c->waits = false;
	t->waiting--;
	return c;
}

void ss_tls_park(struct ss_tls_conn *c)
{
	if (c->trip) /* what comes meanwhile is seen when the step is over */
		return;
	/* A client's first step has nothing to read. */
	if ((!c->server && !c->shake->ssl) || c->tcp_eof || ss_tcp_rx(c->tcp)->len)
		ss_tls_park_anyway(c);
}

void ss_tls_unpark(struct ss_tls_conn *c)
{
	if (c->slim)
		return;
	if (c->waits)
		c->t->waiting--;
	c->waits = false;
	ss_list_remove(&c->work);
	if (!c->shake || !c->shake->away)
		return;
	atomic_store_explicit(&c->shake->unwanted, true, memory_order_relaxed);
	c->shake->c = NULL;
	c->shake = NULL;
	c->trip = NULL;
}

/* ---- steps ---- */

/* False: as many steps are under way as there may be. */
static bool load(struct ss_tls_conn *c)
{
	struct tls_trip *trip = c->trip = ss_pool_take(c->t->trips);

	if (!trip)
		return false;
	trip->job.run = ss_tls_run;
	trip->k = c->shake;
	trip->in_used = trip->out_n = trip->out_used = 0;
	trip->in_n = ss_bufq_read(ss_tcp_rx(c->tcp), 0, trip->in, sizeof(trip->in));
	return true;
}

static void count_step(struct ss_tls *t, uint64_t took_ns)
{
	ss_count(t->conf.counters, SS_C_TLS_STEPS, 1);
	ss_count(t->conf.counters, SS_C_TLS_STEPS_NS, took_ns);
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SS_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* What became of its wait for an engine. */
static void book(struct ss_tls *t, const struct tls_shake *k)
{
	struct ss_counters *n = t->conf.counters;

	if (k->went != TLS_WENT_DONE && k->went != TLS_WENT_FAILED)
		return;
	if (k->waited)
		ss_count(n, SS_C_TLS_ENGINE_WAITED, 1);
	if (k->engine_failed)
		ss_count(n, SS_C_TLS_ENGINE_FAILED, 1);
	if (k->went == TLS_WENT_DONE && !k->offloaded && ss_offload_is_off(t->conf.offload))
		ss_count(n, SS_C_TLS_ENGINE_FALLBACKS, 1);
}

/* The trip is over: to the connection, or to nobody. */
static void back(struct ss_tls *t, struct tls_trip *trip)
{
	struct tls_shake *k = trip->k;
	struct ss_tls_conn *c = k->c;

	k->away = false;
	if (t->conf.offload)
		book(t, k);
	if (c) {
		ss_tls_land(c);
		return;
	}
	ss_pool_give(t->trips, trip);
	ss_tls_shake_free(k);
}

static void run_here(struct ss_tls *t, struct tls_trip *trip)
{
	/* Two readings beside a step's hundreds of microseconds: a turn's own would say nothing. */
	uint64_t began = clock_ns();

	ss_tls_run(&trip->job);
	if (trip->job.again) {
		trip->k->away = true;
		ss_list_push_back(&t->paused, &trip->paused);
		return;
	}
	count_step(t, clock_ns() - began);
	t->steps--;
	back(t, trip);
}

/* Those whose operation is still under way cost a microsecond each; the others a step. */
static void run_paused(struct ss_tls *t)
{
	struct ss_list now;

	if (ss_list_empty(&t->paused))
		return;
	ss_offload_poll(t->conf.offload);
	ss_list_init(&now);
	ss_list_splice(&now, &t->paused);
	while (t->steps && !ss_list_empty(&now))
		run_here(t, ss_list_entry(ss_list_pop(&now), struct tls_trip, paused));
	ss_list_splice(&now, &t->paused);
	ss_list_splice(&t->paused, &now);
}

static void send_away(struct ss_tls_conn *c)
{
	struct ss_tls *t = c->t;
	struct tls_trip *trip = c->trip;

	c->shake->away = true;
	if (ss_crew_give(t->conf.crew, t->conf.worker, c->shake->executor, &trip->job))
		return;
	c->shake->away = false;
	c->trip = NULL;
	ss_pool_give(t->trips, trip);
	ss_tls_park_anyway(c);
}

static void step(struct ss_tls_conn *c, bool crew)
{
	if (c->trip) /* done, but its bytes found no mbufs */
		ss_tls_land(c);
	else if (!load(c))
		ss_tls_park_anyway(c);
	else if (crew)
		send_away(c);
	else
		run_here(c->t, c->trip);
}

static void came_back(struct ss_tls *t, struct tls_trip *trip)
{
	count_step(t, trip->job.ran_ns);
	ss_count(t->conf.counters, SS_C_TLS_STEPS_AWAY, 1);
	back(t, trip);
}

static void show_engine(struct ss_tls *t)
{
	struct ss_counters *n = t->conf.counters;

	ss_gauge(n, SS_C_TLS_ENGINE_STATE, ss_offload_is_off(t->conf.offload) ? 2 : 1);
	ss_gauge(n, SS_C_TLS_ENGINE_PAUSED, atomic_load_explicit(&t->waits.paused, memory_order_relaxed));
	ss_gauge(n, SS_C_TLS_ENGINE_LATE, atomic_load_explicit(&t->waits.late, memory_order_relaxed));
	ss_gauge(n, SS_C_TLS_ENGINE_LOST, atomic_load_explicit(&t->waits.lost, memory_order_relaxed));
}

void ss_tls_steps(struct ss_tls *t)
{
	bool crew = ss_crew_threads(t->conf.crew) > 0;
	struct ss_crew_job *job;
	/* Those that park themselves again are next turn's. */
	struct ss_list now;

	for (int i = 0; i < TLS_BACK_PER_TURN && (job = ss_crew_take(t->conf.crew, t->conf.worker)); i++)
		came_back(t, (struct tls_trip *)job);
	run_paused(t);
	ss_list_init(&now);
	ss_list_splice(&now, &t->parked);
	while (t->steps && !ss_list_empty(&now))
		step(pop(t, &now), crew);
	ss_list_splice(&now, &t->parked);
	ss_list_splice(&t->parked, &now);
	ss_gauge(t->conf.counters, SS_C_TLS_STEPS_QUEUED, ss_pool_used(t->trips) + t->waiting);
	if (t->conf.offload)
		show_engine(t);
}

static void free_trip(struct ss_tls *t, struct tls_trip *trip)
{
	ss_tls_shake_free(trip->k);
	ss_pool_give(t->trips, trip);
}

/* What waits for the offload has a while to end: libssl leaves a paused operation and its stack behind. */
static void last_paused(struct ss_tls *t)
{
	struct timespec nap = { .tv_nsec = 50 * SS_NS_PER_US };

	for (int i = 0; !ss_list_empty(&t->paused) && i < LAST_NAPS; i++) {
		t->steps = TLS_STEPS_PER_TURN;
		run_paused(t);
		if (!ss_list_empty(&t->paused))
			nanosleep(&nap, NULL);
	}
}

bool ss_tls_queue_end(struct ss_tls *t)
{
	struct ss_crew_job *job;

	while ((job = ss_crew_take(t->conf.crew, t->conf.worker)))
		free_trip(t, (struct tls_trip *)job);
	last_paused(t);
	while (!ss_list_empty(&t->paused))
		free_trip(t, ss_list_entry(ss_list_pop(&t->paused), struct tls_trip, paused));
	return !t->trips || ss_pool_used(t->trips) == 0;
}
