/*
 * disco_dns_test.c - endpoints from the DNS, as the door offers them: a resolver of the test's own stands where c-ares does, and
 * answers what a case wants, later. Times are bounded from below only; everything else is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* disco_dns.c has one, too */
#define CARES_NO_DEPRECATED 1
#include <ares.h>

#define ares_init_options fake_init
#define ares_set_servers_ports_csv fake_servers
#define ares_query fake_query
#define ares_process_fd fake_process
#define ares_destroy fake_destroy
typedef void (*fake_done)(void *arg, int status, int timeouts, unsigned char *p, int n);
static int fake_init(ares_channel *out, struct ares_options *o, int mask);
static int fake_servers(ares_channel c, const char *csv);
static void fake_query(ares_channel c, const char *name, int class, int type, fake_done done, void *arg);
static void fake_process(ares_channel c, int r, int w);
static void fake_destroy(ares_channel c);
#include "discovery/disco_dns.c"

#include "loop/log.h"

/* -- the resolver -- */

/* What it answers to a question for a name and type. Records: addresses, or "priority weight port target", one a line. */
struct zone {
	const char *name;
	int type, status; /* an error of c-ares, or 0 */
	uint32_t ttl;
	const char *records; /* NULL: bytes that are no answer */
	bool silent;         /* it never answers: after a while the question runs out of time */
};

#define QUESTIONS 64u

static struct {
	const struct zone *zones; /* ends with a name of NULL */
	char servers[1024];
	uint32_t asked, channels;
	uint64_t at[2]; /* of the first two questions that a case wants the time of */
	const struct ss_clock *clock;
	struct question {
		fake_done done;
		void *arg;
		const struct zone *zone;
	} open[QUESTIONS];
	uint32_t n_open;
} dns;

static int fake_init(ares_channel *out, struct ares_options *o, int mask)
{
	assert_true(o->tries > 1 && o->timeout >= 100);
	*out = (ares_channel)(void *)&dns;
	dns.channels++;
	return ARES_SUCCESS;
}

static int fake_servers(ares_channel c, const char *csv)
{
	snprintf(dns.servers, sizeof(dns.servers), "%s", csv);
	return ARES_SUCCESS;
}

static void fake_query(ares_channel c, const char *name, int class, int type, fake_done done, void *arg)
{
	static const struct zone nobody = {.status = ARES_ENOTFOUND};
	const struct zone *z = dns.zones;

	while (z->name && (strcmp(z->name, name) != 0 || z->type != type))
		z++;
	assert_true(dns.n_open < QUESTIONS);
	dns.open[dns.n_open++] = (struct question){done, arg, z->name ? z : &nobody};
	if (dns.asked < SS_ARRAY_LEN(dns.at))
		dns.at[dns.asked] = ss_clock_ns(dns.clock);
	dns.asked++;
}

static void fake_destroy(ares_channel c)
{
	dns.channels--;
	dns.n_open = 0;
}

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put_name(uint8_t *p, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		*p++ = (uint8_t)n;
		memcpy(p, name, n);
		p += n;
		name += n + (name[n] == '.');
	}
	*p = 0;
	return p + 1;
}

static uint8_t *put_data(uint8_t *p, int type, const char *line)
{
	uint32_t v[3];
	char target[64];
	struct ss_ip ip;

	if (type != SS_DNS_SRV) {
		assert_int_equal(ss_ip_parse(line, &ip), 0);
		memcpy(p, ip.b, type == SS_DNS_A ? 4 : 16);
		return p + (type == SS_DNS_A ? 4 : 16);
	}
	assert_int_equal(sscanf(line, "%u %u %u %63s", &v[0], &v[1], &v[2], target), 4);
	return put_name(put16(put16(put16(p, v[0]), v[1]), v[2]), target);
}

/* A message with a record for each line; its length. */
static int put_answer(uint8_t *p, const struct zone *z)
{
	uint8_t *at = p + 12, *length;
	char lines[512], *rest = lines, *line;
	uint32_t n = 0;

	snprintf(lines, sizeof(lines), "%s", z->records);
	while ((line = strsep(&rest, "\n")))
		if (*line) {
			at = put16(put16(put_name(at, z->name), (uint32_t)z->type), 1);
			length = put16(put16(at, z->ttl >> 16), z->ttl);
			at = put_data(length + 2, z->type, line);
			put16(length, (uint32_t)(at - length - 2));
			n++;
		}
	memset(p, 0, 12);
	put16(p + 2, 0x8180);
	put16(p + 6, n);
	return (int)(at - p);
}

