/*
 * A bundle for each trust domain, verdicts that are remembered, and live connections under a later trust: our room
 * on one side, libssl alone on the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contract/xfcc.h"
#include "tls/tls_chain.c"
#include "tls/tls_world_sim.h"

#define MESH "URI:spiffe://mesh.local/ns/demo/sa/a"
#define PARTNER "URI:spiffe://partner.example/ns/demo/sa/a"

static struct world world;

/* A trust of up to two domains, made of memory that the test owns. */
struct made {
	struct ss_trust trust;
	struct ss_trust_domain domain[2];
	uint64_t anchor[2][2], listed[2], revoked[2];
};

static void nobody_frees(struct ss_trust *t)
{
	fail();
}

static void sort2(uint64_t *v)
{
	if (v[0] > v[1]) {
		uint64_t t = v[0];

		v[0] = v[1];
		v[1] = t;
	}
}

/* number: two trusts of one number are the same trust. */
static void make(struct made *m, uint8_t number)
{
	memset(m, 0, sizeof(*m));
	m->trust = (struct ss_trust){ .refs = 1, .free = nobody_frees, .chain_cache = true, .domain = m->domain };
	memset(m->trust.hash, number, sizeof(m->trust.hash));
}

static struct ss_trust_domain *add(struct made *m, const char *name, X509 *ca, X509 *also)
{
	struct ss_trust_domain *d = &m->domain[m->trust.n_domains];
	uint64_t *v = m->anchor[m->trust.n_domains++];

	d->name = ss_span_str(name);
	d->anchors = sk_X509_new_null();
	d->anchor = (struct ss_trust_set){ also ? 2 : 1, v };
	sk_X509_push(d->anchors, ca);
	v[0] = ss_trust_cert_digest(ca);
	if (also) {
		sk_X509_push(d->anchors, also);
		v[1] = ss_trust_cert_digest(also);
		sort2(v);
	}
	return d;
}

static void unmake(struct made *m)
{
	assert_int_equal(m->trust.refs, 1);
	for (uint32_t i = 0; i < m->trust.n_domains; i++)
		sk_X509_free(m->domain[i].anchors);
}

static void begin(struct world *w, struct made *m)
{
	struct sim_cert own;

	world_init(w, "trust", 31);
	own = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/ns/demo/sa/dut" });
	w->server.ctx[0] = sim_ctx(true, &own, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &own, &w->ca, TLS1_3_VERSION);
	sim_cert_free(&own);
	make(m, 1);
	w->server.trust = w->client.trust = &m->trust;
}

static void end(struct world *w, struct made *m)
{
	world_free(w);
	unmake(m);
}

/* A client of ours with a certificate: the drop that came of it. */
static enum ss_drop visit(struct world *w, struct far *far, const struct sim_cert *c, int version, int *alert)
{
	SSL_CTX *ctx = sim_ctx(false, c, &w->ca, version);
	struct ss_event ev;

	far_client(w, far, ctx);
	far_run(w, far, 60);
	SSL_CTX_free(ctx);
	if (alert)
		*alert = far->alert;
	return world_event(w, &ev) ? (enum ss_drop)ev.drop : 0;
}

static enum ss_drop visit_once(struct world *w, const struct sim_cert *ca, const char *san, int *alert)
{
	struct sim_cert c = sim_leaf(ca, &(struct sim_leaf){ .san = san });
	struct far far;
	enum ss_drop drop = visit(w, &far, &c, TLS1_3_VERSION, alert);

	fake_fin(far.tcp);
	world_turns(w, 2);
	far_free(&far);
	sim_cert_free(&c);
	return drop;
}

