/* tele_http.c - /metrics, /ready and /healthz over libevent's HTTP server, on a socket of the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/http.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

/* Whoever connects here may be slow, and may send rubbish: neither costs more than this. */
#define TIMEOUT_S 10
#define MAX_HEAD 8192
#define MAX_BODY 1024

static void answer(struct evhttp_request *r, int status, const char *type, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", type);
	evhttp_send_reply(r, status, NULL, body);
}

static void answer_text(struct evhttp_request *r, int status, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body)
		evbuffer_add_printf(body, "%s\n", text);
	answer(r, status, "text/plain; charset=utf-8", body);
	if (body)
		evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *r, void *arg)
{
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		answer_text(r, HTTP_SERVUNAVAIL, "no memory");
		return;
	}
	ss_tele_prom(arg, body);
	answer(r, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body);
	evbuffer_free(body);
}

static void on_ready(struct evhttp_request *r, void *arg)
{
	const struct ss_tele *t = arg;
	bool ready = !t->conf.ask.ready || t->conf.ask.ready(t->conf.ask.arg);

	answer_text(r, ready ? HTTP_OK : HTTP_SERVUNAVAIL, ready ? "ready" : "not ready");
}

static void on_healthz(struct evhttp_request *r, void *arg)
{
	answer_text(r, HTTP_OK, "ok");
}

static void on_other(struct evhttp_request *r, void *arg)
{
	answer_text(r, HTTP_NOTFOUND, "there are /metrics, /ready and /healthz");
}

/*
 * A socket of our own: evhttp_bind_socket resolves even a numeric address with AI_ADDRCONFIG, which
 * refuses 127.0.0.1 where no interface that is left to the kernel has an IPv4 address.
 */
static int listen_on(const char *address, uint16_t port)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;
	int on = 1;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		sa.ss_family = AF_INET;
		v4->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		sa.ss_family = AF_INET6;
		v6->sin6_port = htons(port);
	} else {
		errno = EINVAL;
		return -1;
	}
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	socklen_t n = sa.ss_family == AF_INET ? sizeof(*v4) : sizeof(*v6);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (struct sockaddr *)&sa, n) == 0 && listen(fd, 64) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int ss_tele_http_start(struct ss_tele *t, char *err, size_t err_n)
{
	struct evhttp *h = t->http = evhttp_new(ss_loop_base(t->conf.loop));

	if (!h)
		return SS_ERR_NO_MEM;
	evhttp_set_allowed_methods(h, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(h, TIMEOUT_S);
	evhttp_set_max_headers_size(h, MAX_HEAD);
	evhttp_set_max_body_size(h, MAX_BODY);
	evhttp_set_cb(h, "/metrics", on_metrics, t);
	evhttp_set_cb(h, "/ready", on_ready, t);
	evhttp_set_cb(h, "/healthz", on_healthz, t);
	evhttp_set_gencb(h, on_other, t);
	int fd = listen_on(t->conf.metrics_address, t->conf.metrics_port);
	if (fd >= 0 && evhttp_accept_socket(h, fd) == 0)
		return 0;
	if (fd >= 0)
		close(fd);
	snprintf(err, err_n, "metrics: cannot listen on %s:%u: %s", t->conf.metrics_address, t->conf.metrics_port,
		 strerror(errno));
	return SS_ERR_CONFIG;
}

void ss_tele_http_stop(struct ss_tele *t)
{
	if (t->http)
		evhttp_free(t->http);
	t->http = NULL;
}