/* Answers what is open, the last question first; a question may lead to others. */
static void fake_process(ares_channel c, int r, int w)
{
	uint8_t message[2048];

	while (dns.n_open) {
		struct question q = dns.open[--dns.n_open];
		const struct zone *z = q.zone;
		int status = z->silent ? ARES_ETIMEOUT : z->status;
		if (status)
			q.done(q.arg, status, 0, NULL, 0);
		else if (!z->records)
			q.done(q.arg, ARES_SUCCESS, 0, (unsigned char *)"what?", 5);
		else
			q.done(q.arg, ARES_SUCCESS, 0, message, put_answer(message, z));
	}
}

/* -- who wants endpoints -- */

struct world {
	struct ss_loop *loop;
	struct ss_clock clock;
	struct ss_disco *d;
	struct ss_model *m;
	uint32_t offers;
	const char *wanted; /* endpoints as told() has them */
	uint32_t asked, failures;
	bool failing;
};

static struct ss_discovery_state state_of(const struct world *w)
{
	struct ss_discovery_state s;

	assert_true(ss_disco_state(w->d, 0, &s));
	return s;
}

static void on_change(void *arg)
{
	struct world *w = arg;
	struct ss_disco_offer o;

	while (ss_disco_offer(w->d, w->m, &o)) {
		w->offers++;
		w->m->clusters[o.at].endpoints = o.endpoints;
		w->m->clusters[o.at].n_endpoints = o.n;
		ss_disco_settle(w->d, &o, NULL);
	}
}

/* "10.0.0.1:80 w1 p0, ..." */
static const char *told(const struct world *w)
{
	static char text[512];
	const struct ss_model_cluster *k = w->m->clusters;
	char addr[SS_ADDR_TEXT];
	int n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < k->n_endpoints; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s w%u p%u", i ? ", " : "",
			      ss_addr_text(&k->endpoints[i].addr, addr), k->endpoints[i].weight, k->endpoints[i].priority);
	return text;
}

static void on_look(void *arg)
{
	struct world *w = arg;
	struct ss_discovery_state s = state_of(w);

	if (strcmp(told(w), w->wanted) == 0 && dns.asked >= w->asked && s.failures >= w->failures &&
	    (s.failing != NULL) == w->failing)
		ss_loop_stop(w->loop);
}

/* Turns the loop until it is so; a test that waits for ever is ended by its runner. */
static void wait_for(struct world *w, const char *endpoints, uint32_t asked, uint32_t failures, bool failing)
{
	struct ss_loop_event *look = ss_loop_every(w->loop, SS_NS_PER_MS, on_look, w);

	assert_non_null(look);
	w->wanted = endpoints;
	w->asked = asked;
	w->failures = failures;
	w->failing = failing;
	ss_loop_run(w->loop);
	ss_loop_end(look);
}

/* From the next question on: one that is under way is answered as before. */
static void serve(const struct zone *zones)
{
	dns.zones = zones;
}

static void begin(struct world *w, uint32_t record, const struct zone *zones)
{
	char *resolver[] = {"192.0.2.53"};
	struct ss_model *m = ss_model_new();

	memset(w, 0, sizeof(*w));
	memset(&dns, 0, sizeof(dns));
	dns.clock = &w->clock;
	dns.zones = zones;
	m->n_clusters = 1;
	m->clusters = ss_model_alloc(m, sizeof(*m->clusters));
	m->clusters[0].name = ss_model_text(m, "web");
	m->clusters[0].discovery = (struct ss_model_discovery){
		.present = true, .kind = SS_DISCOVERY_DNS, .record = record, .respect_ttl = true,
		.name = ss_model_text(m, "web.test"), .port = record == SS_DISCOVERY_SRV ? 0 : 80,
		.n_resolvers = 1, .resolvers = ss_model_alloc(m, sizeof(char *)),
		.refresh_ns = SS_NS_PER_MS, .min_refresh_ns = SS_NS_PER_MS, .failure_refresh_ns = SS_NS_PER_MS};
	m->clusters[0].discovery.resolvers[0] = ss_model_text(m, resolver[0]);
	assert_int_equal(ss_loop_create(&w->loop), 0);
	ss_clock_init(&w->clock, 0);
	struct ss_disco_conf conf = {.loop = w->loop, .clock = &w->clock, .max_endpoints = 1000, .changed = on_change, .arg = w};
	assert_int_equal(ss_disco_create(&w->d, &conf), 0);
	w->m = m;
}