static void test_whose_bundle(void **state)
{
	struct world *w = &world;
	struct made m;
	int alert;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	add(&m, "partner.example", w->other_ca.x, NULL);
	assert_int_equal(visit_once(w, &w->ca, MESH, &alert), 0);
	assert_int_equal(visit_once(w, &w->other_ca, PARTNER, &alert), 0);
	/* Each authority known, but not for that trust domain. */
	assert_int_equal(visit_once(w, &w->other_ca, MESH, &alert), SS_DROP_TLS_UNTRUSTED);
	assert_int_equal(alert, SSL_AD_UNKNOWN_CA);
	assert_int_equal(visit_once(w, &w->ca, PARTNER, &alert), SS_DROP_TLS_UNTRUSTED);
	assert_int_equal(visit_once(w, &w->ca, "URI:spiffe://third.example/a", &alert), SS_DROP_TLS_TRUST_DOMAIN);
	assert_int_equal(alert, SSL_AD_UNKNOWN_CA);
	/* What has no SPIFFE id is the trust's own. */
	assert_int_equal(visit_once(w, &w->ca, "DNS:a.example", &alert), 0);
	assert_int_equal(visit_once(w, &w->other_ca, "DNS:a.example", &alert), SS_DROP_TLS_UNTRUSTED);
	end(w, &m);
}

static void test_no_svid(void **state)
{
	struct world *w = &world;
	struct made m;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	w->server.n_ids = 1;
	w->server_id = (struct ss_id_match){ .kind = SS_ID_DOMAIN, .value = SS_SPAN("mesh.local") };
	assert_int_equal(visit_once(w, &w->ca, "DNS:a.example", NULL), SS_DROP_TLS_NOT_SVID);
	assert_int_equal(visit_once(w, &w->ca, NULL, NULL), SS_DROP_TLS_NOT_SVID);
	w->server_id = (struct ss_id_match){ .kind = SS_ID_EXACT, .value = SS_SPAN("b.example") };
	assert_int_equal(visit_once(w, &w->ca, "DNS:a.example", NULL), SS_DROP_TLS_IDENTITY);
	assert_int_equal(visit_once(w, &w->ca, "DNS:a.example,DNS:b.example", NULL), 0);
	end(w, &m);
}

static uint64_t count(const struct world *w, enum ss_counter k)
{
	return ss_counter_read(&w->counters, k);
}

/* One certificate, several visits. */
static void test_chains_are_remembered(void **state)
{
	struct world *w = &world;
	struct far far[4];
	struct made m;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH });
	assert_int_equal(visit(w, &far[0], &c, TLS1_3_VERSION, NULL), 0);
	assert_int_equal(visit(w, &far[1], &c, TLS1_2_VERSION, NULL), 0);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_VERIFIED), 1);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_KNOWN), 1);
	/* Known, and judged nevertheless. */
	w->server.n_ids = 1;
	w->server_id = (struct ss_id_match){ .kind = SS_ID_EXACT, .value = SS_SPAN("spiffe://mesh.local/b") };
	assert_int_equal(visit(w, &far[2], &c, TLS1_3_VERSION, NULL), SS_DROP_TLS_IDENTITY);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_KNOWN), 2);
	w->server.n_ids = 0;
	/* Another trust: verified anew, by it. */
	memset(m.trust.hash, 2, sizeof(m.trust.hash));
	sk_X509_set(m.domain[0].anchors, 0, w->other_ca.x);
	assert_int_equal(visit(w, &far[3], &c, TLS1_3_VERSION, NULL), SS_DROP_TLS_UNTRUSTED);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_VERIFIED), 2);
	for (int i = 0; i < 4; i++) {
		fake_fin(far[i].tcp);
		far_free(&far[i]);
	}
	sim_cert_free(&c);
	end(w, &m);
}

static void test_cache_off(void **state)
{
	struct world *w = &world;
	struct far far[2];
	struct made m;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	m.trust.chain_cache = false;
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH });
	for (int i = 0; i < 2; i++) {
		assert_int_equal(visit(w, &far[i], &c, TLS1_3_VERSION, NULL), 0);
		far_free(&far[i]);
	}
	assert_int_equal(count(w, SS_C_TLS_CHAINS_VERIFIED), 2);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_KNOWN), 0);
	sim_cert_free(&c);
	end(w, &m);
}

