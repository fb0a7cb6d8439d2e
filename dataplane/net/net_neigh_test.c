/* net_neigh_test.c - neighbours: who is asked, who is answered, what waits, who is forgotten. */
#include "net/net_bed.h"

static void answers_arp(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame q = arp(SS_ARP_REQUEST, PEER, US), r;

	put(b, &q, SEC);
	r = sent(b, 0);
	assert_arp(&r, peer_mac, SS_ARP_REPLY, US, PEER);
	q = arp(SS_ARP_REQUEST, PEER, US + 9); /* not ours */
	put(b, &q, SEC);
	q = arp(SS_ARP_REQUEST, PEER, US2); /* ours, but on the other interface */
	put(b, &q, SEC);
	assert_silent(b);
	/* the request taught us the peer: no question before the first segment (RFC 826) */
	output(b, PEER, 5, 0, SEC);
	r = sent(b, 0);
	assert_segment(&r, peer_mac, PEER, 5);
	bench_free(b);
}

static void only_one_worker_answers(void **state)
{
	struct bench *b = bench_new(false, false, 16);
	struct frame q = arp(SS_ARP_REQUEST, PEER, US), r;

	put(b, &q, SEC);
	assert_silent(b);
	output(b, PEER, 5, 0, SEC); /* but it has learned */
	r = sent(b, 0);
	assert_segment(&r, peer_mac, PEER, 5);
	bench_free(b);
}

static void announces_twice(void **state)
{
	struct bench *b = bench_new(true, true, 16);
	struct frame f = sent(b, 0);

	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, US);
	assert_silent(b);
	assert_int_equal(ss_net_next(b->net), 2 * SEC);
	ss_net_expire(b->net, 2 * SEC);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, US);
	assert_silent(b);
	assert_true(ss_net_next(b->net) == SS_NEVER);
	bench_free(b);
}

static void asks_then_sends_what_waited(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f;

	output(b, PEER, 10, 0, SEC);
	output(b, PEER, 11, 4, SEC);
	assert_int_equal(ss_net_held(b->net), 1 + 4);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
	assert_silent(b); /* one question, not two */
	f = arp(SS_ARP_REPLY, PEER, US);
	put(b, &f, SEC);
	assert_int_equal(ss_net_held(b->net), 0);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 10);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 11);
	ss_net_expire(b->net, ss_net_next(b->net)); /* one look at what is no longer due */
	assert_silent(b);
	assert_true(ss_net_next(b->net) == SS_NEVER); /* nothing keeps an idle worker awake */
	bench_free(b);
}

static void gives_up_after_three_questions(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint64_t now = SEC;
	struct frame f;

	output(b, PEER, 10, 3, now);
	for (int i = 0; i < 3; i++) {
		f = sent(b, 0);
		assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
		assert_silent(b);
		assert_int_equal(ss_net_next(b->net), now + SEC);
		now += SEC;
		ss_net_expire(b->net, now - 1); /* early: nothing */
		assert_silent(b);
		ss_net_expire(b->net, now);
	}
	assert_silent(b);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_DEAD], 1);
	assert_int_equal(ss_net_held(b->net), 0);
	assert_true(ss_net_next(b->net) == SS_NEVER);
	bench_free(b);
}

static void a_stale_neighbour_is_probed_and_used(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	uint64_t now = 31 * SEC + 1;
	struct frame f;

	learn(b, 1);
	output(b, PEER, 1, 0, now);
	f = sent(b, 0);
	assert_arp(&f, peer_mac, SS_ARP_REQUEST, US, PEER); /* unicast */
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	f = arp(SS_ARP_REPLY, PEER, US);
	put(b, &f, now);
	output(b, PEER, 1, 0, now + SEC);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	assert_silent(b);
	/* no answer any more: three probes, then everyone is asked and packets wait, then it is dead */
	now += 40 * SEC;
	output(b, PEER, 1, 0, now);
	for (int i = 0; i < 6; i++) {
		f = sent(b, 0);
		assert_arp(&f, i < 3 ? peer_mac : broadcast, SS_ARP_REQUEST, US, PEER);
		f = sent(b, 0);
		assert_int_equal(f.n != 0, i == 0);
		now += SEC;
		ss_net_expire(b->net, now);
	}
	assert_silent(b);
	output(b, PEER, 1, 0, now);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER);
	assert_int_equal(ss_net_held(b->net), 1);
	/* A worker that ends does not wait for an answer. */
	ss_net_stop(b->net);
	assert_int_equal(ss_net_held(b->net), 0);
	bench_free(b);
}