static void follow(struct world *w)
{
	assert_int_equal(ss_disco_lend(w->d, w->m), 0);
	assert_int_equal(w->m->clusters[0].n_endpoints, 0); /* nobody waits for the network */
	ss_disco_follow(w->d, w->m);
}

static void end(struct world *w)
{
	ss_disco_free(w->d);
	assert_int_equal(dns.channels, 0);
	ss_model_free(w->m);
	ss_loop_free(w->loop);
}

static void addresses_are_endpoints(void **state)
{
	static const struct zone one[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.2\n10.0.0.1"}, {0}};
	static const struct zone turned[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.1\n10.0.0.2\n10.0.0.1"}, {0}};
	static const char both[] = "10.0.0.1:80 w1 p0, 10.0.0.2:80 w1 p0";
	struct world w;

	begin(&w, SS_DISCOVERY_A, one);
	follow(&w);
	wait_for(&w, both, 1, 0, false);
	assert_string_equal(dns.servers, "192.0.2.53");
	assert_true(state_of(&w).answered);
	assert_int_equal(w.offers, 1);
	/* Another order, and one of them twice: the same answer. */
	serve(turned);
	wait_for(&w, both, dns.asked + 3, 0, false);
	assert_int_equal(w.offers, 1);
	end(&w);
}

static void addresses_may_be_long(void **state)
{
	static const struct zone six[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.1"}, {"web.test", SS_DNS_AAAA, 0, 0, "fd00::1"}, {0}};
	struct world w;

	begin(&w, SS_DISCOVERY_AAAA, six);
	follow(&w);
	wait_for(&w, "[fd00::1]:80 w1 p0", 1, 0, false);
	end(&w);
}

/* Ports, weights, ranks of priorities; a host without an IPv4 address is asked for the other kind. */
static void services_have_ports(void **state)
{
	static const struct zone zones[] = {
		{"web.test", SS_DNS_SRV, 0, 5, "20 1 83 c.test\n10 30 81 a.test\n10 10 82 b.test"},
		{"a.test", SS_DNS_A, 0, 5, "10.0.0.1"},
		{"b.test", SS_DNS_A, ARES_ENODATA, 0, NULL},
		{"b.test", SS_DNS_AAAA, 0, 5, "fd00::2"},
		{"c.test", SS_DNS_A, 0, 5, "10.0.0.3\n10.0.0.4"},
		{0},
	};
	struct world w;

	begin(&w, SS_DISCOVERY_SRV, zones);
	follow(&w);
	wait_for(&w, "10.0.0.1:81 w30 p0, 10.0.0.3:83 w1 p1, 10.0.0.4:83 w1 p1, [fd00::2]:82 w10 p0", 5, 0, false);
	assert_int_equal(dns.asked, 5);
	end(&w);
}

/* What was read may be used for a second, and is asked for again then; the shortest of the answer's times counts. */
static void a_time_to_live_ends(void **state)
{
	static const struct zone one[] = {{"web.test", SS_DNS_A, 0, 1, "10.0.0.1"}, {0}};
	static const struct zone long_one[] = {{"web.test", SS_DNS_A, 0, 3600, "10.0.0.1"}, {0}};
	struct world w;

	begin(&w, SS_DISCOVERY_A, one);
	follow(&w);
	wait_for(&w, "10.0.0.1:80 w1 p0", 2, 0, false);
	assert_true(dns.at[1] - dns.at[0] >= SS_NS_PER_SEC);
	end(&w);
	/* Whoever does not heed it asks at his own rate. */
	begin(&w, SS_DISCOVERY_A, long_one);
	w.m->clusters[0].discovery.respect_ttl = false;
	follow(&w);
	wait_for(&w, "10.0.0.1:80 w1 p0", 5, 0, false);
	end(&w);
	/* And never more often than the least rate says. */
	static const struct zone none[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.1"}, {0}};
	begin(&w, SS_DISCOVERY_A, none);
	w.m->clusters[0].discovery.min_refresh_ns = 300 * SS_NS_PER_MS;
	follow(&w);
	wait_for(&w, "10.0.0.1:80 w1 p0", 2, 0, false);
	assert_true(dns.at[1] - dns.at[0] >= 300 * SS_NS_PER_MS);
	end(&w);
}

/* Names that are gone, servers that refuse, are silent or talk nonsense: the last good answer stays, and why is said. */
static void the_last_good_answer_stays(void **state)
{
	static const struct zone good[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.1\n10.0.0.2"}, {0}};
	static const char both[] = "10.0.0.1:80 w1 p0, 10.0.0.2:80 w1 p0";
	static const struct {
		struct zone zones[2];
		const char *said;
	} bad[] = {
		{{{"web.test", SS_DNS_A, ARES_ENOTFOUND, 0, NULL}}, "not found"},
		{{{"web.test", SS_DNS_A, ARES_ESERVFAIL, 0, NULL}}, "web.test: "},
		{{{"web.test", SS_DNS_A, ARES_EREFUSED, 0, NULL}}, "refused"},
		{{{"web.test", SS_DNS_A, .silent = true}}, "Timeout"},
		{{{"web.test", SS_DNS_A, 0, 0, NULL}}, "the answer cannot be read"},
		{{{"web.test", SS_DNS_A, 0, 0, ""}}, "the answer has no endpoints"},
	};
	struct world w;

	begin(&w, SS_DISCOVERY_A, good);
	follow(&w);
	wait_for(&w, both, 1, 0, false);
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		serve(bad[i].zones);
		wait_for(&w, both, dns.asked, state_of(&w).failures + 2, true);
		assert_non_null(strstr(state_of(&w).failing, bad[i].said));
		assert_non_null(strstr(state_of(&w).failing, "web.test"));
		assert_int_equal(state_of(&w).n_endpoints, 2);
		assert_int_equal(w.offers, 1);
		serve(good);
		wait_for(&w, both, dns.asked + 1, 0, false);
	}
	end(&w);
}

/* Half of a service's hosts is no answer: none of it is taken. */
static void an_answer_is_whole(void **state)
{
	static const struct zone half[] = {
		{"web.test", SS_DNS_SRV, 0, 0, "1 1 81 a.test\n1 1 82 b.test"}, {"a.test", SS_DNS_A, 0, 0, "10.0.0.1"},
		{"b.test", SS_DNS_A, ARES_ESERVFAIL, 0, NULL}, {0},
	};
	static const struct zone whole[] = {
		{"web.test", SS_DNS_SRV, 0, 0, "1 1 81 a.test\n1 1 82 b.test"}, {"a.test", SS_DNS_A, 0, 0, "10.0.0.1"},
		{"b.test", SS_DNS_A, 0, 0, "10.0.0.2"}, {0},
	};
	struct world w;

	begin(&w, SS_DISCOVERY_SRV, half);
	follow(&w);
	wait_for(&w, "", 3, 2, true);
	assert_false(state_of(&w).answered);
	assert_non_null(strstr(state_of(&w).failing, "b.test: "));
	serve(whole);
	wait_for(&w, "10.0.0.1:81 w1 p0, 10.0.0.2:82 w1 p0", 0, 0, false);
	end(&w);
}

/* Fewer are an answer as good as any: whoever is left out is left out of the next offer, and drains there. */
static void a_shrunk_answer_is_offered(void **state)
{
	static const struct zone three[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.1\n10.0.0.2\n10.0.0.3"}, {0}};
	static const struct zone one[] = {{"web.test", SS_DNS_A, 0, 0, "10.0.0.2"}, {0}};
	struct world w;

	begin(&w, SS_DISCOVERY_A, three);
	follow(&w);
	wait_for(&w, "10.0.0.1:80 w1 p0, 10.0.0.2:80 w1 p0, 10.0.0.3:80 w1 p0", 1, 0, false);
	serve(one);
	wait_for(&w, "10.0.0.2:80 w1 p0", 2, 0, false);
	assert_int_equal(w.offers, 2);
	assert_int_equal(state_of(&w).n_endpoints, 1);
	serve(three);
	wait_for(&w, "10.0.0.1:80 w1 p0, 10.0.0.2:80 w1 p0, 10.0.0.3:80 w1 p0", 3, 0, false);
	assert_int_equal(state_of(&w).failures, 0);
	end(&w);
}

static int start(void **state)
{
	ss_log_setup(SS_LOG_ERROR + 1, false);
	return 0;
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(addresses_are_endpoints), cmocka_unit_test(addresses_may_be_long),
		cmocka_unit_test(services_have_ports),	   cmocka_unit_test(a_time_to_live_ends),
		cmocka_unit_test(the_last_good_answer_stays), cmocka_unit_test(an_answer_is_whole),
		cmocka_unit_test(a_shrunk_answer_is_offered),
	};

	return cmocka_run_group_tests(t, start, NULL);
}
