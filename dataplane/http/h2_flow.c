/*
 * h2_flow.c - flow control (RFC 9113 5.2, 6.9): what may be sent, what may come, what is given back.
 */
#include "http/http_int.h"

/* The peer never stalls while we hold less than half: at that point the window is given back. */
static uint32_t half(uint32_t window)
{
	return ss_max_u32(window / 2, 1);
}

void ss_h2_credit(struct ss_http_conn *c, uint32_t n)
{
	c->h2->credit += n;
	if (c->h2->credit >= half(c->limits->conn_window))
		ss_http_dirty(c);
}

void ss_h2_consumed(struct ss_http_stream *s, uint32_t n)
{
	ss_h2_credit(s->conn, n);
	if (s->over || s->rx_end)
		return; /* nothing more can come on it */
	s->h2.credit += n;
	if (s->h2.credit < half(s->conn->h2->our_window))
		return;
	ss_list_push_once(&s->conn->h2->windows, &s->h2.window);
	ss_http_dirty(s->conn);
}

bool ss_h2_flow_in(struct ss_http_conn *c, struct ss_http_stream *s, uint32_t n)
{
	struct ss_h2_conn *k = c->h2;

	if (n > k->recv_window) {
		ss_h2_conn_error(c, SS_H2_FLOW_CONTROL_ERROR, SS_DROP_H2_FLOW);
		return false;
	}
	k->recv_window -= n;
	if (!s)
		return true;
	if (n > s->h2.recv_window) {
		ss_h2_stream_error(c, s->h2.id, s, SS_H2_FLOW_CONTROL_ERROR, SS_DROP_H2_FLOW);
		return c->state == SS_HTTP_OPEN;
	}
	s->h2.recv_window -= n;
	return true;
}

static void put_window(struct ss_http_conn *c, uint32_t id, uint32_t n)
{
	uint8_t frame[SS_H2_HEAD + 4];
	struct ss_out o = ss_out(frame, sizeof(frame));

	ss_h2frame_put_window(&o, id, n);
	ss_h2_put(c, &o, frame);
}

void ss_h2_flow_out(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_list *n;

	if (k->credit >= half(c->limits->conn_window)) {
		k->recv_window += k->credit;
		put_window(c, 0, k->credit);
		k->credit = 0;
	}
	while (c->state == SS_HTTP_OPEN && (n = ss_list_pop(&k->windows))) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, h2.window);
		s->h2.recv_window += s->h2.credit;
		put_window(c, s->h2.id, s->h2.credit);
		s->h2.credit = 0;
	}
}

static void window_of_stream(struct ss_http_conn *c, uint32_t increment)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_http_stream *s = ss_h2_find(c, k->f.stream);

	if (!s) {
		/* Idle: PROTOCOL_ERROR; closed: may still be on its way (5.1). */
		if (ss_h2_id(c, k->f.stream) == SS_H2_ID_IDLE)
			ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
		return;
	}
	if (s->h2.send_window + increment > SS_H2_MAX_WINDOW) {
		ss_h2_stream_error(c, s->h2.id, s, SS_H2_FLOW_CONTROL_ERROR, SS_DROP_H2_FLOW);
		return;
	}
	s->h2.send_window += increment;
	ss_h2_ready(s);
}

void ss_h2_on_window(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t increment;
	int rc;

	if (!ss_h2_guard(c, SS_H2_B_WINDOW))
		return;
	rc = ss_h2frame_window(&k->f, p, &increment);
	if (rc < 0 && k->f.stream && ss_h2_id(c, k->f.stream) != SS_H2_ID_IDLE) {
		struct ss_http_stream *s = ss_h2_find(c, k->f.stream);
		if (s)
			ss_h2_stream_error(c, k->f.stream, s, k->f.code, SS_DROP_H2_STREAM);
	} else if (rc < 0) {
		ss_h2_conn_error(c, k->f.code, SS_DROP_H2_PROTOCOL);
	} else if (k->f.stream) {
		window_of_stream(c, increment);
	} else if (k->send_window + increment > SS_H2_MAX_WINDOW) {
		ss_h2_conn_error(c, SS_H2_FLOW_CONTROL_ERROR, SS_DROP_H2_FLOW);
	} else {
		k->send_window += increment;
		ss_http_dirty(c);
	}
}

bool ss_h2_peer_window(struct ss_http_conn *c, uint32_t size)
{
	struct ss_h2_conn *k = c->h2;
	int64_t delta = (int64_t)size - k->peer_window;
	struct ss_list *n;

	k->peer_window = size;
	ss_list_for(n, &c->streams) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, all);
		if (s->over)
			continue;
		s->h2.send_window += delta;
		if (s->h2.send_window > SS_H2_MAX_WINDOW)
			return false;
		ss_h2_ready(s);
	}
	return true;
}

void ss_h2_our_window(struct ss_http_conn *c, uint32_t size)
{
	struct ss_h2_conn *k = c->h2;
	int64_t delta = (int64_t)size - k->our_window;
	struct ss_list *n;

	k->our_window = size;
	ss_list_for(n, &c->streams) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, all);
		if (s->over)
			continue;
		s->h2.recv_window += delta;
		if (s->h2.credit >= half(size) && !s->rx_end)
			ss_list_push_once(&k->windows, &s->h2.window);
	}
}
