#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "buf/testpool.h"

#define QUEUES 3
#define CAP (64 * 1024)

static struct ss_bufpool pool, tiny;

/* Each queue beside the bytes it must hold. */
struct model {
	struct ss_bufq q[QUEUES];
	uint8_t *bytes[QUEUES];
	uint32_t len[QUEUES];
	uint8_t counter;
};

static uint8_t *fresh_bytes(struct model *m, uint8_t *dst, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] = m->counter++;
	return dst;
}

static void check(const struct model *m, int i)
{
	const struct ss_bufq *q = &m->q[i];
	uint32_t at = 0;
	assert_int_equal(q->len, m->len[i]);
	for (const struct rte_mbuf *s = q->head; s; s = s->next) {
		assert_int_not_equal(s->data_len, 0);
		assert_int_equal(s->nb_segs, 1);
		assert_int_equal(s->pkt_len, s->data_len);
		assert_true(at + s->data_len <= m->len[i]);
		assert_memory_equal(rte_pktmbuf_mtod(s, void *), m->bytes[i] + at, s->data_len);
		at += s->data_len;
		assert_true(s->next || s == q->tail);
	}
	assert_int_equal(at, m->len[i]);
	assert_true(!q->head == !q->tail);
}

/* A chain as a port delivers it: up to four segments, some empty, with odd headroom. */
static struct rte_mbuf *random_chain(struct model *m, struct ss_rng *r, uint8_t *copy, uint32_t *n)
{
	struct rte_mbuf *chain = NULL;
	*n = 0;
	for (uint32_t s = 1 + ss_rng_below(r, 4); s; s--) {
		struct rte_mbuf *seg = ss_buf_alloc(&pool);
		uint16_t k = (uint16_t)(ss_rng_chance(r, 1, 6) ? 0 : ss_rng_below(r, 1500));
		rte_pktmbuf_prepend(seg, (uint16_t)ss_rng_below(r, 64));
		rte_pktmbuf_reset_headroom(seg);
		seg->data_len = 0;
		seg->pkt_len = 0;
		fresh_bytes(m, (uint8_t *)rte_pktmbuf_append(seg, k), k);
		memcpy(copy + *n, rte_pktmbuf_mtod(seg, void *), k);
		*n += k;
		if (!chain)
			chain = seg;
		else
			assert_int_equal(rte_pktmbuf_chain(chain, seg), 0);
	}
	return chain;
}

static void grow_model(struct model *m, int i, const uint8_t *src, uint32_t n)
{
	memmove(m->bytes[i] + m->len[i], src, n);
	m->len[i] += n;
}

static void shrink_model(struct model *m, int i, uint32_t n)
{
	m->len[i] -= n;
	memmove(m->bytes[i], m->bytes[i] + n, m->len[i]);
}

static void add(struct model *m, struct ss_rng *r, int i)
{
	uint8_t src[8192];
	uint32_t n;
	if (m->len[i] > CAP / 8)
		return;
	if (ss_rng_chance(r, 1, 2)) {
		n = ss_rng_below(r, ss_rng_chance(r, 1, 3) ? 5000 : 300);
		assert_int_equal(ss_bufq_append(&m->q[i], &pool, fresh_bytes(m, src, n), n), 0);
	} else {
		ss_bufq_push(&m->q[i], random_chain(m, r, src, &n));
	}
	grow_model(m, i, src, n);
}

static void transfer(struct model *m, struct ss_rng *r, int i, int j)
{
	uint32_t n = ss_rng_below(r, m->len[i] + 1);
	uint32_t off = ss_rng_below(r, m->len[i] - n + 1);
	if (m->len[j] + n > CAP)
		return;
	switch (ss_rng_below(r, 4)) {
	case 0:
		grow_model(m, j, m->bytes[i] + off, n);
		assert_int_equal(ss_bufq_copy(&m->q[j], &m->q[i], off, n, &pool), 0);
		break;
	case 1:
		if (m->len[j] + m->len[i] > CAP)
			break;
		grow_model(m, j, m->bytes[i], m->len[i]);
		shrink_model(m, i, m->len[i]);
		ss_bufq_move(&m->q[j], &m->q[i]);
		break;
	default:
		grow_model(m, j, m->bytes[i], n);
		shrink_model(m, i, n);
		assert_int_equal(ss_bufq_take(&m->q[j], &m->q[i], n, &pool), 0);
	}
}

static void look(struct model *m, struct ss_rng *r, int i)
{
	static uint8_t scratch[CAP];
	uint32_t off = ss_rng_below(r, m->len[i] + 1), n = ss_rng_below(r, m->len[i] - off + 1);
	assert_memory_equal(ss_bufq_peek(&m->q[i], off, n, scratch), m->bytes[i] + off, n);
	uint32_t over = n + ss_rng_below(r, 3000);
	assert_int_equal(ss_bufq_read(&m->q[i], off, scratch, ss_min_u32(over, CAP)),
			 ss_min_u32(over, m->len[i] - off));
	assert_memory_equal(scratch, m->bytes[i] + off, n);
	struct ss_span f = ss_bufq_front(&m->q[i]);
	assert_true(f.n <= m->len[i] && (f.n > 0) == (m->len[i] > 0));
}