/* Good from 100 to 200; the oldest of a set makes room. */
static void test_cache_bounds(void **state)
{
	struct tls_chains *c = OPENSSL_zalloc(sizeof(*c));
	const struct ss_trust_mark m = { .anchor = 7, .n = 1 };
	uint8_t key[WAYS + 1][KEY] = { { 0 } };

	keep(c, key[0], 100, 200, &m);
	assert_null(find(c, key[0], 99));
	assert_non_null(find(c, key[0], 100));
	assert_int_equal(find(c, key[0], 199)->mark.anchor, 7);
	assert_null(find(c, key[0], 200));
	keep(c, key[0], 100, 300, &m);
	assert_non_null(find(c, key[0], 200));
	for (uint8_t i = 1; i <= WAYS; i++) {
		key[i][1] = i;
		assert_non_null(find(c, key[0], 150));
		keep(c, key[i], 100, 200, &m);
	}
	assert_non_null(find(c, key[0], 150));
	assert_null(find(c, key[1], 150));
	assert_non_null(find(c, key[WAYS], 150));
	ss_tls_chains_free(c);
}

/* Another handshake of the same thread comes in while the first one's chain is being verified, with the same chain and
 * with as many others as push out what is there. */
static void test_cache_while_one_waits(void **state)
{
	struct tls_chains *c = OPENSSL_zalloc(sizeof(*c));
	const struct ss_trust_mark first = { .anchor = 1, .n = 1 }, second = { .anchor = 2, .n = 1 };
	uint8_t key[WAYS + 1][KEY] = { { 0 } };

	assert_null(find(c, key[0], 150));
	assert_null(find(c, key[0], 150)); /* the second asks while the first has no verdict */
	keep(c, key[0], 100, 200, &second);
	for (uint8_t i = 1; i <= WAYS; i++) {
		key[i][1] = i;
		keep(c, key[i], 100, 200, &second);
	}
	keep(c, key[0], 100, 200, &first);
	assert_int_equal(find(c, key[0], 150)->mark.anchor, 1);
	keep(c, key[0], 100, 200, &second);
	assert_int_equal(find(c, key[0], 150)->mark.anchor, 2);
	for (int i = 0, same = 0; i < WAYS; i++) {
		same += memcmp(c->known[0][i].key, key[0], KEY) == 0;
		assert_true(same <= 1); /* one place each */
	}
	ss_tls_chains_free(c);
}

/* Leaf c of ca as revocation lists name it. */
static uint64_t serial_of(const struct sim_cert *ca, const struct sim_cert *c)
{
	return ss_trust_name_digest(X509_get_subject_name(ca->x), X509_get0_serialNumber(c->x));
}

static void revoke(const struct world *w, struct made *m, const struct sim_cert *c)
{
	struct ss_trust_domain *d = &m->domain[0];

	m->listed[0] = ss_trust_name_digest(X509_get_subject_name(w->ca.x), NULL);
	m->revoked[0] = c ? serial_of(&w->ca, c) : 1;
	d->crls = true;
	d->listed = (struct ss_trust_set){ 1, m->listed };
	d->revoked = (struct ss_trust_set){ 1, m->revoked };
}

static void test_revoked(void **state)
{
	struct world *w = &world;
	struct far far[3];
	struct made m;
	int alert;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH });
	revoke(w, &m, NULL);
	assert_int_equal(visit(w, &far[0], &c, TLS1_3_VERSION, &alert), 0);
	memset(m.trust.hash, 2, sizeof(m.trust.hash));
	revoke(w, &m, &c);
	assert_int_equal(visit(w, &far[1], &c, TLS1_3_VERSION, &alert), SS_DROP_TLS_REVOKED);
	assert_int_equal(alert, SSL_AD_CERTIFICATE_REVOKED);
	memset(m.trust.hash, 3, sizeof(m.trust.hash));
	revoke(w, &m, NULL);
	m.listed[0]++;
	assert_int_equal(visit(w, &far[2], &c, TLS1_3_VERSION, &alert), SS_DROP_TLS_REVOKED);
	for (int i = 0; i < 3; i++) {
		fake_fin(far[i].tcp);
		far_free(&far[i]);
	}
	sim_cert_free(&c);
	end(w, &m);
}

