/*
 * up_turn.c - turns: plain rotation where all weights are alike, else earliest deadline first.
 *
 * An endpoint's next turn is due one stride after its last, and a stride is the inverse of its weight: within
 * any run of picks each gets its share, evenly spread. The soonest stands at the top of a heap, so that a
 * pick costs the logarithm of the tier's size. Weights may change between turns: slow start and least
 * request say what the weight is when the next turn is due.
 */
#include <math.h>

#include "upstream/up_choice_int.h"

/* A stride of weight 1 in full: strides of weight 1000 still differ from each other by less than a millionth.
 */
#define STRIDE (1ull << 40)
#define ACTIVE_MAX (1u << 20) /* requests under way that a stride tells apart */

static double bias_of(uint32_t hundredths, uint32_t active)
{
	if (hundredths == 0)
		return 1;
	return hundredths == 100 ? active + 1.0 : pow(active + 1.0, hundredths / 100.0);
}

static uint64_t stride(const struct up_choice *p, uint32_t place)
{
	const struct ss_balance_conf *b = &p->c->balance->conf;
	const struct ss_endpoint *e = up_at(p, place);
	uint64_t weight = (uint64_t)e->weight * up_ramp(b, &p->u->pools[e->ep], p->now);

	/* As below, in whole numbers. */
	if (b->policy == SS_LB_LEAST_REQUEST && b->bias == 100)
		return STRIDE * (ss_min_u32(up_active(p, place), ACTIVE_MAX) + 1ull) / weight;
	if (b->policy == SS_LB_LEAST_REQUEST)
		weight = (uint64_t)((double)weight / bias_of(b->bias, up_active(p, place)));
	return STRIDE / ss_max_u64(weight, 1);
}

/* -- the heap -- */

static bool sooner(const struct ss_lb_turn *a, const struct ss_lb_turn *b)
{
	return (int64_t)(a->due - b->due) < 0;
}

static void sink(struct ss_lb_turn *t, uint32_t n, uint32_t i)
{
	struct ss_lb_turn moved = t[i];

	for (;;) {
		uint32_t down = 2 * i + 1;
		if (down + 1 < n && sooner(&t[down + 1], &t[down]))
			down++;
		if (down >= n || !sooner(&t[down], &moved))
			break;
		t[i] = t[down];
		i = down;
	}
	t[i] = moved;
}

static void rise(struct ss_lb_turn *t, uint32_t i)
{
	struct ss_lb_turn moved = t[i];

	for (; i && sooner(&moved, &t[(i - 1) / 2]); i = (i - 1) / 2)
		t[i] = t[(i - 1) / 2];
	t[i] = moved;
}

void up_turn_enter(struct up_choice *p, uint32_t place)
{
	struct ss_lb_sight *s = p->sight;

	if (s->in[place])
		return;
	s->in[place] = 1;
	s->turns[s->n_turns] =
		(struct ss_lb_turn){s->clock + stride(p, place) / p->tier->n * (place + 1), place};
	rise(s->turns, s->n_turns++);
}

/* Who went down leaves when it would be its turn. */
static void drop_lost(struct up_choice *p)
{
	struct ss_lb_sight *s = p->sight;

	while (s->n_turns && !up_usable(p, s->turns[0].place)) {
		s->in[s->turns[0].place] = 0;
		s->turns[0] = s->turns[--s->n_turns];
		if (s->n_turns)
			sink(s->turns, s->n_turns, 0);
	}
}

/* in[place]: 0 not in the heap, 1 in it; 2 and 3 the same and up, within this function. */
void up_turn_settle(struct up_choice *p, uint32_t start)
{
	struct ss_lb_sight *s = p->sight;
	uint32_t had = s->n_turns, n = 0;

	for (uint32_t i = 0; i < s->n_up; i++)
		s->in[s->up[i]] |= 2;
	for (uint32_t i = 0; i < had; i++) {
		uint32_t place = s->turns[i].place;
		if (s->in[place] == 3)
			s->turns[n++] = s->turns[i];
		else
			s->in[place] = 0;
	}
	/* Who comes new is due within a stride from now: spread by rank, so that they do not come all at
	 * once. */
	for (uint32_t i = 0; i < s->n_up; i++) {
		uint32_t place = s->up[i], rank = (place + p->tier->n - start) % p->tier->n;
		if (s->in[place] == 2)
			s->turns[n++] = (struct ss_lb_turn){
				s->clock + stride(p, place) / p->tier->n * (rank + 1), place};
		s->in[place] = 1;
	}
	s->n_turns = n;
	for (uint32_t i = n / 2; i-- > 0;)
		sink(s->turns, n, i);
}

uint32_t up_pick_rotate(struct up_choice *p)
{
	struct ss_lb_sight *s = p->sight;
	uint32_t k = s->cursor < s->n_up ? s->cursor : s->cursor % s->n_up;

	k = up_next_new(p, k);
	if (k == UINT32_MAX)
		return k;
	s->cursor = k + 1;
	return s->up[k];
}

/*
 * Of the first n_tried + 1 in the heap one is new, unless there are no more. The soonest of these is taken:
 * it need not stand at the top, but only endpoints that were tried can stand above it.
 */
uint32_t up_pick_turn(struct up_choice *p)
{
	struct ss_lb_sight *s = p->sight;
	uint32_t most = p->again ? 1 : p->wait->n_tried + 1u, best = UINT32_MAX, place;

	drop_lost(p);
	for (uint32_t i = 0; i < s->n_turns && i < most; i++) {
		bool usable = up_usable(p, s->turns[i].place);
		most += !usable; /* as good as tried */
		if (usable && !up_tried(p, s->turns[i].place) &&
		    (best == UINT32_MAX || sooner(&s->turns[i], &s->turns[best])))
			best = i;
	}
	/* While a generation begins, not everybody has a turn. */
	if (best == UINT32_MAX)
		return s->n_turns < s->n_up ? up_pick_rotate(p) : best;
	place = s->turns[best].place;
	s->clock = s->turns[0].due;
	s->turns[best].due += stride(p, place);
	sink(s->turns, s->n_turns, best);
	return place;
}