static void against_byte_arrays(void **state)
{
	struct model m = { 0 };
	for (int i = 0; i < QUEUES; i++) {
		ss_bufq_init(&m.q[i]);
		m.bytes[i] = test_malloc(CAP);
	}
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct ss_rng r;
		ss_rng_seed(&r, seed);
		for (int step = 0; step < 1000; step++) {
			int i = (int)ss_rng_below(&r, QUEUES), j = (i + 1) % QUEUES;
			uint32_t what = ss_rng_below(&r, 10), n;
			if (what < 4) {
				add(&m, &r, i);
			} else if (what < 8) {
				transfer(&m, &r, i, j);
			} else {
				n = ss_rng_below(&r, m.len[i] + 1);
				shrink_model(&m, i, n);
				ss_bufq_drop(&m.q[i], n);
			}
			check(&m, i);
			check(&m, j);
			look(&m, &r, i);
		}
		for (int i = 0; i < QUEUES; i++) {
			ss_bufq_free(&m.q[i]);
			m.len[i] = 0;
			check(&m, i);
		}
		assert_int_equal(ss_testpool_used(&pool), 0);
	}
	for (int i = 0; i < QUEUES; i++)
		test_free(m.bytes[i]);
}

/* With four mbufs in all, whatever does not fit is refused whole and leaves both queues alone. */
static void nothing_half_done(void **state)
{
	static uint8_t src[4 * 2048 + 1];
	struct ss_bufq a, b;
	ss_bufq_init(&a);
	ss_bufq_init(&b);
	assert_int_equal(ss_bufq_append(&a, &tiny, src, sizeof(src)), SS_ERR_NO_MEM);
	assert_int_equal(a.len, 0);
	assert_int_equal(ss_testpool_used(&tiny), 0);
	assert_int_equal(ss_bufq_append(&a, &tiny, src, sizeof(src) - 1), 0);
	assert_int_equal(ss_testpool_used(&tiny), 4);
	assert_int_equal(ss_bufq_take(&b, &a, 1000, &tiny), SS_ERR_NO_MEM);
	assert_int_equal(ss_bufq_take(&b, &a, 1500, &tiny), SS_ERR_NO_MEM);
	assert_int_equal(ss_bufq_copy(&b, &a, 5, 1, &tiny), SS_ERR_NO_MEM);
	assert_int_equal(a.len, sizeof(src) - 1);
	assert_int_equal(b.len, 0);
	assert_int_equal(ss_bufq_take(&b, &a, 2048, &tiny), 0); /* a whole mbuf needs none */
	ss_bufq_drop(&a, 2048);
	assert_int_equal(ss_bufq_take(&b, &a, 1500, &tiny), 0);
	assert_true(tiny.fails >= 4);
	ss_bufq_free(&a);
	ss_bufq_free(&b);
	assert_int_equal(ss_testpool_used(&tiny), 0);
}

/* The cheaper side of a cut is the one that is copied. */
static void copies_the_smaller_side(void **state)
{
	static uint8_t src[2000];
	struct ss_bufq a, b;
	ss_bufq_init(&a);
	ss_bufq_init(&b);
	uint64_t before = pool.copies;
	assert_int_equal(ss_bufq_append(&a, &pool, src, 2000), 0);
	assert_int_equal(ss_bufq_take(&b, &a, 1990, &pool), 0);
	assert_int_equal(pool.copies - before, 10);
	ss_bufq_free(&a);
	assert_int_equal(ss_bufq_take(&a, &b, 20, &pool), 0);
	assert_int_equal(pool.copies - before, 30);
	assert_int_equal(ss_bufq_take(&a, &b, 30, &pool), 0); /* joins the mbuf in front of it */
	assert_ptr_equal(a.head, a.tail);
	ss_bufq_free(&a);
	ss_bufq_free(&b);
	assert_int_equal(ss_testpool_used(&pool), 0);
}

/* A clone shares its bytes with someone: appending to it would write into what they see. */
static void shared_tails_are_not_extended(void **state)
{
	struct ss_bufq a, b;
	ss_bufq_init(&a);
	ss_bufq_init(&b);
	assert_int_equal(ss_bufq_append(&a, &pool, "abc", 3), 0);
	ss_bufq_push(&b, rte_pktmbuf_clone(a.head, pool.mp));
	assert_int_equal(ss_bufq_append(&b, &pool, "de", 2), 0);
	assert_int_equal(ss_bufq_append(&a, &pool, "xy", 2), 0);
	uint8_t scratch[5];
	assert_memory_equal(ss_bufq_peek(&b, 0, 5, scratch), "abcde", 5);
	assert_memory_equal(ss_bufq_peek(&a, 0, 5, scratch), "abcxy", 5);
	ss_bufq_free(&a);
	ss_bufq_free(&b);
	assert_int_equal(ss_testpool_used(&pool), 0);
}

static int start(void **state)
{
	pool = ss_testpool_create("buf_test", 1023);
	tiny = ss_testpool_create("buf_test_tiny", 4);
	return 0;
}

static int stop(void **state)
{
	ss_testpool_free(&pool);
	ss_testpool_free(&tiny);
	return 0;
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(against_byte_arrays),
					cmocka_unit_test(nothing_half_done),
					cmocka_unit_test(copies_the_smaller_side),
					cmocka_unit_test(shared_tails_are_not_extended) };
	return cmocka_run_group_tests(t, start, stop);
}