/* Good and known, until the list that says so should have been replaced; a later one of the same issuer mends it. */
static void test_a_list_runs_out(void **state)
{
	struct world *w = &world;
	struct far far[4];
	int64_t until = INT64_MAX;
	struct made m;
	int alert;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, NULL);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH });
	revoke(w, &m, NULL);
	m.domain[0].listed_until = &until;
	assert_int_equal(visit(w, &far[0], &c, TLS1_3_VERSION, &alert), 0);
	until = time(NULL);
	assert_int_equal(visit(w, &far[1], &c, TLS1_3_VERSION, &alert), SS_DROP_TLS_REVOKED);
	assert_int_equal(alert, SSL_AD_CERTIFICATE_EXPIRED);
	m.trust.chain_cache = false;
	assert_int_equal(visit(w, &far[2], &c, TLS1_3_VERSION, &alert), SS_DROP_TLS_REVOKED);
	m.trust.chain_cache = true;
	until = INT64_MAX;
	assert_int_equal(visit(w, &far[3], &c, TLS1_3_VERSION, &alert), 0);
	assert_int_equal(count(w, SS_C_TLS_CHAINS_KNOWN), 2);
	for (int i = 0; i < 4; i++) {
		fake_fin(far[i].tcp);
		far_free(&far[i]);
	}
	sim_cert_free(&c);
	end(w, &m);
}

/* ---- what upstream is told ---- */

static void test_forwarded_certificate(void **state)
{
	const struct ss_span by = SS_SPAN("By=spiffe://mesh.local/ns/demo/sa/dut;Hash="),
			     names = SS_SPAN(";Subject=\"CN=leaf\";URI=spiffe://mesh.local/ns/demo/sa/a;DNS=a.example");
	struct world *w = &world;
	struct far far;
	struct made m;

	for (int told = 0; told < 2; told++) {
		begin(w, &m);
		add(&m, "mesh.local", w->ca.x, NULL);
		w->listener.xfcc_fields = told ? SS_XFCC_ON | SS_XFCC_SUBJECT | SS_XFCC_URI | SS_XFCC_DNS : 0;
		struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH ",DNS:a.example" });
		assert_int_equal(visit(w, &far, &c, TLS1_3_VERSION, NULL), 0);
		struct ss_span line = ss_peer_xfcc(ss_tls_peer(world_served(w)->c));
		assert_int_equal(line.n, told ? by.n + 64 + names.n : 0);
		if (told) {
			assert_memory_equal(line.p, by.p, by.n);
			assert_memory_equal(line.p + by.n + 64, names.p, names.n);
		}
		fake_fin(far.tcp);
		app_release(world_served(w));
		world_turns(w, 3);
		far_free(&far);
		sim_cert_free(&c);
		end(w, &m);
	}
}