static void traffic_keeps_a_neighbour_fresh(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame in = segment(PEER, US, 40000, 80, 3), f;

	learn(b, 1);
	for (uint64_t now = 20 * SEC; now < 200 * SEC; now += 20 * SEC) {
		put(b, &in, now);
		output(b, PEER, 1, 0, now + SEC);
		f = sent(b, 0);
		assert_segment(&f, peer_mac, PEER, 1);
		assert_silent(b);
	}
	in.b[11] ^= 0x40; /* another station with the same address confirms nothing */
	put(b, &in, 220 * SEC);
	output(b, PEER, 1, 0, 221 * SEC);
	f = sent(b, 0);
	assert_arp(&f, peer_mac, SS_ARP_REQUEST, US, PEER);
	bench_free(b);
}

static void a_moved_neighbour_is_followed(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	const uint8_t new_mac[6] = { 2, 0, 0, 0, 0, 77 };
	struct frame f = arp(SS_ARP_REQUEST, PEER, PEER); /* its announcement */

	learn(b, 1);
	memcpy(f.b + 14 + 8, new_mac, 6);
	put(b, &f, SEC);
	output(b, PEER, 1, 0, SEC);
	f = sent(b, 0);
	assert_segment(&f, new_mac, PEER, 1);
	/* an announcement of a stranger makes no entry */
	f = arp(SS_ARP_REQUEST, PEER + 1, PEER + 1);
	put(b, &f, SEC);
	output(b, PEER + 1, 1, 0, SEC);
	f = sent(b, 0);
	assert_arp(&f, broadcast, SS_ARP_REQUEST, US, PEER + 1);
	bench_free(b);
}

static void somebody_else_claims_our_address(void **state)
{
	struct bench *b = bench_new(false, true, 16);
	struct frame f = arp(SS_ARP_REQUEST, US, US);

	put(b, &f, SEC);
	assert_int_equal(b->c.drops[SS_DROP_ARP_CONFLICT], 1);
	memcpy(f.b + 14 + 8, our_mac, 6); /* our own announcement, looped back */
	put(b, &f, SEC);
	assert_int_equal(b->c.drops[SS_DROP_ARP_CONFLICT], 1);
	assert_silent(b);
	bench_free(b);
}

static void bounded_waiting(void **state)
{
	struct bench *b = bench_new(false, true, 16);

	/* One has half of the places, the next half of the rest; a stranger still finds one. */
	for (uint32_t i = 0; i < 520; i++)
		output(b, PEER, 1, 0, SEC);
	assert_int_equal(ss_net_held(b->net), 512);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 8);
	for (uint32_t ip = PEER + 1; ip < PEER + 6; ip++)
		for (uint32_t i = 0; i < 300; i++)
			output(b, ip, 1, 0, SEC);
	assert_int_equal(ss_net_held(b->net), 512 + 256 + 128 + 64 + 32 + 16);
	output(b, PEER + 9, 1, 0, SEC);
	assert_int_equal(ss_net_held(b->net), 512 + 256 + 128 + 64 + 32 + 16 + 1);
	bench_free(b);
}

static void a_full_table_forgets_the_idlest(void **state)
{
	struct bench *b = bench_new(false, true, 3);
	struct frame f;

	for (uint32_t i = 0; i < 3; i++) {
		f = arp(SS_ARP_REQUEST, PEER + i, US);
		put(b, &f, SEC + i);
		sent(b, 0);
	}
	output(b, PEER, 1, 0, 2 * SEC); /* the second is now the idlest */
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	f = arp(SS_ARP_REQUEST, PEER + 3, US);
	put(b, &f, 3 * SEC);
	sent(b, 0);
	output(b, PEER, 1, 0, 3 * SEC);
	f = sent(b, 0);
	assert_segment(&f, peer_mac, PEER, 1);
	output(b, PEER + 1, 1, 0, 3 * SEC); /* forgotten: asked again, and so others go */
	output(b, PEER + 50, 1, 0, 3 * SEC);
	output(b, PEER + 51, 1, 0, 3 * SEC);
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 0);
	output(b, PEER + 52, 1, 0, 3 * SEC); /* all three are being asked for: no room */
	assert_int_equal(b->c.drops[SS_DROP_NEIGH_FULL], 1);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_arp),
		cmocka_unit_test(only_one_worker_answers),
		cmocka_unit_test(announces_twice),
		cmocka_unit_test(asks_then_sends_what_waited),
		cmocka_unit_test(gives_up_after_three_questions),
		cmocka_unit_test(a_stale_neighbour_is_probed_and_used),
		cmocka_unit_test(traffic_keeps_a_neighbour_fresh),
		cmocka_unit_test(a_moved_neighbour_is_followed),
		cmocka_unit_test(somebody_else_claims_our_address),
		cmocka_unit_test(bounded_waiting),
		cmocka_unit_test(a_full_table_forgets_the_idlest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
