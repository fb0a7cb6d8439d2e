/*
 * caller.c - bench-caller: HTTP/2 over kernel sockets where h2load does not do.
 *
 * paced   open loop: requests are due at a set rate with even jitter, whether or not earlier ones were
 *         answered, and latency counts from the moment a request was due. Nothing is omitted when the other
 *         side stalls or this program falls behind; what was due and never sent is said.
 * closed  closed loop: every answer is followed by the next request; what paced can be given at most.
 * churn   connections: connect, full or resumed handshake, one request, close; as fast as it goes, or with
 *         --rate as many a second as long as there is a free place.
 * hold    opens connections, one request on each, and keeps them until standard input ends.
 *
 * Prints "start" and "end" around the measured time ("held" when all connections stand), and one JSON line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "perf/bench/caller_conn.h"

enum { OPENING = 32, MAX_CONNS = 20000, MAX_FIELDS = 16, EVENTS = 64 };

struct caller {
	struct caller_request request;
	const char *mode;
	double rate, seconds, warmup;
	int n_conns, next; /* next: whose turn it is to be asked */
	bool resume;
	bool renews; /* a connection that the other side ends in order is opened anew */
	struct caller_conn *conns;
	int epoll;
	uint64_t random;
	uint64_t begin, end; /* of the measured time, ns; 0: not yet */
	uint64_t due;        /* churn: the next connection */
	uint64_t *took;      /* ns */
	size_t n_took, max_took;
	uint64_t completed, in_time, resumed, lost, unsent, renewed;
	const char *first_loss;
};

static SSL_SESSION *ticket; /* the newest one; OpenSSL's callback has no other place for it */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-caller: %s: %s\n", what, why);
	exit(1);
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* ---- connections ---- */

