/*
 * worker_drain.c - how a worker ends: politely (drain), then for good (stop).
 */
#include "worker/worker_int.h"

/* After a stop, connections get this long to wind down before the loop is left regardless. */
#define STOP_NS (500 * SS_NS_PER_MS)

static void close_listeners(struct ss_worker *w)
{
	while (w->n_listeners)
		ss_tcp_unlisten(w->tcp, &w->listener[--w->n_listeners].addr);
}

void ss_worker_drain(struct ss_worker *w, uint64_t deadline, uint64_t now)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain_deadline = deadline ? deadline : SS_NEVER;
	close_listeners(w);
	ss_http_drain(w->http, now);
}

/*
 * Every connection fails from below; the rooms above give up their streams and exchanges as they do
 * for any lost connection. So what is left afterwards is a leak, and holdings show it.
 */
void ss_worker_stop(struct ss_worker *w, uint64_t now)
{
	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_deadline = now + STOP_NS;
	close_listeners(w);
	ss_health_stop(w->health);
	ss_up_drain(w->up, now);
	ss_tcp_fail_all(w->tcp, now, &w->tcp_news);
}

static bool all_gone(const struct ss_worker *w)
{
	return ss_proxy_exchanges(w->proxy) == 0 && ss_http_streams(w->http) == 0 &&
	       ss_http_conns(w->http) == 0 && ss_tls_conns(w->tls) == 0;
}

void ss_worker_wind_down(struct ss_worker *w, uint64_t now)
{
	/* Endpoints' connections are kept until the last exchange is over: it may still need one. */
	if (w->draining && ss_proxy_exchanges(w->proxy) == 0) {
		ss_up_drain(w->up, now);
		ss_health_stop(w->health);
	}
	if (w->draining && !w->drained && (all_gone(w) || now >= w->drain_deadline))
		w->drained = ss_worker_answer(w, SS_MAIL_DRAINED, 0);
	if (w->stopping)
		ss_tcp_fail_all(w->tcp, now, &w->tcp_news); /* retries may have opened new ones */
	if (w->stopping && ((all_gone(w) && ss_tcp_conns(w->tcp) == 0) || now >= w->stop_deadline))
		w->stopped = true;
}