/* What means something in the line is quoted; what does not fit is not there. */
static void test_forwarded_line(void **state)
{
	const struct ss_span said = SS_SPAN(";Subject=\"O=x\\\\\\\"y,CN=leaf\";URI=\"urn:a;b=c\"");
	struct sim_cert ca = sim_ca("mesh"), c = sim_leaf(&ca, &(struct sim_leaf){ .san = "URI:urn:a;b=c" });
	const struct tls_xfcc x = { .cert = c.x };
	uint8_t fields = SS_XFCC_SUBJECT | SS_XFCC_URI | SS_XFCC_DNS, line[4096];

	X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "O", MBSTRING_UTF8, (const unsigned char *)"x\"y", -1,
				   -1, 0);
	assert_int_equal(ss_tls_xfcc_line(&x, fields, line, sizeof(line)), 69 + said.n);
	assert_memory_equal(line, "Hash=", 5);
	assert_memory_equal(line + 69, said.p, said.n);
	assert_int_equal(ss_tls_xfcc_line(&x, fields, line, 80), 69);
	assert_int_equal(ss_tls_xfcc_line(&x, fields, line, 12), 0);
	assert_true(ss_tls_xfcc_line(&x, SS_XFCC_CERT, line, sizeof(line)) > 400);
	assert_memory_equal(line + 69, ";Cert=\"-----BEGIN%20CERTIFICATE-----%0A", 39);
	sim_cert_free(&c);
	sim_cert_free(&ca);
}

/* ---- a later trust ---- */

enum change { SAME, MORE, NARROWER, OTHER, GONE, REVOKED };

static void change(struct world *w, struct made *next, enum change what, const struct sim_cert *c)
{
	make(next, what == SAME ? 1 : 9);
	if (what == GONE)
		add(next, "third.example", w->ca.x, NULL);
	else
		add(next, "mesh.local", what == OTHER ? w->other_ca.x : w->ca.x, what == MORE ? w->other_ca.x : NULL);
	if (what == REVOKED)
		revoke(w, next, c);
	w->server.trust = w->client.trust = &next->trust;
	w->snap.generation++;
}

static void one_again(enum change what, int version, int alert)
{
	struct world *w = &world;
	struct made m, next;
	struct far far;
	struct ss_event ev;

	begin(w, &m);
	add(&m, "mesh.local", w->ca.x, what == NARROWER ? w->other_ca.x : NULL);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = MESH });
	assert_int_equal(visit(w, &far, &c, version, NULL), 0);
	struct app *a = world_served(w);
	assert_non_null(a);
	change(w, &next, what, &c);
	far_run(w, &far, 10);
	if (what == SAME || what == MORE || what == NARROWER) {
		assert_int_equal(a->events & SS_TLS_EV_FAILED, 0);
		app_send(w, a, "still here", 10);
		far_run(w, &far, 10);
		assert_int_equal(far.n, 10);
		app_release(a);
	} else {
		assert_int_equal(a->events & SS_TLS_EV_FAILED, SS_TLS_EV_FAILED);
		assert_int_equal(a->reason, SS_DROP_TLS_DISTRUSTED);
		assert_true(world_event(w, &ev));
		assert_int_equal(ev.drop, SS_DROP_TLS_DISTRUSTED);
		assert_true(far.tcp->fin);
		assert_int_equal(far.alert, version == TLS1_3_VERSION ? alert : -1);
	}
	fake_fin(far.tcp);
	world_turns(w, 3);
	far_free(&far);
	sim_cert_free(&c);
	end(w, &m);
	unmake(&next);
}

static void test_again(void **state)
{
	const struct {
		enum change what;
		int alert;
	} runs[] = { { SAME, -1 }, { MORE, -1 }, { NARROWER, -1 }, { OTHER, SSL_AD_UNKNOWN_CA },
		     { GONE, SSL_AD_UNKNOWN_CA }, { REVOKED, SSL_AD_CERTIFICATE_REVOKED } };

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++) {
		one_again(runs[i].what, TLS1_3_VERSION, runs[i].alert);
		one_again(runs[i].what, TLS1_2_VERSION, runs[i].alert);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_bundle), cmocka_unit_test(test_no_svid),
		cmocka_unit_test(test_chains_are_remembered), cmocka_unit_test(test_cache_off),
		cmocka_unit_test(test_cache_bounds),
		cmocka_unit_test(test_cache_while_one_waits), cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_a_list_runs_out), cmocka_unit_test(test_again),
		cmocka_unit_test(test_forwarded_certificate), cmocka_unit_test(test_forwarded_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
