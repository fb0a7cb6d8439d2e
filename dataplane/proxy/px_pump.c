/* px_pump.c - bodies move by ownership from one stream to the other, as far as the receiver has room. */
#include "base/err.h"
#include "proxy/px_int.h"

static void try_later(struct px_exchange *x)
{
	ss_list_push_once(&x->p->again, &x->again);
}

bool px_request_empty(const struct px_exchange *x)
{
	return !x->resend && ss_http_ended(x->down) && !ss_http_body(x->down)->len &&
	       !ss_http_trailers(x->down);
}

/* Bytes that left for the upstream: a copy stays while another attempt may want them. */
static int keep(struct px_exchange *x, const struct ss_bufq *q)
{
	if (!x->keep)
		return 0;
	if (x->kept.len + q->len > x->keep_max) {
		x->keep = false;
		ss_bufq_free(&x->kept);
		return 0;
	}
	return ss_bufq_copy(&x->kept, q, 0, q->len, x->p->conf.bufs);
}

/* Up to room bytes of the request: first what an earlier attempt had sent, then what has come since. */
static int next_bytes(struct px_exchange *x, uint32_t room, struct ss_bufq *q)
{
	struct ss_bufq *body = ss_http_body(x->down);
	uint32_t n;

	if (x->resend) {
		n = ss_min_u32(x->resend, room);
		if (ss_bufq_copy(q, &x->kept, x->kept.len - x->resend, n, x->p->conf.bufs) < 0)
			return SS_ERR_NO_MEM;
		x->resend -= n;
		return 0;
	}
	n = ss_min_u32(body->len, room);
	if (!n)
		return 0;
	if (ss_bufq_take(q, body, n, x->p->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	if (x->mirrors)
		px_mirror_body(x, q);
	if (keep(x, q) < 0) {
		/* Without a copy there is no other attempt; the request itself goes on. */
		x->keep = false;
		ss_bufq_free(&x->kept);
	}
	ss_http_consumed(x->down, n);
	return 0;
}

void px_request_sent(struct px_exchange *x, uint64_t now)
{
	x->request_ended = true;
	if (x->mirrors)
		px_mirror_end(x);
	if (x->head_sent)
		return;
	/* The route's timeout runs from the first time that an endpoint had all of it, over all attempts. */
	if (!x->timed)
		x->deadline = px_deadline(x, now);
	x->timed = true;
	if (x->try_ns)
		x->try_ends = now + x->try_ns;
}

void px_pump_up(struct px_exchange *x, uint64_t now)
{
	while (x->state == PX_RUNNING && x->up && !x->request_ended) {
		uint32_t room = ss_http_room(x->up);
		const struct ss_hdrs *trailers = NULL;
		struct ss_bufq q;
		struct ss_hdrs t;
		bool end;

		ss_bufq_init(&q);
		if (next_bytes(x, room, &q) < 0) {
			try_later(x);
			return;
		}
		end = !x->resend && ss_http_ended(x->down) && !ss_http_body(x->down)->len;
		if (end)
			trailers = ss_http_trailers(x->down);
		if (!q.len && !end)
			return;
		x->last = now;
		if (trailers && px_trailers(x, trailers, &t) < 0)
			trailers = NULL;
		if (q.len || !trailers)
			ss_http_send_body(x->up, &q, end && !trailers);
		if (end && trailers)
			ss_http_send_trailers(x->up, &t);
		if (end)
			px_request_sent(x, now);
	}
}

void px_pump_down(struct px_exchange *x, uint64_t now)
{
	struct ss_bufq *body, q;
	const struct ss_hdrs *trailers = NULL;
	struct ss_hdrs t;
	uint32_t n;
	bool end;

	if (x->state != PX_RUNNING || !x->up || !x->head_sent || x->response_ended)
		return;
	body = ss_http_body(x->up);
	n = ss_min_u32(body->len, ss_http_room(x->down));
	ss_bufq_init(&q);
	if (n && ss_bufq_take(&q, body, n, x->p->conf.bufs) < 0) {
		try_later(x);
		return;
	}
	if (n)
		ss_http_consumed(x->up, n);
	end = ss_http_ended(x->up) && !body->len;
	if (!n && !end)
		return;
	x->last = now;
	if (end)
		trailers = ss_http_trailers(x->up);
	if (trailers)
		px_hear_grpc(x, trailers);
	if (trailers && px_trailers(x, trailers, &t) < 0)
		trailers = NULL;
	if (n || !trailers)
		ss_http_send_body(x->down, &q, end && !trailers);
	if (end && trailers)
		ss_http_send_trailers(x->down, &t);
	x->response_ended = end;
}
