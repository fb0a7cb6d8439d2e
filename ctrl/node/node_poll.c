#include <time.h>

#include "node/node_int.h"

void ss_node_log_errors(const char *msg, struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		ss_log(SS_LOG_ERROR, msg, "reason", e->text[i], NULL);
	ss_model_errors_free(e);
}

bool ss_node_drain(void *arg)
{
	struct ss_node *n = arg;
	uint64_t limit = ss_apply_model(n->apply)->process.drain_timeout_ns;

	if (n->draining)
		return false;
	n->draining = true;
	n->drain_deadline = limit ? ss_clock_ns(&n->clock) + limit : SS_NEVER;
	ss_log(SS_LOG_INFO, "draining", "seconds", ss_log_u64(limit / SS_NS_PER_SEC), NULL);
	ss_fleet_drain(n->fleet, limit ? n->drain_deadline : 0);
	return true;
}

/* The first request ends politely; the second does not wait. */
void ss_node_on_end(void *arg)
{
	struct ss_node *n = arg;

	if (!ss_node_drain(n))
		ss_loop_stop(n->loop);
}

void ss_node_on_reload(void *arg)
{
	struct ss_node *n = arg;
	struct ss_model_errors errors = { 0 };
	uint64_t generation = 0;

	ss_tele_reopen(n->tele);
	ss_apply_reload(n->apply, "signal", &generation, &errors); /* logs how it went */
	ss_model_errors_free(&errors);
}

static void read_answer(struct ss_node *n, uint32_t worker, const struct ss_mail *mail)
{
	switch (mail->kind) {
	case SS_MAIL_ADOPTED:
		ss_publish_adopted(n->publish, worker, mail->a);
		break;
	case SS_MAIL_DRAINED:
		n->drained++;
		break;
	case SS_MAIL_LISTEN_FAILED:
		ss_log(SS_LOG_ERROR, "cannot listen", "listener", ss_names_text(n->names, (uint32_t)mail->a),
		       "worker", ss_log_u64(worker), NULL);
		break;
	}
}

/* A new generation may have other listeners. Only this thread publishes, so the pointer stays good. */
static void steer(struct ss_node *n)
{
	const struct ss_snapshot *snap = n->box.current;

	if (snap && snap->generation != n->steered) {
		ss_fleet_steer(n->fleet, snap);
		n->steered = snap->generation;
	}
}

/* Workers know a clock that is never set; the time of day may be, at any moment. */
void ss_node_tell_time(struct ss_node *n)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	int64_t wall = (int64_t)t.tv_sec * (int64_t)SS_NS_PER_SEC + t.tv_nsec;
	atomic_store_explicit(&n->wall.offset_ns, wall - (int64_t)ss_clock_ns(&n->clock), memory_order_relaxed);
}

void ss_node_on_poll(void *arg)
{
	struct ss_node *n = arg;
	uint32_t workers = ss_fleet_workers(n->fleet);
	struct ss_mail mail;

	/* Generations that were past at the last look: who waits for a new one is answered before the old one is
	 * freed. */
	ss_publish_poll(n->publish);
	for (uint32_t i = 0; i < workers; i++) {
		while (ss_mailbox_take_answer(ss_fleet_mail(n->fleet)[i], &mail))
			read_answer(n, i, &mail);
	}
	ss_node_tell_time(n);
	ss_tele_poll(n->tele);
	ss_node_watch_engine(n);
	ss_node_watch_outliers(n);
	ss_node_watch_canaries(n);
	ss_node_watch_model(n);
	steer(n);
	ss_admin_poll(n->admin);
	if (n->draining && (n->drained >= workers || ss_clock_ns(&n->clock) >= n->drain_deadline))
		ss_loop_stop(n->loop);
}