static void watch(struct caller *a, struct caller_conn *c)
{
	bool out = c->state == CALLER_CONNECTING || c->full;
	struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
	if (epoll_ctl(a->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0 &&
	    epoll_ctl(a->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll", strerror(errno));
}

static void begin_conn(struct caller *a, struct caller_conn *c)
{
	if (!caller_open(c, &a->request, a->resume ? ticket : NULL))
		die("connect", c->why);
	watch(a, c);
}

static void lose(struct caller *a, struct caller_conn *c)
{
	a->lost += c->in_flight ? c->in_flight : 1;
	if (!a->first_loss)
		a->first_loss = c->why;
	c->in_flight = 0;
	caller_close(c);
}

/* What a call on the connection came to. Watches it for what it waits for now. */
static bool settled(struct caller *a, struct caller_conn *c, bool good, bool waited_to_write)
{
	if (!good)
		lose(a, c);
	else if (waited_to_write != (c->state == CALLER_CONNECTING || c->full))
		watch(a, c);
	return good;
}

static bool turn(struct caller *a, struct caller_conn *c)
{
	bool waited = c->state == CALLER_CONNECTING || c->full, good = caller_turn(c);
	if (good && c->going && !a->renews && !c->n_done) {
		c->why = "ended by the other side";
		good = false;
	}
	return settled(a, c, good, waited);
}

static bool flush(struct caller *a, struct caller_conn *c)
{
	bool waited = c->full;
	return settled(a, c, caller_flush(c), waited);
}

/* Waits until something comes or until the moment; calls on_ready for each connection that moved. */
static void wait_until(struct caller *a, uint64_t moment,
		       void (*on_ready)(struct caller *a, struct caller_conn *c))
{
	uint64_t now = now_ns(), left = moment > now ? moment - now : 0;
	struct timespec t = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
	struct epoll_event e[EVENTS];
	int n = epoll_pwait2(a->epoll, e, EVENTS, &t, NULL);
	for (int i = 0; i < n; i++) {
		struct caller_conn *c = e[i].data.ptr;
		if (!c)
			a->end = 1; /* standard input: hold is over */
		else if (c->state != CALLER_CLOSED && turn(a, c))
			on_ready(a, c);
	}
}

/* ---- paced ---- */

static void take_answers(struct caller *a, struct caller_conn *c)
{
	uint64_t now = now_ns();
	for (uint32_t i = 0; i < c->n_done; i++) {
		a->completed++;
		a->in_time += a->begin && now < a->end;
		if (a->begin && c->done[i] >= a->begin && c->done[i] < a->end && a->n_took < a->max_took)
			a->took[a->n_took++] = now - c->done[i];
	}
	c->n_done = 0;
}

static struct caller_conn *next_with_room(struct caller *a);

/* What GOAWAY left undone is asked for elsewhere, due since when it was. */
static void renew(struct caller *a, struct caller_conn *c)
{
	struct caller_conn *other;
	for (; c->n_refused && (other = next_with_room(a)); c->n_refused--) {
		caller_ask(other, c->refused[c->n_refused - 1]);
		flush(a, other);
	}
	if (c->in_flight || c->n_refused)
		return;
	caller_close(c);
	begin_conn(a, c);
	a->renewed++;
}

static void answered(struct caller *a, struct caller_conn *c)
{
	take_answers(a, c);
	if (c->going)
		renew(a, c);
}

static uint64_t even(struct caller *a, uint64_t period)
{
	a->random ^= a->random << 13, a->random ^= a->random >> 7, a->random ^= a->random << 17;
	return period / 2 + a->random % period;
}

static void open_all(struct caller *a)
{
	for (int i = 0; i < a->n_conns; i++) {
		begin_conn(a, &a->conns[i]);
		uint64_t limit = now_ns() + 5000000000u;
		while (a->conns[i].state != CALLER_OPEN) {
			wait_until(a, limit, take_answers);
			if (a->conns[i].state == CALLER_CLOSED || now_ns() > limit)
				die("connect", a->first_loss ? a->first_loss : "no answer");
		}
	}
}

/* The next open connection in turn that may have one more request; NULL: none. */
static struct caller_conn *next_with_room(struct caller *a)
{
	for (int i = 0; i < a->n_conns; i++) {
		struct caller_conn *c = &a->conns[a->next];
		a->next = (a->next + 1) % a->n_conns;
		if (caller_room(c))
			return c;
	}
	return NULL;
}

static void wait_for_answers(struct caller *a)
{
	uint64_t limit = now_ns() + 1000000000u;
	uint32_t open = 1;
	while (open && now_ns() < limit) {
		wait_until(a, now_ns() + 1000000u, answered);
		open = 0;
		for (int i = 0; i < a->n_conns; i++)
			open += a->conns[i].in_flight;
	}
	a->lost += open;
}

static uint64_t start_measuring(struct caller *a, uint64_t begin)
{
	say("start");
	a->begin = begin;
	return a->end = begin + (uint64_t)(a->seconds * 1e9);
}

/* Between two looks at the sockets at most this many requests go out: who is behind must still read. */
enum { BURST = 64 };

/* Requests that are due by now, oldest first; returns when the next one is. */
static uint64_t ask_due(struct caller *a, uint64_t due, uint64_t period, uint64_t now)
{
	struct caller_conn *c;
	for (int i = 0; i < BURST && due <= now && (c = next_with_room(a)); i++) {
		caller_ask(c, due);
		flush(a, c);
		due += even(a, period);
	}
	return due;
}

static void run_paced(struct caller *a)
{
	if (a->rate <= 0)
		die("paced", "wants a rate");
	open_all(a);
	a->renews = true;
	uint64_t period = (uint64_t)(1e9 / a->rate), due = now_ns() + period, now;
	uint64_t begin = due + (uint64_t)(a->warmup * 1e9), end = begin + (uint64_t)(a->seconds * 1e9);
	a->max_took = (size_t)(a->rate * a->seconds * 2) + 1024;
	a->took = calloc(a->max_took, sizeof(*a->took));
	while (a->took && (now = now_ns()) < end) {
		if (now >= begin && !a->begin)
			end = start_measuring(a, begin);
		due = ask_due(a, due, period, now);
		wait_until(a, due < end ? due : end, answered);
	}
	say("end");
	a->unsent = due < end ? (end - due) / period : 0;
	wait_for_answers(a);
}

/* ---- closed ---- */

/* From answer to next request there is no time: all that are allowed are always under way. */
static void ask_again(struct caller *a, struct caller_conn *c)
{
	take_answers(a, c);
	while (caller_room(c))
		caller_ask(c, now_ns());
	flush(a, c);
}

static void run_closed(struct caller *a)
{
	open_all(a);
	uint64_t begin = now_ns() + (uint64_t)(a->warmup * 1e9);
	for (int i = 0; i < a->n_conns; i++)
		ask_again(a, &a->conns[i]);
	while (now_ns() < begin)
		wait_until(a, begin, ask_again);
	uint64_t end = start_measuring(a, begin);
	while (now_ns() < end)
		wait_until(a, end, ask_again);
	say("end");
	for (int i = 0; i < a->n_conns; i++)
		a->lost += a->conns[i].state != CALLER_OPEN;
}

/* ---- churn ---- */

/* False: the connection is lost. */
static bool ask_first(struct caller *a, struct caller_conn *c)
{
	if (c->state != CALLER_OPEN || c->next_stream != 1)
		return true;
	caller_ask(c, 0);
	return flush(a, c);
}

static void ask_then_close(struct caller *a, struct caller_conn *c)
{
	if (!ask_first(a, c) || !c->n_done)
		return;
	bool counts = a->begin && !a->end;
	a->completed += counts;
	a->resumed += counts && c->ssl && SSL_session_reused(c->ssl);
	caller_close(c);
}

/* Opens what is closed: all of it, or one when one is due. */
static void reopen(struct caller *a)
{
	if (a->rate > 0 && now_ns() < a->due)
		return;
	for (int i = 0; i < a->n_conns; i++) {
		if (a->conns[i].state != CALLER_CLOSED)
			continue;
		begin_conn(a, &a->conns[i]);
		if (a->rate > 0)
			break;
	}
	if (a->rate > 0)
		a->due += even(a, (uint64_t)(1e9 / a->rate));
}

static void churn_until(struct caller *a, uint64_t moment)
{
	while (now_ns() < moment) {
		reopen(a);
		wait_until(a, a->rate > 0 && a->due < moment ? a->due : moment, ask_then_close);
		if (a->lost > 100)
			die("churn", a->first_loss);
	}
}

static void run_churn(struct caller *a)
{
	uint64_t begin = now_ns() + (uint64_t)(a->warmup * 1e9), end = begin + (uint64_t)(a->seconds * 1e9);
	a->due = now_ns();
	churn_until(a, begin);
	say("start");
	a->begin = begin;
	churn_until(a, end);
	a->end = end;
	say("end");
}

/* ---- hold ---- */

static void ask_once(struct caller *a, struct caller_conn *c)
{
	ask_first(a, c);
	a->completed += c->n_done;
	c->n_done = 0;
}

static void run_hold(struct caller *a)
{
	uint64_t limit = now_ns() + 120000000000u;
	for (int opened = 0; (int)a->completed < a->n_conns && !a->lost && now_ns() < limit;) {
		while (opened < a->n_conns && opened - (int)a->completed < OPENING)
			begin_conn(a, &a->conns[opened++]);
		wait_until(a, now_ns() + 100000000u, ask_once);
	}
	if ((int)a->completed < a->n_conns)
		die("hold", a->first_loss ? a->first_loss : "too slow");
	say("held");
	struct epoll_event e = {.events = EPOLLIN | EPOLLHUP, .data.ptr = NULL};
	epoll_ctl(a->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e);
	while (!a->end)
		wait_until(a, now_ns() + 1000000000u, ask_once);
}

/* ---- the command ---- */

static int keep_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1; /* ours now */
}

static SSL_CTX *client_tls(const char *ca, const char *cert, const char *key, bool resume)
{
	SSL_CTX *t = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(t, TLS1_3_VERSION);
	if (!SSL_CTX_set_ciphersuites(t, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set1_groups_list(t, "X25519:P-256") || SSL_CTX_load_verify_locations(t, ca, NULL) != 1 ||
	    SSL_CTX_use_certificate_chain_file(t, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(t, key, SSL_FILETYPE_PEM) != 1)
		die("certificates", "cannot be used");
	SSL_CTX_set_verify(t, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(t, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (resume)
		SSL_CTX_sess_set_new_cb(t, keep_ticket);
	return t;
}

static int by_size(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

static double quantile_us(const struct caller *a, double q)
{
	if (!a->n_took)
		return 0;
	size_t i = (size_t)(q * (double)a->n_took);
	return (double)a->took[i < a->n_took ? i : a->n_took - 1] / 1000;
}

static void print_figures(struct caller *a)
{
	qsort(a->took, a->n_took, sizeof(*a->took), by_size);
	printf("{\"completed\": %lu, \"in_time\": %lu, \"measured\": %zu, \"resumed\": %lu, "
	       "\"lost\": %lu, \"unsent\": %lu, \"renewed\": %lu, "
	       "\"why\": \"%s\", "
	       "\"p50_us\": %.3f, \"p90_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f}\n",
	       a->completed, a->in_time, a->n_took, a->resumed, a->lost,
	       a->unsent, a->renewed, a->first_loss ? a->first_loss : "",
	       quantile_us(a, 0.5), quantile_us(a, 0.9), quantile_us(a, 0.99), quantile_us(a, 0.999),
	       quantile_us(a, 1));
}

static void usage(void)
{
	fprintf(stderr, "usage: bench-caller paced|closed|churn|hold --to ADDRESS:PORT --path PATH --body BYTES\n"
			"  [--connections N] [--streams N] [--rate R] [--seconds S] [--warmup S] [--field 'NAME: VALUE'] "
			"[--resume]\n"
			"  [--ca FILE --cert FILE --key FILE]   (TLS)\n");
	exit(2);
}

struct words {
	const char *to, *path, *ca, *cert, *key, *fields[MAX_FIELDS + 1];
	int n_fields;
};

/* Where an option's value goes; which of the two says what it is. */
struct place {
	const char *name, **text;
	double *number;
};

static bool take(const struct place *places, const char *name, const char *value)
{
	for (; places->name; places++) {
		if (strcmp(places->name, name))
			continue;
		if (places->text)
			*places->text = value;
		else
			*places->number = atof(value);
		return true;
	}
	return false;
}

static void read_options(struct caller *a, struct words *w, int argc, char **argv)
{
	double body = 0, connections = 8, streams = 32;
	const struct place places[] = {
		{"--to", &w->to, NULL},
		{"--path", &w->path, NULL},
		{"--ca", &w->ca, NULL},
		{"--cert", &w->cert, NULL},
		{"--key", &w->key, NULL},
		{"--body", NULL, &body},
		{"--connections", NULL, &connections},
		{"--streams", NULL, &streams},
		{"--rate", NULL, &a->rate},
		{"--seconds", NULL, &a->seconds},
		{"--warmup", NULL, &a->warmup},
		{NULL, NULL, NULL},
	};
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (argv[i][0] != '-')
			a->mode = argv[i];
		else if (!strcmp(argv[i], "--resume"))
			a->resume = true;
		else if (value && !strcmp(argv[i], "--field") && w->n_fields < MAX_FIELDS)
			w->fields[w->n_fields++] = argv[++i];
		else if (value && take(places, argv[i], value))
			i++;
		else
			usage();
	}
	a->request.body = (uint32_t)body;
	a->n_conns = (int)connections;
	a->request.in_flight = (uint32_t)streams;
	if (streams < 1 || streams > CALLER_IN_FLIGHT || !a->mode || !w->to || !w->path ||
	    a->n_conns < 1 || a->n_conns > MAX_CONNS)
		usage();
}

static void set_target(struct caller *a, const struct words *w)
{
	char address[64];
	const char *colon = strrchr(w->to, ':');
	if (!colon || (size_t)(colon - w->to) >= sizeof(address))
		usage();
	memcpy(address, w->to, (size_t)(colon - w->to));
	address[colon - w->to] = '\0';
	a->request.to =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
	if (inet_pton(AF_INET, address, &a->request.to.sin_addr) != 1 ||
	    !caller_request_build(&a->request, w->ca ? "https" : "http", w->to, w->path, w->fields))
		usage();
	if (w->ca)
		a->request.tls = client_tls(w->ca, w->cert, w->key, a->resume);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		void (*run)(struct caller *a);
	} modes[] = {{"paced", run_paced}, {"closed", run_closed}, {"churn", run_churn}, {"hold", run_hold}};
	struct caller a = {.seconds = 1, .warmup = 0.3, .n_conns = 8, .random = 88172645463325252u};
	struct words w = {0};
	read_options(&a, &w, argc, argv);
	set_target(&a, &w);
	prctl(PR_SET_TIMERSLACK, 1);
	a.epoll = epoll_create1(EPOLL_CLOEXEC);
	a.conns = calloc((size_t)a.n_conns, sizeof(*a.conns));
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(modes[i].word, a.mode))
			continue;
		if (a.conns)
			modes[i].run(&a);
		print_figures(&a);
		SSL_CTX_free(a.request.tls);
		free(a.took);
		free(a.conns);
		return 0;
	}
	usage();
}
