/* buf_own_test.c - shared bytes are never written; room before and behind costs an mbuf only when it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "buf/testpool.h"

static struct ss_bufpool pool;

static struct rte_mbuf *text(const char *t)
{
	struct rte_mbuf *m = ss_buf_alloc(&pool);
	uint16_t n = (uint16_t)strlen(t);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, n), t, n);
	return m;
}

static void says(const struct ss_bufq *q, const char *want)
{
	char got[256];
	uint32_t n = ss_bufq_read(q, 0, got, sizeof(got)), sum = 0;

	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
	for (const struct rte_mbuf *m = q->head; m; m = m->next) {
		assert_int_equal(m->pkt_len, m->data_len);
		sum += m->data_len;
		if (!m->next)
			assert_ptr_equal(m, q->tail);
	}
	assert_int_equal(sum, q->len);
}

static void shared_mbufs_are_replaced(void **s)
{
	for (int which = 0; which < 3; which++) {
		struct rte_mbuf *m[3] = { text("ab"), text("cde"), text("f") };
		struct ss_bufq q;

		ss_bufq_init(&q);
		for (int i = 0; i < 3; i++)
			ss_bufq_push(&q, m[i]);
		rte_mbuf_refcnt_update(m[which], 1);
		assert_int_equal(ss_bufq_own(&q, &pool), 0);
		says(&q, "abcdef");
		int i = 0;
		for (struct rte_mbuf *p = q.head; p; p = p->next, i++) {
			assert_int_equal(rte_mbuf_refcnt_read(p), 1);
			assert_int_equal(p == m[i], i != which);
		}
		assert_int_equal(rte_mbuf_refcnt_read(m[which]), 1);
		rte_pktmbuf_free(m[which]);
		ss_bufq_free(&q);
	}
}

static void a_clone_is_replaced(void **s)
{
	struct rte_mbuf *m = text("secret"), *clone = rte_pktmbuf_clone(m, pool.mp);
	struct ss_bufq q;

	assert_non_null(clone);
	ss_bufq_init(&q);
	ss_bufq_push(&q, clone);
	assert_int_equal(ss_bufq_own(&q, &pool), 0);
	memset(rte_pktmbuf_mtod(q.head, char *), 'x', 6);
	assert_memory_equal(rte_pktmbuf_mtod(m, char *), "secret", 6);
	says(&q, "xxxxxx");
	ss_bufq_free(&q);
	rte_pktmbuf_free(m);
}

static void room_lies_in_the_mbuf(void **s)
{
	struct rte_mbuf *m = text("body");
	struct ss_bufq q;

	ss_bufq_init(&q);
	ss_bufq_push(&q, m);
	memcpy(ss_bufq_prepend(&q, 5, &pool), "head-", 5);
	memcpy(ss_bufq_extend(&q, 5, &pool), "-tail", 5);
	assert_ptr_equal(q.head, m);
	assert_ptr_equal(q.tail, m);
	says(&q, "head-body-tail");
	ss_bufq_free(&q);
}

static void room_takes_a_fresh_mbuf(void **s)
{
	struct rte_mbuf *m = text("body");
	struct ss_bufq q;

	ss_bufq_init(&q);
	ss_bufq_push(&q, m);
	rte_mbuf_refcnt_update(m, 1);
	memcpy(ss_bufq_prepend(&q, 5, &pool), "head-", 5);
	memcpy(ss_bufq_extend(&q, 5, &pool), "-tail", 5);
	assert_int_equal(ss_bufq_mbufs(&q), 3);
	says(&q, "head-body-tail");
	ss_bufq_free(&q);
	rte_pktmbuf_free(m);
	/* An empty queue, and one without room. */
	memcpy(ss_bufq_prepend(&q, 2, &pool), "ab", 2);
	q.head->data_off = 1;
	memcpy(ss_bufq_prepend(&q, 2, &pool), "cd", 2);
	assert_int_equal(ss_bufq_mbufs(&q), 2);
	ss_bufq_free(&q);
	memcpy(ss_bufq_extend(&q, 2, &pool), "ef", 2);
	says(&q, "ef");
	ss_bufq_free(&q);
}

static void without_mbufs_nothing_changes(void **s)
{
	struct rte_mbuf *hog[64], *m = text("body");
	struct ss_bufq q;
	unsigned n = 0;

	ss_bufq_init(&q);
	ss_bufq_push(&q, m);
	rte_mbuf_refcnt_update(m, 1);
	while (n < SS_ARRAY_LEN(hog) && (hog[n] = ss_buf_alloc(&pool)))
		n++;
	assert_int_equal(ss_bufq_own(&q, &pool), SS_ERR_NO_MEM);
	assert_null(ss_bufq_prepend(&q, 1, &pool));
	assert_null(ss_bufq_extend(&q, 1, &pool));
	says(&q, "body");
	while (n)
		rte_pktmbuf_free(hog[--n]);
	ss_bufq_free(&q);
	rte_pktmbuf_free(m);
}

/* Against an array, from every place, over every boundary. */
static void bytes_leave_the_middle(void **s)
{
	struct ss_rng r;
	struct ss_bufq q;
	char bytes[256];

	ss_rng_seed(&r, 5);
	for (int round = 0; round < 5000; round++) {
		uint32_t n = 0;

		ss_bufq_init(&q);
		for (int i = 1 + (int)ss_rng_below(&r, 6); i; i--) {
			char part[40];
			uint32_t k = 1 + ss_rng_below(&r, sizeof(part) - 1);

			for (uint32_t j = 0; j < k; j++)
				part[j] = bytes[n + j] = (char)('a' + ss_rng_below(&r, 26));
			part[k] = 0;
			ss_bufq_push(&q, text(part));
			n += k;
		}
		while (n) {
			uint32_t off = ss_rng_below(&r, n), k = ss_rng_below(&r, n - off + 1), at = off;

			if (q.len) {
				struct rte_mbuf *m = ss_bufq_at(&q, &at);
				assert_int_equal(*rte_pktmbuf_mtod_offset(m, char *, at), bytes[off]);
			}
			ss_bufq_remove(&q, off, k);
			memmove(bytes + off, bytes + off + k, n - off - k);
			n -= k;
			bytes[n] = 0;
			says(&q, bytes);
		}
		assert_null(q.head);
		assert_null(q.tail);
	}
}

static int setup(void **s)
{
	pool = ss_testpool_create("buf_own", 63);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_mbufs_are_replaced),  cmocka_unit_test(a_clone_is_replaced),
		cmocka_unit_test(room_lies_in_the_mbuf),      cmocka_unit_test(room_takes_a_fresh_mbuf),
		cmocka_unit_test(without_mbufs_nothing_changes), cmocka_unit_test(bytes_leave_the_middle),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
