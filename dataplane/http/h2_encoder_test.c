/* Fewer encoders than connections: who begins anew says so to the peer, first thing in its next block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_int.h"

struct end {
	struct ss_http_conn c;
	struct ss_h2_conn k;
	struct ss_hpack_dec peer;
	uint8_t first[4]; /* of the last block */
	int n;            /* its length */
};

static struct ss_http http;
static struct end a, b;

static void open(struct end *e)
{
	memset(e, 0, sizeof(*e));
	e->c.http = &http;
	e->c.h2 = &e->k;
	e->k.peer_table = SS_HPACK_TABLE;
	ss_hpack_dec_init(&e->peer, SS_HPACK_TABLE);
}

static void start(void)
{
	assert_non_null(http.encoders = ss_h2_encoders_create(1));
	open(&a);
	open(&b);
}

/* A block with one field that goes into the table at once; the peer has to understand it. */
static void say(struct end *e)
{
	struct ss_hdr v[1], got_v[8];
	struct ss_hdrs h, got;
	uint8_t block[256], text[256];
	struct ss_out o = ss_out(block, sizeof(block)), t = ss_out(text, sizeof(text));

	ss_hdrs_init(&h, v, 1);
	h.status = 200;
	ss_hdrs_add(&h, SS_SPAN("server"), SS_SPAN("sidestep of the table"), 0);
	e->n = ss_hpack_encode(ss_h2_encoder(&e->c), &h, &o);
	assert_true(e->n > 0);
	memcpy(e->first, block, sizeof(e->first));
	ss_hdrs_init(&got, got_v, 8);
	assert_int_equal(ss_hpack_decode(&e->peer, block, (uint32_t)e->n, 4096, &t, &got), 0);
	assert_int_equal(got.n, 1);
	assert_true(ss_span_eq(got.v[0].value, SS_SPAN("sidestep of the table")));
}

static void end(void)
{
	ss_h2_encoder_end(&a.c);
	ss_h2_encoder_end(&b.c);
	ss_h2_encoders_free(http.encoders);
}

/* RFC 7541 6.3: 001 and the size; 4096 is more than the prefix holds. */
static bool begins_anew(const struct end *e)
{
	static const uint8_t anew[] = { 0x20, 0x3f, 0xe1, 0x1f };

	return memcmp(e->first, anew, sizeof(anew)) == 0;
}

static void a_table_is_taken(void **state)
{
	start();
	say(&a);
	assert_false(begins_anew(&a)); /* both tables are empty */
	say(&a);
	assert_int_equal(a.n, 2); /* two entries */
	say(&b);
	assert_false(begins_anew(&b));
	say(&a);
	assert_true(begins_anew(&a));
	assert_int_equal(a.peer.dyn.n, 1); /* the peer's holds what this block has put there, alone */
	say(&a);
	assert_int_equal(a.n, 2);
	end();
}

/* A peer that allowed less, then more, between two blocks hears of the least (RFC 7541 4.2). */
static void a_size_changes_meanwhile(void **state)
{
	start();
	ss_h2_encoder_limit(&a.c, 100);
	ss_h2_encoder_limit(&a.c, 4096);
	say(&a);
	assert_true(begins_anew(&a));
	say(&b);
	ss_h2_encoder_limit(&a.c, 64);
	say(&a);
	assert_memory_equal(a.first, ((const uint8_t[]){ 0x20, 0x3f, 0x21 }), 3); /* 0, then 64 */
	ss_h2_encoder_limit(&a.c, 0);
	say(&a);
	assert_int_equal(a.first[0], 0x20);
	end();
}

/* One that ends gives its encoder to the next, which owes its peer nothing. */
static void an_end_gives_back(void **state)
{
	start();
	say(&a);
	ss_h2_encoder_end(&a.c);
	assert_null(a.k.encoder);
	say(&b);
	assert_false(begins_anew(&b));
	assert_int_equal(b.peer.dyn.n, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_taken),
		cmocka_unit_test(a_size_changes_meanwhile),
		cmocka_unit_test(an_end_gives_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
