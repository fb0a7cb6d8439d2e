/*
 * h2_send.c - heads into frames at once, bodies into frames at flush: fairly, stream after stream.
 */
#include "http/http_int.h"

/* -- field blocks -- */

/* RFC 9113 8.2.2: these mean something to one HTTP/1.1 connection only; Host is :authority's twin (8.3.1). */
static bool belongs(const struct ss_hdrs *h, const struct ss_hdr *f)
{
	if (ss_hdr_connection_specific(f->tok))
		return false;
	switch (f->tok) {
	case SS_H_TE:
		return ss_span_ieq(f->value, SS_SPAN("trailers"));
	case SS_H_HOST:
		return h->status || !h->authority.n;
	default:
		return true;
	}
}

/* h itself, or a copy in the scratch fields without what HTTP/2 forbids. */
static struct ss_hdrs sendable(struct ss_http_conn *c, const struct ss_hdrs *h)
{
	struct ss_hdrs out = *h;
	uint16_t i = 0, n = 0;

	while (i < h->n && belongs(h, &h->v[i]))
		i++;
	if (i == h->n)
		return out;
	out.v = c->http->fields;
	for (i = 0; i < h->n && n < SS_HTTP_HDRS_MAX; i++)
		if (belongs(h, &h->v[i]))
			out.v[n++] = h->v[i];
	out.n = n;
	return out;
}

/* HEADERS, and CONTINUATION where the peer's frame size asks for it (6.2, 6.10). */
static int put_block(struct ss_http_conn *c, uint32_t id, const struct ss_hdrs *h, bool end)
{
	struct ss_h2_conn *k = c->h2;
	uint8_t *p = c->http->scratch; /* each fragment is preceded by room for its frame header */
	struct ss_out out = ss_out(p + SS_H2_HEAD, SS_HTTP_SCRATCH - SS_H2_HEAD);
	uint8_t type = SS_H2_HEADERS, flags = end ? SS_H2_F_END_STREAM : 0;
	struct ss_hdrs clean = sendable(c, h);
	int len = ss_hpack_encode(ss_h2_encoder(c), &clean, &out);
	uint32_t left, n;

	if (len < 0)
		return SS_ERR_LIMIT;
	left = (uint32_t)len;
	do {
		n = ss_min_u32(left, k->peer_frame);
		left -= n;
		ss_h2frame_put(p, n, type, flags | (left ? 0 : SS_H2_F_END_HEADERS), id);
		if (ss_bufq_append(&c->out, c->http->conf.bufs, p, SS_H2_HEAD + n) < 0) {
			/* The encoder's table is ahead of the peer's now: the connection is lost. */
			ss_h2_conn_error(c, SS_H2_INTERNAL_ERROR, SS_DROP_MBUF_EMPTY);
			return SS_ERR_NO_MEM;
		}
		p += n;
		type = SS_H2_CONTINUATION;
		flags = 0;
	} while (left);
	return 0;
}

/* The message's last frame is in c->out. */
static void ended(struct ss_http_stream *s)
{
	ss_http_sent(s);
	if (!s->over && s->rx_end)
		ss_http_stream_over(s);
}

int ss_h2_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	struct ss_http_conn *c = s->conn;
	struct ss_h2_conn *k = c->h2;
	int rc;

	if (c->state != SS_HTTP_OPEN)
		return SS_ERR_CLOSED;
	if (c->upstream) {
		if (k->next_id > SS_H2_MAX_WINDOW)
			return SS_ERR_CLOSED;
		ss_h2_stream_open(s, k->next_id);
		s->unprocessed = true; /* until flush */
		k->next_id += 2;
		/* 5.1.1: ids run out; max_requests: the operator's bound */
		if (k->next_id > SS_H2_MAX_WINDOW ||
		    (c->limits->max_requests && c->requests >= c->limits->max_requests))
			ss_http_conn_drain(c);
	}
	rc = put_block(c, s->h2.id, h, end);
	if (rc < 0)
		return rc;
	ss_h2_slots(c);
	if (end)
		ended(s);
	return 0;
}

void ss_h2_answer(struct ss_http_stream *s, uint16_t status)
{
	struct ss_hdrs h;

	ss_hdrs_init(&h, NULL, 0);
	h.status = status;
	s->released = true; /* the upper room never hears of it */
	s->tx_head = s->tx_end = true;
	if (ss_h2_send_head(s, &h, true) == 0 && !s->over)
		ss_h2_reset(s, SS_H2_NO_ERROR); /* the rest of the request is not wanted (8.1) */
	ss_http_dirty(s->conn);
}

