/* endpoints.c - ejection by compare-and-swap; what workers do. ep_slots.c has control's part. */
#include "contract/endpoints.h"

/*
 * The order that keeps the cap exact: a place under the cap is reserved in the cluster's count first,
 * then the endpoint is swapped from 0 to its time; whoever loses that swap gives the place back. The
 * other way round the swap to 0 comes first and the count is lowered after it. So the count is never
 * less than the number of endpoints that are ejected.
 */
static bool reserve(struct ss_ep_cluster *c, const struct ss_outlier_conf *o)
{
	uint32_t cap = ss_ep_cap(o, atomic_load(&c->unhealthy));
	uint32_t ejected = atomic_load(&c->ejected);

	do {
		if (ejected >= cap)
			return false;
	} while (!atomic_compare_exchange_weak(&c->ejected, &ejected, ejected + 1));
	return true;
}

static bool end_ejection(struct ss_ep_table *t, struct ss_ep *e, uint64_t until)
{
	if (!atomic_compare_exchange_strong(&e->ejected_until, &until, 0))
		return false;
	atomic_fetch_sub(&t->cluster[e->cluster].ejected, 1);
	atomic_fetch_add(&t->cluster[e->cluster].changes, 1);
	return true;
}

uint32_t ss_ep_cap(const struct ss_outlier_conf *o, uint32_t unhealthy)
{
	uint64_t n = o->n_endpoints;
	uint64_t cap = n * ss_min_u32(o->max_ejection_percent, 100) / 100;
	uint64_t healthy_min = (n * ss_min_u32(o->min_health_percent, 100) + 99) / 100;
	uint64_t healthy = n - ss_min_u64(unhealthy, n);
	uint64_t spare = healthy > healthy_min ? healthy - healthy_min : 0;
	uint64_t least = o->always_eject_one && n > 1;

	return (uint32_t)ss_max_u64(ss_min_u64(cap, spare), least);
}

bool ss_ep_pickable(struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	struct ss_ep *e = &t->ep[ep];
	uint64_t until = atomic_load(&e->ejected_until);

	if (ss_unlikely(until)) {
		if (now < until)
			return false;
		end_ejection(t, e, until);
		/* Another worker may have ejected it anew since the load above. */
		if (atomic_load(&e->ejected_until) > now)
			return false;
	}
	return !(atomic_load_explicit(&e->flags, memory_order_relaxed) & SS_EP_DOWN);
}

bool ss_ep_on_trial(const struct ss_ep_table *t, uint32_t ep)
{
	const struct ss_ep *e = &t->ep[ep];

	return ss_unlikely(atomic_load_explicit(&e->trial, memory_order_relaxed)) &&
	       atomic_load_explicit(&e->active, memory_order_relaxed) > 0;
}

static void trial_success(struct ss_ep *e)
{
	uint32_t n = atomic_load(&e->trial);

	/* What ends while it is ejected was sent before. */
	if (atomic_load(&e->ejected_until))
		return;
	while (n && !atomic_compare_exchange_weak(&e->trial, &n, n - 1))
		;
}

void ss_ep_begin(struct ss_ep_table *t, uint32_t ep)
{
	atomic_fetch_add_explicit(&t->ep[ep].active, 1, memory_order_relaxed);
}

void ss_ep_end(struct ss_ep_table *t, uint32_t ep)
{
	/* Release: control gives the slot to another endpoint only after everything we did with it. */
	atomic_fetch_sub_explicit(&t->ep[ep].active, 1, memory_order_release);
}

/* In ss_ep.errors: some are counted in ss_ep_watch. A good request looks at one line only. */
#define ELSEWHERE 0x80000000u

static void forget_errors(struct ss_ep_table *t, struct ss_ep *e)
{
	struct ss_ep_watch *w = &t->watch[e - t->ep];

	atomic_store_explicit(&e->errors, 0, memory_order_relaxed);
	atomic_store_explicit(&w->gateway, 0, memory_order_relaxed);
	atomic_store_explicit(&w->local, 0, memory_order_relaxed);
}

void ss_ep_success(struct ss_ep_table *t, uint32_t ep)
{
	struct ss_ep *e = &t->ep[ep];

	atomic_fetch_add_explicit(&e->requests, 1, memory_order_relaxed);
	/* Read first: a healthy endpoint's line is then not dirtied by this word. */
	if (ss_unlikely(atomic_load_explicit(&e->errors, memory_order_relaxed)))
		forget_errors(t, e);
	if (ss_unlikely(atomic_load_explicit(&e->trial, memory_order_relaxed)))
		trial_success(e);
}

