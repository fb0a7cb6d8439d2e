/*
 * h2_stream.c - stream identifiers and states (RFC 9113 5.1), and how streams end.
 */
#include "http/http_int.h"

#include "wire/h2msg.h"

/*
 * Streams are found by connection and id in one table of the room's: a head per connection and id would be the larger
 * part of a connection that has none. A connection's ids are dense, so they lie side by side, from a place of its own
 * on, which nobody outside can know: clients choose ids, and shall not choose whose chains they lengthen.
 */
static struct ss_http_stream **chain(const struct ss_http_conn *c, uint32_t id)
{
	return &c->http->by_id[(c->h2->place + (id >> 1)) & c->http->by_id_mask];
}

struct ss_http_stream *ss_h2_find(const struct ss_http_conn *c, uint32_t id)
{
	struct ss_http_stream *s = *chain(c, id);

	while (s && (s->h2.id != id || s->conn != c))
		s = s->h2.next_by_id;
	return s;
}

void ss_h2_stream_open(struct ss_http_stream *s, uint32_t id)
{
	struct ss_h2_conn *k = s->conn->h2;

	s->h2.id = id;
	s->h2.length_left = SS_H2MSG_NO_LENGTH;
	s->h2.send_window = k->peer_window;
	s->h2.recv_window = k->our_window;
	ss_list_init(&s->h2.ready);
	ss_list_init(&s->h2.window);
	ss_list_init(&s->h2.late);
	struct ss_http_stream **first = chain(s->conn, id);
	s->h2.next_by_id = *first;
	*first = s;
}

static void remember(uint32_t *ids, uint32_t *n, uint32_t id)
{
	ids[(*n)++ % SS_H2_REMEMBER] = id;
}

static bool remembered(const uint32_t *ids, uint32_t id)
{
	for (uint32_t i = 0; i < SS_H2_REMEMBER; i++)
		if (ids[i] == id)
			return true;
	return false;
}

enum ss_h2_id ss_h2_id(const struct ss_http_conn *c, uint32_t id)
{
	const struct ss_h2_conn *k = c->h2;

	/* Odd ones are the client's (5.1.1). Even ones would be pushes, which never are. */
	if (id % 2 == 0 || (c->upstream ? id >= k->next_id : id > k->last_peer))
		return SS_H2_ID_IDLE;
	/* "After sending a GOAWAY frame, the sender can discard frames" above its last id (6.8). */
	if (remembered(k->reset_ids, id) || (!c->upstream && k->draining == 2 && id > k->goaway_last))
		return SS_H2_ID_RESET;
	if (remembered(k->done_ids, id))
		return SS_H2_ID_DONE;
	if (remembered(k->gone_ids, id))
		return SS_H2_ID_GONE;
	return SS_H2_ID_FORGOTTEN;
}

/* Off every list of the connection's; a request that could not be started is on none. */
static void forget(struct ss_http_stream *s)
{
	struct ss_h2_conn *k = s->conn->h2;
	struct ss_http_stream **at = chain(s->conn, s->h2.id);

	while (*at && *at != s)
		at = &(*at)->h2.next_by_id;
	if (*at)
		*at = s->h2.next_by_id;
	ss_list_remove(&s->h2.ready);
	ss_list_remove(&s->h2.window);
	ss_list_remove(&s->h2.late);
	if (k->data_stream == s)
		k->data_stream = NULL;
	if (s->rx_end)
		remember(k->done_ids, &k->n_done, s->h2.id);
}

void ss_h2_stream_over(struct ss_http_stream *s)
{
	if (s->h2.id)
		forget(s);
	ss_h2_slots(s->conn);
	ss_http_conn_quiet(s->conn);
}

void ss_h2_rx_end(struct ss_http_stream *s)
{
	/* "the value of the Content-Length header field does not equal the sum of the DATA frame payload
	 * lengths": malformed (8.1.1) */
	if (s->h2.length_left != SS_H2MSG_NO_LENGTH && s->h2.length_left) {
		ss_h2_stream_error(s->conn, s->h2.id, s, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_STREAM);
		return;
	}
	s->rx_end = true;
	ss_http_news(s, SS_HTTP_EV_END);
	if (s->tx_sent)
		ss_http_stream_over(s);
}

