/*
 * pace.c - see pace.h.
 *
 * Where a configuration is read and built, most of the time is spent in libraries: they cannot be asked to
 * pause. A signal can interrupt them anywhere, and sched_yield in its handler is a system call that touches
 * nothing of theirs. The handler restarts what it interrupts (SA_RESTART).
 */
#include "loop/pace.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void yield(int signo)
{
	sched_yield();
}

void ss_pace_begin(struct ss_pace *p, bool shared)
{
	struct sigaction act = { .sa_handler = yield, .sa_flags = SA_RESTART };
	struct sigevent event;
	struct itimerspec every = { { 0, SS_PACE_NS }, { 0, SS_PACE_NS } };

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGRTMIN;
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	p->on = shared && sigaction(SIGRTMIN, &act, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &event, &p->timer) == 0;
	if (p->on && timer_settime(p->timer, 0, &every, NULL) < 0)
		ss_pace_end(p);
}

/* A signal that is on its way still finds its handler: that stays. */
void ss_pace_end(struct ss_pace *p)
{
	if (p->on)
		timer_delete(p->timer);
	p->on = false;
}
