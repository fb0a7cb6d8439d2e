/*
 * worker_sleep.c - adaptive polling: spin while there is work, then sleep until a descriptor or the
 * next timer. Offline to the configuration's readers meanwhile, so that a reload need not wait for us.
 */
#include <poll.h>
#include <rte_rcu_qsbr.h>
#include <time.h>
#include <unistd.h>

#include "crew/crew.h"
#include "worker/worker_int.h"

/* News that a call down made is taken up one turn later: nobody sleeps on his own last words. */
#define QUIET_TURNS 4
/* A queue without a descriptor is looked at this often. */
#define NAP_NS SS_NS_PER_MS

bool ss_worker_idle(const struct ss_worker *w)
{
	return w->conf.busy_poll == SS_POLL_ADAPTIVE && w->quiet >= QUIET_TURNS &&
	       w->now - w->worked_at >= w->conf.idle_sleep_ns && !w->stopped;
}

/* When the first of all rooms wants a turn. */
static uint64_t next_deadline(const struct ss_worker *w)
{
	uint64_t next = ss_net_next(w->net);

	next = ss_min_u64(next, ss_tcp_next(w->tcp));
	next = ss_min_u64(next, ss_tls_next(w->tls));
	next = ss_min_u64(next, ss_http_next(w->http));
	next = ss_min_u64(next, ss_up_next(w->up));
	next = ss_min_u64(next, ss_health_next(w->health));
	next = ss_min_u64(next, ss_proxy_next(w->proxy));
	if ((w->draining && !w->drained) || w->told != w->generation)
		next = ss_min_u64(next, w->now + 10 * SS_NS_PER_MS);
	if (w->stopping)
		next = ss_min_u64(next, w->now + NAP_NS);
	return next;
}

/* Fills in what can wake us; *nap turns true when a queue has to be looked at by time. */
static nfds_t descriptors(const struct ss_worker *w, struct pollfd *p, bool *nap)
{
	nfds_t n = 0;

	p[n++] = (struct pollfd){ .fd = ss_mailbox_fd(w->conf.mail), .events = POLLIN };
	for (uint16_t i = 0; i < w->n_ifs; i++) {
		int fd = ss_port_fd(w->port[i].q);
		if (!w->port[i].has_queue)
			continue;
		if (fd >= 0)
			p[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		else
			*nap = true;
	}
	return n;
}

/* A descriptor in error would wake us for ever: its port clears the error or gives the descriptor up. */
static void tell_errors(struct ss_worker *w, const struct pollfd *p, nfds_t n)
{
	for (nfds_t k = 1; k < n; k++)
		for (uint16_t i = 0; p[k].revents & (POLLERR | POLLHUP | POLLNVAL) && i < w->n_ifs; i++)
			if (ss_port_fd(w->port[i].q) == p[k].fd)
				ss_port_fd_error(w->port[i].q);
}

static void wait(struct ss_worker *w, uint64_t until)
{
	struct pollfd p[SS_MAX_PORTS + 1];
	struct timespec ts, *limit = NULL;
	uint64_t count;
	bool nap = false;
	nfds_t n = descriptors(w, p, &nap);

	if (nap)
		until = ss_min_u64(until, w->now + NAP_NS);
	if (until != SS_NEVER) {
		uint64_t now = ss_clock_ns(w->clock), ns = until > now ? until - now : 0;
		ts = (struct timespec){ .tv_sec = (time_t)(ns / SS_NS_PER_SEC),
					.tv_nsec = (long)(ns % SS_NS_PER_SEC) };
		limit = &ts;
	}
	if (ppoll(p, n, limit, NULL) > 0)
		tell_errors(w, p, n);
	if (p[0].revents && read(p[0].fd, &count, sizeof(count)) == sizeof(count))
		w->mail_in = 0;
}

void ss_worker_sleep(struct ss_worker *w)
{
	uint64_t until = next_deadline(w);

	if (until <= w->now)
		return;
	w->quiet = 0;
	if (ss_worker_set_asleep(w) && ss_crew_asleep(w->conf.crew, w->index)) {
		ss_worker_gauges(w);
		ss_count(w->counters, SS_C_SLEEPS, 1);
		rte_rcu_qsbr_thread_offline(w->box->qsv, w->index);
		wait(w, until);
		rte_rcu_qsbr_thread_online(w->box->qsv, w->index);
	}
	ss_worker_set_awake(w);
	ss_crew_awake(w->conf.crew, w->index);
}