/* Base time times the number of ejections in a row; each quiet interval since takes one back. */
static uint32_t row_of(const struct ss_ep *e, const struct ss_outlier_conf *o, uint64_t now)
{
	uint32_t times = atomic_load(&e->times_ejected);
	uint64_t last = atomic_load(&e->last_until);
	uint64_t interval = o->interval_ns ? o->interval_ns : o->base_ejection_ns;
	uint64_t quiet = last && now > last && interval ? (now - last) / interval : 0;

	return times > quiet ? times - (uint32_t)quiet + 1 : 1;
}

static uint64_t time_of(const struct ss_outlier_conf *o, uint32_t row)
{
	uint64_t most = ss_max_u64(o->max_ejection_ns, o->base_ejection_ns);

	/* At least 1: an ejection to "now" would look like none. */
	if (!o->base_ejection_ns)
		return 1;
	return row > most / o->base_ejection_ns ? most : o->base_ejection_ns * row;
}

/* The upper half of the chance says it, the whole of it the jitter. */
static bool spared(const struct ss_outlier_conf *o, enum ss_ep_eject why, uint64_t chance)
{
	return ss_unlikely(o->partly) && (chance >> 32) * 100 >> 32 >= o->enforcing[why];
}

bool ss_ep_eject(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, uint64_t chance, uint64_t now,
		 struct ss_ep_ejection *out)
{
	struct ss_ep *e = &t->ep[ep];
	struct ss_ep_cluster *c = &t->cluster[e->cluster];
	uint32_t row = row_of(e, o, now);
	uint64_t jitter = o->jitter_ns ? chance % o->jitter_ns : 0;
	uint64_t until = now + time_of(o, row) + jitter, none = 0;

	out->spared = false;
	if (spared(o, out->why, chance)) {
		out->spared = !atomic_load(&e->ejected_until) &&
			      atomic_load(&c->ejected) < ss_ep_cap(o, atomic_load(&c->unhealthy));
		return false;
	}
	if (!reserve(c, o))
		return false;
	if (!atomic_compare_exchange_strong(&e->ejected_until, &none, until)) {
		atomic_fetch_sub(&c->ejected, 1);
		return false;
	}
	atomic_fetch_add(&c->changes, 1);
	atomic_store(&e->times_ejected, row);
	atomic_store(&e->last_until, until);
	forget_errors(t, e);
	atomic_store(&e->trial, o->trial);
	atomic_fetch_add(&e->ejections, 1);
	out->times = row;
	out->for_ns = until - now;
	return true;
}

/* What a failure is judged by: the failures in a row of its kind, each with its limit. */
struct row {
	struct ss_ep_table *t;
	uint32_t ep;
	const struct ss_outlier_conf *o;
	uint64_t chance, now;
	struct ss_ep_ejection *out;
};

/* So many in a row; a limit of 0 is never reached. */
static bool judge(const struct row *r, _Atomic uint32_t *count, uint32_t n, uint32_t limit, enum ss_ep_eject why)
{
	if (!limit || n < limit)
		return false;
	*r->out = (struct ss_ep_ejection){.why = why, .in_a_row = n, .limit = limit};
	if (ss_ep_eject(r->t, r->ep, r->o, r->chance, r->now, r->out))
		return true;
	if (r->out->spared)
		atomic_fetch_and(count, ELSEWHERE);
	return false;
}

/* Requests without an answer, counted apart. */
static bool count_local(const struct row *r)
{
	_Atomic uint32_t *local = &r->t->watch[r->ep].local;

	atomic_fetch_or(&r->t->ep[r->ep].errors, ELSEWHERE);
	return judge(r, local, atomic_fetch_add(local, 1) + 1, r->o->consecutive_local, SS_EP_EJECT_LOCAL);
}

static uint32_t count_gateway(const struct row *r, bool gateway)
{
	_Atomic uint32_t *count = &r->t->watch[r->ep].gateway;

	if (!r->o->consecutive_gateway)
		return 0;
	if (gateway)
		return atomic_fetch_add(count, 1) + 1;
	atomic_store(count, 0);
	return 0;
}