/* -- bodies -- */

static bool has_work(const struct ss_http_stream *s)
{
	if (s->over || !s->tx_head || s->tx_sent)
		return false;
	return s->tx.len ? s->h2.send_window > 0 : s->tx_end;
}

void ss_h2_ready(struct ss_http_stream *s)
{
	if (!has_work(s))
		return;
	ss_list_push_once(&s->conn->h2->ready, &s->h2.ready);
	ss_http_dirty(s->conn);
}

/* One DATA frame of n bytes from s->tx to c->out: small ones by copy, so that several share a packet. */
static int put_data(struct ss_http_stream *s, uint32_t n, bool last)
{
	struct ss_http_conn *c = s->conn;
	struct ss_bufpool *bufs = c->http->conf.bufs;
	uint8_t *p = c->http->scratch;
	struct ss_bufq part;

	ss_h2frame_put(p, n, SS_H2_DATA, last ? SS_H2_F_END_STREAM : 0, s->h2.id);
	if (n <= SS_H2_COPY_MAX) {
		ss_bufq_read(&s->tx, 0, p + SS_H2_HEAD, n);
		if (ss_bufq_append(&c->out, bufs, p, SS_H2_HEAD + n) < 0)
			return SS_ERR_NO_MEM;
		ss_bufq_drop(&s->tx, n);
		return 0;
	}
	ss_bufq_init(&part);
	if (ss_bufq_take(&part, &s->tx, n, bufs) < 0)
		return SS_ERR_NO_MEM;
	if (ss_bufq_append(&c->out, bufs, p, SS_H2_HEAD) < 0) {
		ss_bufq_move(&part, &s->tx); /* back to the front */
		ss_bufq_move(&s->tx, &part);
		return SS_ERR_NO_MEM;
	}
	ss_bufq_move(&c->out, &part);
	return 0;
}

/* What s may send next, as one frame. Bytes used of room, or SS_ERR_NO_MEM. */
static int send_one(struct ss_http_stream *s, uint32_t room)
{
	struct ss_h2_conn *k = s->conn->h2;
	uint32_t n = ss_min_u32(s->tx.len, ss_min_u32(room, SS_H2_MAX_FRAME_MIN));
	bool last;

	if (!s->tx.len && s->tx_trailers) {
		int rc = put_block(s->conn, s->h2.id, s->tx_trailers, true);
		if (rc == 0)
			ended(s);
		else if (rc == SS_ERR_LIMIT)
			ss_h2_reset(s, SS_H2_INTERNAL_ERROR);
		return rc == SS_ERR_NO_MEM ? rc : 0;
	}
	n = (uint32_t)ss_min_u64(n, ss_min_u64((uint64_t)s->h2.send_window, (uint64_t)k->send_window));
	last = s->tx_end && !s->tx_trailers && n == s->tx.len;
	if (put_data(s, n, last) < 0)
		return SS_ERR_NO_MEM;
	s->h2.send_window -= n;
	k->send_window -= n;
	k->guard.data_out++;
	ss_http_tx_shrunk(s);
	if (last)
		ended(s);
	return (int)(n + SS_H2_HEAD);
}

/* Requests that began since the last flush: from now on nobody can be sure that they were not sent. */
static void on_the_wire(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_http_stream *s;

	for (; c->upstream && k->unsent_id < k->next_id; k->unsent_id += 2) {
		s = ss_h2_find(c, k->unsent_id);
		if (s)
			s->unprocessed = false;
	}
}

bool ss_h2_flush(struct ss_http_conn *c, uint32_t room)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_list waiting, *n;
	bool short_of_room = false;

	ss_h2_flow_out(c);
	on_the_wire(c);
	ss_list_init(&waiting);
	while (c->state == SS_HTTP_OPEN && !short_of_room && (n = ss_list_pop(&k->ready))) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, h2.ready);
		int used = SS_ERR_FULL;

		if (!has_work(s))
			continue;
		if (s->tx.len && k->send_window <= 0) { /* ends and trailers behind it may pass (6.9.1) */
			ss_list_push_back(&waiting, n);
			continue;
		}
		if (room) /* however little: only room that is used up comes back as news */
			used = send_one(s, room);
		short_of_room = used < 0;
		if (c->state != SS_HTTP_OPEN)
			break;
		if (used > 0)
			room -= ss_min_u32(room, (uint32_t)used);
		if (has_work(s)) /* after the others: round robin */
			ss_list_push_once(&k->ready, n);
	}
	ss_list_splice(&k->ready, &waiting);
	return short_of_room;
}
