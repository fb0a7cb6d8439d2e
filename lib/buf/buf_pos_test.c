/* buf_pos_test.c - reads by position must equal reads from the head, whatever happens to the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "buf/testpool.h"

static struct ss_bufpool pool;

static void grow(struct ss_bufq *q, struct ss_rng *r, uint8_t *next)
{
	uint8_t b[700];
	uint32_t n = 1 + ss_rng_below(r, sizeof(b));
	for (uint32_t i = 0; i < n; i++)
		b[i] = (*next)++;
	if (ss_rng_chance(r, 1, 2)) {
		assert_int_equal(ss_bufq_append(q, &pool, b, n), 0);
		return;
	}
	struct rte_mbuf *m = ss_buf_alloc(&pool);
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), b, n);
	ss_bufq_push(q, m);
}

static void reads_agree_with_the_head(void **s)
{
	struct ss_rng r;
	struct ss_bufq q;
	struct ss_bufpos pos = { 0 };
	uint8_t next = 0, a[1600], b[1600];

	ss_rng_seed(&r, 7);
	ss_bufq_init(&q);
	for (int i = 0; i < 20000; i++) {
		uint32_t what = ss_rng_below(&r, 4);
		if (what == 0 && q.len < 20000) {
			grow(&q, &r, &next);
		} else if (what == 1) {
			ss_bufq_drop_at(&q, &pos, ss_rng_below(&r, q.len + 1) / 2);
		} else {
			uint32_t off = ss_rng_below(&r, q.len + 10), n = ss_rng_below(&r, sizeof(a));
			uint32_t k = ss_bufq_read(&q, off, a, n);
			assert_int_equal(ss_bufq_read_at(&q, &pos, off, b, n), k);
			assert_memory_equal(a, b, k);
		}
	}
	ss_bufq_free(&q);
}

static int setup(void **s)
{
	pool = ss_testpool_create("buf_pos", 256);
	return 0;
}

static int teardown(void **s)
{
	int left = (int)ss_testpool_used(&pool);
	ss_testpool_free(&pool);
	return left;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_agree_with_the_head) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
