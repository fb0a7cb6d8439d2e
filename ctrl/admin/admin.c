#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "admin/admin_int.h"
#include "base/err.h"

#define MAX_CLIENTS 32
#define MAX_LINE 65536 /* a request's headers may be in it */
#define CLIENT_SECONDS 10
#define MAX_UNREAD 65536 /* of one who looks on */
#define RELOAD_WAIT_NS (30 * SS_NS_PER_SEC)

struct client {
	struct ss_list node;
	struct ss_admin *admin;
	struct bufferevent *be;
	uint64_t generation; /* waits for its acknowledgement; 0: does not wait */
	uint64_t deadline;
	char *ready; /* the answer when that has come; NULL: a reload's */
	struct ss_tele_view *view; /* NULL: it gets one answer */
	bool answered;
};

/* ---- clients ---- */

static void end_client(struct client *c)
{
	struct ss_admin *a = c->admin;
	a->n_clients--;
	a->n_waiting -= c->generation != 0;
	ss_list_remove(&c->node);
	bufferevent_free(c->be);
	free(c->ready);
	ss_tele_view_close(c->view);
	free(c);
}

/* Sends the answer; the connection ends when it is written. Takes text. */
static void answer(struct client *c, bool ok, char *text)
{
	struct evbuffer *out = bufferevent_get_output(c->be);
	c->admin->n_waiting -= c->generation != 0;
	c->generation = 0;
	c->answered = true;
	bufferevent_disable(c->be, EV_READ);
	evbuffer_add_printf(out, "%s\n%s\n", ok ? "ok" : "error",
			    text ? text : "{\"errors\":[\"out of memory\"]}");
	free(text);
}

static void refuse(struct client *c, const char *why)
{
	struct ss_json j;
	ss_json_open(&j);
	ss_json_list(&j, "errors");
	ss_json_text(&j, NULL, why);
	ss_json_end_list(&j);
	answer(c, false, ss_json_close(&j));
}

/* ---- commands that change something ---- */

static void answer_reloaded(struct client *c, uint64_t generation)
{
	if (c->ready) {
		char *text = c->ready;
		c->ready = NULL;
		answer(c, true, text);
		return;
	}
	const struct ss_model *m = ss_apply_model(c->admin->conf.apply);
	struct ss_json j;
	ss_json_open(&j);
	ss_json_text(&j, "config_hash", m->hash);
	ss_json_u64(&j, "generation", generation);
	ss_json_text(&j, "file", m->file);
	answer(c, true, ss_json_close(&j));
}

static void answer_late(struct client *c)
{
	char why[160];
	snprintf(why, sizeof(why), "published, but not every worker uses generation %llu after %u s",
		 (unsigned long long)c->generation, (unsigned)(RELOAD_WAIT_NS / SS_NS_PER_SEC));
	refuse(c, why);
}

/* Answered by ss_admin_poll. */
static void wait_for(struct client *c, uint64_t generation)
{
	c->generation = generation;
	c->deadline = ss_clock_ns(c->admin->conf.clock) + RELOAD_WAIT_NS;
	c->admin->n_waiting++;
}

/* Who asks, as the kernel knows. */
static const char *asker(const struct client *c, char by[32])
{
	struct ucred who;
	socklen_t n = sizeof(who);
	bool known = getsockopt(bufferevent_getfd(c->be), SOL_SOCKET, SO_PEERCRED, &who, &n) == 0;
	snprintf(by, 32, known ? "uid %u" : "unknown", known ? (unsigned)who.uid : 0);
	return by;
}

static void do_reload(struct client *c)
{
	struct ss_admin *a = c->admin;
	struct ss_model_errors e = { 0 };
	uint64_t generation;
	char by[32];
	if (ss_apply_reload(a->conf.apply, asker(c, by), &generation, &e) < 0) {
		struct ss_json j;
		ss_json_open(&j);
		ss_json_list(&j, "errors");
		for (uint32_t i = 0; i < e.n; i++)
			ss_json_text(&j, NULL, e.text[i]);
		ss_json_end_list(&j);
		answer(c, false, ss_json_close(&j));
	} else {
		wait_for(c, generation);
	}
	ss_model_errors_free(&e);
}

static void do_drain(struct client *c)
{
	struct ss_admin *a = c->admin;
	struct ss_json j;
	if (!a->conf.ask.drain) {
		refuse(c, "cannot drain");
		return;
	}
	if (!a->conf.ask.drain(a->conf.ask.arg)) {
		refuse(c, "is draining already");
		return;
	}
	ss_json_open(&j);
	ss_json_bool(&j, "draining", true);
	answer(c, true, ss_json_close(&j));
}