static void send_rst(struct ss_http_conn *c, uint32_t id, uint32_t code)
{
	uint8_t frame[SS_H2_HEAD + 4];
	struct ss_out o = ss_out(frame, sizeof(frame));

	ss_h2frame_put_rst(&o, id, code);
	remember(c->h2->reset_ids, &c->h2->n_reset, id);
	ss_h2_put(c, &o, frame);
}

void ss_h2_stream_error(struct ss_http_conn *c, uint32_t id, struct ss_http_stream *s, enum ss_h2_code code,
			enum ss_drop why)
{
	ss_count_drop(c->http->conf.counters, why);
	send_rst(c, id, code);
	/* A peer that makes us reset its streams is as costly as one that resets them itself. */
	if (c->state != SS_HTTP_OPEN || !ss_h2_guard(c, SS_H2_B_RESET))
		return;
	if (s)
		ss_http_stream_fail(s, c->upstream ? SS_DROP_UPSTREAM_PROTOCOL : why, false);
}

void ss_h2_reset(struct ss_http_stream *s, uint32_t code)
{
	struct ss_http_conn *c = s->conn;

	if (c->state != SS_HTTP_OPEN)
		return;
	send_rst(c, s->h2.id, code);
	ss_http_stream_over(s);
}

/*
 * "A server MAY request that the client abort transmission of a request without error by sending a
 * RST_STREAM with an error code of NO_ERROR after sending a complete response" (8.1). With every announced
 * byte here there is nothing to abort, and clients that send END_STREAM in a frame of its own (curl) would
 * take the reset, which overtakes it, for a failure.
 */
void ss_h2_answered(struct ss_http_stream *s)
{
	struct ss_http_conn *c = s->conn;

	if (s->h2.length_left) {
		ss_h2_reset(s, SS_H2_NO_ERROR);
		return;
	}
	s->h2.late_at = c->http->now;
	if (ss_list_empty(&c->h2->late))
		ss_http_arm(c, SS_HTTP_T_LATE_END, SS_H2_LATE_END_NS);
	ss_list_push_once(&c->h2->late, &s->h2.late);
}

void ss_h2_late_end(struct ss_http_conn *c)
{
	struct ss_list *late = &c->h2->late;

	while (c->state == SS_HTTP_OPEN && !ss_list_empty(late)) {
		struct ss_http_stream *s = ss_list_entry(late->next, struct ss_http_stream, h2.late);
		if (s->h2.late_at + SS_H2_LATE_END_NS > c->http->now) {
			ss_http_arm(c, SS_HTTP_T_LATE_END, s->h2.late_at + SS_H2_LATE_END_NS - c->http->now);
			return;
		}
		ss_h2_reset(s, SS_H2_NO_ERROR);
	}
}

void ss_h2_on_rst(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t code = ss_h2frame_rst(p);
	struct ss_http_stream *s = ss_h2_find(c, k->f.stream);

	if (!s) {
		/* "RST_STREAM frames MUST NOT be sent for a stream in the idle state" (6.4) */
		if (ss_h2_id(c, k->f.stream) == SS_H2_ID_IDLE)
			ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
		else
			ss_h2_guard(c, SS_H2_B_CONTROL);
		return;
	}
	remember(k->gone_ids, &k->n_gone, k->f.stream);
	if (!c->upstream && !ss_h2_guard(c, SS_H2_B_RESET))
		return;
	/* A server that has answered completely may so ask us to stop sending (8.1). */
	if (c->upstream && s->rx_end && code == SS_H2_NO_ERROR)
		ss_http_stream_over(s);
	else
		ss_http_stream_fail(s, c->upstream ? SS_DROP_UPSTREAM_STREAM_RESET : SS_DROP_DOWNSTREAM_GONE,
				    code == SS_H2_REFUSED_STREAM);
}

/* Priorities are deprecated (5.3.2); what can be wrong with one is still looked at (6.3). */
void ss_h2_on_priority(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_h2prio prio;

	if (!ss_h2_guard(c, SS_H2_B_PRIORITY))
		return;
	if (ss_h2frame_priority(&k->f, p, &prio) < 0) {
		struct ss_http_stream *s = ss_h2_find(c, k->f.stream);
		if (s)
			ss_h2_stream_error(c, k->f.stream, s, k->f.code, SS_DROP_H2_STREAM);
	}
}