static bool count_error(const struct row *r, bool gateway)
{
	_Atomic uint32_t *errors = &r->t->ep[r->ep].errors;
	uint32_t n = (atomic_fetch_add(errors, 1) + 1) & ~ELSEWHERE, of_gateway = count_gateway(r, gateway);

	return judge(r, errors, n, r->o->consecutive_errors, SS_EP_EJECT_ERRORS) ||
	       judge(r, &r->t->watch[r->ep].gateway, of_gateway, r->o->consecutive_gateway, SS_EP_EJECT_GATEWAY);
}

static bool on_trial(const struct row *r)
{
	_Atomic uint32_t *trial = &r->t->ep[r->ep].trial;

	return atomic_load(trial) && judge(r, trial, 1, 1, SS_EP_EJECT_TRIAL);
}

bool ss_ep_failed(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, enum ss_ep_end how,
		  uint64_t chance, uint64_t now, struct ss_ep_ejection *out)
{
	struct row r = {.t = t, .ep = ep, .o = o, .chance = chance, .now = now, .out = out};
	struct ss_ep *e = &t->ep[ep];
	uint64_t until = atomic_load(&e->ejected_until);
	bool local = how == SS_EP_NO_ANSWER;

	out->spared = false;
	atomic_fetch_add_explicit(&e->requests, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->failures, 1, memory_order_relaxed);
	if (local)
		atomic_fetch_add_explicit(&t->watch[ep].unanswered, 1, memory_order_relaxed);
	if (!(o->consecutive_errors || o->consecutive_gateway || (o->split && o->consecutive_local)) ||
	    !atomic_load(&e->in_use))
		return false;
	if (until) {
		/* What was under way when it was ejected says nothing new. */
		if (now < until)
			return false;
		end_ejection(t, e, until);
	}
	return (local && o->split ? count_local(&r) : count_error(&r, local || how == SS_EP_GATEWAY)) || on_trial(&r);
}

bool ss_ep_failure(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, uint64_t now)
{
	struct ss_ep_ejection out;

	return ss_ep_failed(t, ep, o, SS_EP_ERROR, 0, now, &out);
}

const char *ss_ep_eject_text(uint32_t why)
{
	static const char *const words[] = {
#define SS_EP_EJECT_X(name, text) text,
		SS_EP_EJECT_LIST(SS_EP_EJECT_X)
#undef SS_EP_EJECT_X
	};

	return why < SS_ARRAY_LEN(words) ? words[why] : "";
}

void ss_ep_sweep(struct ss_ep_table *t, uint64_t now)
{
	for (uint32_t i = 0; i < t->n_eps; i++) {
		uint64_t until = atomic_load_explicit(&t->ep[i].ejected_until, memory_order_relaxed);
		if (until && until <= now)
			end_ejection(t, &t->ep[i], until);
	}
}

bool ss_ep_uneject(struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	struct ss_ep *e = &t->ep[ep];
	uint64_t until = atomic_load_explicit(&e->ejected_until, memory_order_relaxed);

	if (!until || !end_ejection(t, e, until))
		return false;
	atomic_store(&e->last_until, now);
	forget_errors(t, e);
	return true;
}

static bool is_last(uint32_t flags)
{
	return (flags & SS_EP_LAST) && !(flags & SS_EP_DOWN);
}

bool ss_ep_mark(struct ss_ep_table *t, uint32_t ep, uint32_t set, uint32_t clear)
{
	struct ss_ep *e = &t->ep[ep];
	struct ss_ep_cluster *c = &t->cluster[e->cluster];
	uint32_t was = atomic_load(&e->flags), is;

	do {
		is = (was & ~clear) | set;
		if (is == was)
			return false;
	} while (!atomic_compare_exchange_weak(&e->flags, &was, is));
	/* Unsigned: one less is UINT32_MAX more. */
	atomic_fetch_add(&c->unhealthy, (uint32_t)((is & SS_EP_DOWN) != 0) - (uint32_t)((was & SS_EP_DOWN) != 0));
	atomic_fetch_add(&c->last, (uint32_t)is_last(is) - (uint32_t)is_last(was));
	atomic_fetch_add(&c->changes, 1);
	return true;
}

void ss_ep_set_unhealthy(struct ss_ep_table *t, uint32_t ep, bool unhealthy)
{
	ss_ep_mark(t, ep, unhealthy ? SS_EP_FAILED : 0, unhealthy ? 0 : SS_EP_FAILED);
}