static void do_why(struct client *c, char *words)
{
	bool ok;
	char *text = ss_admin_why(c->admin, words, &ok);

	answer(c, ok, text);
}

static void do_diff(struct client *c, char *words)
{
	bool ok;
	char *text = ss_admin_diff(c->admin, words, &ok);

	answer(c, ok, text);
}

static void do_install(struct client *c, char *words)
{
	struct ss_admin_install in;
	char by[32];

	ss_admin_install(c->admin, words, asker(c, by), &in);
	if (!in.generation) {
		answer(c, in.ok, in.text);
		return;
	}
	c->ready = in.text;
	wait_for(c, in.generation);
}

static void do_canary(struct client *c, char *words)
{
	bool ok;
	char by[32], *text = ss_admin_canary(c->admin, words, asker(c, by), &ok);

	answer(c, ok, text);
}

/* ---- those who look on ---- */

static void look(struct client *c, bool top, char *words)
{
	const char *why = ss_admin_look(c->admin, top, words, &c->view);

	if (why) {
		refuse(c, why);
		return;
	}
	/* It may read as slowly as it likes: its lines are bounded, in the kernel too, and its going is seen. */
	int room = MAX_UNREAD;
	setsockopt(bufferevent_getfd(c->be), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	bufferevent_set_timeouts(c->be, NULL, NULL);
	evbuffer_add(bufferevent_get_output(c->be), "ok\n", 3);
}

static void do_top(struct client *c, char *words)
{
	look(c, true, words);
}

static void do_tap(struct client *c, char *words)
{
	look(c, false, words);
}

/* What has come since the last look; as much as stands unread already is enough. */
static void pump(struct client *c)
{
	struct evbuffer *out = bufferevent_get_output(c->be);
	struct ss_span text = ss_tele_view_text(c->view);

	if (evbuffer_get_length(out) < MAX_UNREAD && text.n) {
		evbuffer_add(out, text.p, text.n);
		ss_tele_view_taken(c->view);
		text = ss_tele_view_text(c->view);
	}
	if (!ss_tele_view_over(c->view) || text.n)
		return;
	if (evbuffer_get_length(out))
		c->answered = true; /* ends when that is written */
	else
		end_client(c);
}

/* ---- the table of words ---- */

static const struct {
	const char *word;
	void (*show)(struct ss_admin *a, struct ss_json *j); /* answers at once */
	void (*act)(struct client *c);
	void (*ask)(struct client *c, char *words); /* has words of its own; NULL: none were said */
} commands[] = {
	{ "status", ss_admin_show_status, NULL },     { "stats", ss_admin_show_stats, NULL },
	{ "limits", ss_admin_show_limits, NULL },     { "secrets", ss_admin_show_secrets, NULL },
	{ "endpoints", ss_admin_show_clusters, NULL },
	{ "clusters", ss_admin_show_clusters, NULL }, { "config", ss_admin_show_config, NULL },
	{ "flows", ss_admin_show_flows, NULL },	      { "stages", ss_admin_show_stages, NULL },
	{ "pairs", ss_admin_show_pairs, NULL },	      { "reload", NULL, do_reload },
	{ "drain", NULL, do_drain },		      { "history", ss_admin_show_history, NULL },
	{ "top", NULL, NULL, do_top },		      { "tap", NULL, NULL, do_tap },
	{ "apply", NULL, NULL, do_install },	      { "rollback", NULL, NULL, do_install },
	{ "why", NULL, NULL, do_why },		      { "diff", NULL, NULL, do_diff },
	{ "canary", NULL, NULL, do_canary },
};

static void run_command(struct client *c, char *line)
{
	char *words = strchr(line, SS_WHY_SEP);

	if (words)
		*words++ = '\0';
	for (size_t i = 0; i < SS_ARRAY_LEN(commands); i++) {
		if (strcmp(line, commands[i].word) != 0 || (words && !commands[i].ask))
			continue;
		if (commands[i].ask) {
			commands[i].ask(c, words);
			return;
		}
		if (commands[i].act) {
			commands[i].act(c);
			return;
		}
		struct ss_json j;
		ss_json_open(&j);
		commands[i].show(c->admin, &j);
		answer(c, true, ss_json_close(&j));
		return;
	}
	refuse(c, "unknown command; known are status, stats, stages, clusters, endpoints, limits, secrets, config, flows, pairs, reload, "
		  "drain, why, diff, apply, rollback, history, top, tap, canary");
}

static void on_read(struct bufferevent *be, void *arg)
{
	struct client *c = arg;
	size_t n;
	if (c->view)
		evbuffer_drain(bufferevent_get_input(be), MAX_LINE); /* room for the end to be seen */
	if (c->answered || c->generation || c->view)
		return;
	char *line = evbuffer_readln(bufferevent_get_input(be), &n, EVBUFFER_EOL_CRLF);
	if (line)
		run_command(c, line);
	else if (evbuffer_get_length(bufferevent_get_input(be)) >= MAX_LINE)
		refuse(c, "command line too long");
	free(line);
}

/* The output is empty: an answered client is done. */
static void on_written(struct bufferevent *be, void *arg)
{
	struct client *c = arg;
	if (c->answered)
		end_client(c);
}

/* A client may close its writing side after the command; a broken or silent one is ended. */
static void on_event(struct bufferevent *be, short what, void *arg)
{
	struct client *c = arg;
	bool half_closed = (what & BEV_EVENT_EOF) && (c->answered || c->generation);
	bool waits = (what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_READING) && c->generation;
	if (waits)
		bufferevent_enable(be, EV_READ);
	else if (!half_closed)
		end_client(c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int n, void *arg)
{
	static const struct timeval limit = { CLIENT_SECONDS, 0 };
	struct ss_admin *a = arg;
	struct client *c = a->n_clients < MAX_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (!c || !(c->be = bufferevent_socket_new(a->conf.base, fd, BEV_OPT_CLOSE_ON_FREE))) {
		free(c);
		close(fd);
		return;
	}
	c->admin = a;
	ss_list_push_back(&a->clients, &c->node);
	a->n_clients++;
	bufferevent_setcb(c->be, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->be, EV_READ, 0, MAX_LINE);
	bufferevent_set_timeouts(c->be, &limit, &limit);
	bufferevent_enable(c->be, EV_READ | EV_WRITE);
}

bool ss_admin_poll(struct ss_admin *a)
{
	struct ss_list *pos, *tmp;
	uint64_t now = ss_clock_ns(a->conf.clock);
	ss_admin_sample(a, now);
	ss_list_for_safe(pos, tmp, &a->clients)
	{
		struct client *c = ss_list_entry(pos, struct client, node);
		if (c->view && !c->answered)
			pump(c);
		else if (c->generation && ss_publish_acknowledged(a->conf.publish, c->generation))
			answer_reloaded(c, c->generation);
		else if (c->generation && now >= c->deadline)
			answer_late(c);
	}
	return a->n_waiting > 0;
}

/* ---- the socket ---- */

/* Does somebody answer there? Then it is not ours to replace. */
static bool is_live(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool live = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0;
	if (fd >= 0)
		close(fd);
	return live;
}

int ss_admin_claim(const char *path, char *err, size_t err_n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(err, err_n, "%s: longer than a socket's path may be (%zu)", path,
			 sizeof(sa.sun_path) - 1);
		return SS_ERR_CONFIG;
	}
	memcpy(sa.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode) || is_live(&sa)) {
			snprintf(err, err_n, "%s: %s", path,
				 S_ISSOCK(st.st_mode) ? "another process answers there"
						      : "exists and is no socket");
			return SS_ERR_CONFIG;
		}
		unlink(path);
	}
	/* Mode 0600 from its first moment, not from a chmod later. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before = umask(0177);
	bool ok =
		fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, MAX_CLIENTS) == 0;
	int why = errno;
	umask(before);
	if (ok)
		return fd;
	snprintf(err, err_n, "%s: %s", path, strerror(why));
	if (fd >= 0)
		close(fd);
	return SS_ERR_CONFIG;
}

void ss_admin_abandon(const char *path, int fd)
{
	close(fd);
	unlink(path);
}

int ss_admin_create(struct ss_admin **out, const struct ss_admin_conf *conf)
{
	struct ss_admin *a = calloc(1, sizeof(*a));
	*out = NULL;
	if (!a || !(a->socket = strdup(conf->socket)))
		goto fail;
	a->conf = *conf;
	a->started_ns = ss_clock_ns(conf->clock);
	ss_list_init(&a->clients);
	if (ss_why_create(&a->why, &(struct ss_why_conf){ .names = conf->names, .endpoints = conf->endpoints,
							  .clock = conf->clock, .n_workers = conf->n_workers }) < 0)
		goto fail;
	a->listener = evconnlistener_new(conf->base, on_accept, a,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, conf->fd);
	if (!a->listener)
		goto fail;
	ss_admin_sample(a, a->started_ns);
	*out = a;
	return 0;
fail:
	if (a) {
		ss_why_free(a->why);
		free(a->socket);
	}
	free(a);
	return SS_ERR_NO_MEM;
}

void ss_admin_free(struct ss_admin *a)
{
	if (!a)
		return;
	while (!ss_list_empty(&a->clients))
		end_client(ss_list_entry(a->clients.next, struct client, node));
	evconnlistener_free(a->listener);
	ss_why_free(a->why);
	unlink(a->socket);
	free(a->socket);
	free(a);
}
