/*
 * h2_conn.c - an HTTP/2 connection as a whole: preface, SETTINGS, PING, GOAWAY, and the version table.
 */
#include "http/http_int.h"

size_t ss_h2_conn_size(void)
{
	return sizeof(struct ss_h2_conn);
}

uint32_t ss_h2_mbufs(const struct ss_http_conn *c)
{
	return c->v == &ss_h2_version && c->h2 ? ss_bufq_mbufs(&c->h2->block) : 0;
}

/* -- sending small frames -- */

void ss_h2_put(struct ss_http_conn *c, const struct ss_out *o, const uint8_t *from)
{
	if (c->state != SS_HTTP_OPEN)
		return;
	if (!c->out.len)
		ss_h2_guard_clear(c, SS_H2_B_OUTBOUND); /* all before it was taken */
	if (ss_bufq_append(&c->out, c->http->conf.bufs, from, (uint32_t)(o->p - from)) < 0) {
		ss_count_drop(c->http->conf.counters, SS_DROP_MBUF_EMPTY);
		ss_http_conn_abort(c, SS_DROP_MBUF_EMPTY);
		return;
	}
	ss_http_dirty(c);
	ss_h2_guard(c, SS_H2_B_OUTBOUND);
}

/* As ss_h2_put, but not guarded, and without consequence when there is no packet buffer. */
static void put_goaway(struct ss_http_conn *c, uint32_t last, enum ss_h2_code code)
{
	uint8_t frame[SS_H2_HEAD + 8];
	struct ss_out o = ss_out(frame, sizeof(frame));

	ss_h2frame_put_goaway(&o, last, code);
	if (ss_bufq_append(&c->out, c->http->conf.bufs, frame, (uint32_t)(o.p - frame)) == 0)
		ss_http_dirty(c);
}

static void put_ping(struct ss_http_conn *c, const uint8_t *opaque, bool ack)
{
	uint8_t frame[SS_H2_HEAD + 8];
	struct ss_out o = ss_out(frame, sizeof(frame));

	ss_h2frame_put_ping(&o, opaque, ack);
	ss_h2_put(c, &o, frame);
}

void ss_h2_conn_error(struct ss_http_conn *c, enum ss_h2_code code, enum ss_drop why)
{
	if (c->state != SS_HTTP_OPEN)
		return;
	put_goaway(c, c->upstream ? 0 : c->h2->last_peer, code);
	ss_http_conn_finish(c, why);
}

/* -- beginning -- */

static void put_settings(struct ss_http_conn *c)
{
	struct ss_h2setting v[6];
	uint8_t frame[SS_H2_HEAD + sizeof(v)];
	struct ss_out o = ss_out(frame, sizeof(frame));
	uint32_t n = 0;

	if (c->upstream)
		v[n++] = (struct ss_h2setting){ SS_H2_SET_ENABLE_PUSH, 0 };
	else
		v[n++] = (struct ss_h2setting){ SS_H2_SET_MAX_CONCURRENT_STREAMS, c->limits->max_streams };
	if (c->limits->hpack_table != SS_HPACK_TABLE)
		v[n++] = (struct ss_h2setting){ SS_H2_SET_HEADER_TABLE_SIZE, c->limits->hpack_table };
	v[n++] = (struct ss_h2setting){ SS_H2_SET_INITIAL_WINDOW_SIZE, c->limits->stream_window };
	v[n++] = (struct ss_h2setting){ SS_H2_SET_MAX_HEADER_LIST_SIZE, c->limits->max_header_bytes };
	ss_h2frame_put_settings(&o, v, n);
	ss_h2_put(c, &o, frame);
}

static int h2_open(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = ss_pool_take(c->http->h2_conns);

	if (!k)
		return SS_ERR_NO_MEM;
	memset(k, 0, offsetof(struct ss_h2_conn, dec));
	c->h2 = k;
	ss_bufq_init(&k->block);
	ss_list_init(&k->ready);
	ss_list_init(&k->windows);
	ss_list_init(&k->late);
	k->place = (uint32_t)ss_siphash(&c->http->places, &k, sizeof(k));
	ss_hpack_dec_init(&k->dec, SS_HPACK_TABLE); /* the peer's idea until it has our SETTINGS */
	k->peer_table = SS_HPACK_TABLE;
	k->peer_streams = SS_H2_FIRST_SLOTS;
	k->peer_window = k->our_window = SS_H2_WINDOW;
	k->peer_frame = SS_H2_MAX_FRAME_MIN;
	k->send_window = SS_H2_WINDOW;
	k->recv_window = ss_max_u32(c->limits->conn_window, SS_H2_WINDOW);
	k->next_id = k->unsent_id = 1;
	if (c->upstream) {
		if (ss_bufq_append(&c->out, c->http->conf.bufs, SS_H2_PREFACE, SS_H2_PREFACE_LEN) < 0)
			return SS_ERR_NO_MEM;
	} else {
		k->preface = SS_H2_PREFACE_LEN;
	}
	put_settings(c);
	if (c->limits->conn_window > SS_H2_WINDOW) {
		uint8_t frame[SS_H2_HEAD + 4];
		struct ss_out o = ss_out(frame, sizeof(frame));
		ss_h2frame_put_window(&o, 0, c->limits->conn_window - SS_H2_WINDOW);
		ss_h2_put(c, &o, frame);
	}
	if (c->state != SS_HTTP_OPEN)
		return SS_ERR_NO_MEM;
	ss_http_arm(c, SS_HTTP_T_SETTINGS, c->limits->settings_timeout_ns);
	ss_http_arm(c, SS_HTTP_T_PING, c->limits->keepalive_interval_ns);
	ss_h2_slots(c);
	return 0;
}

static void h2_close(struct ss_http_conn *c)
{
	if (!c->h2)
		return;
	ss_bufq_free(&c->h2->block);
	ss_h2_encoder_end(c);
	ss_pool_give(c->http->h2_conns, c->h2);
	c->h2 = NULL;
}

void ss_h2_slots(struct ss_http_conn *c)
{
	uint32_t limit, before = c->slots;

	if (!c->upstream)
		return;
	limit = ss_min_u32(c->h2->peer_streams, c->limits->max_streams);
	c->slots = c->no_more || c->n_streams >= limit ? 0 : limit - c->n_streams;
	/* Somebody may be waiting for the first one, or for the connection to be idle. */
	if (c->slots > before && (before == 0 || c->n_streams == 0) && c->state == SS_HTTP_OPEN)
		ss_http_conn_news(c, SS_HTTP_CONN_SLOT);
}

/* -- SETTINGS (RFC 9113 6.5) -- */

static void settings_acked(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;

	if (k->acked)
		return;
	k->acked = true;
	ss_http_arm(c, SS_HTTP_T_SETTINGS, 0);
	ss_hpack_dec_limit(&k->dec, ss_min_u32(c->limits->hpack_table, SS_HPACK_TABLE));
	ss_h2_our_window(c, c->limits->stream_window);
}

/* One parameter of the peer's. False: the connection has ended. */
static bool apply(struct ss_http_conn *c, uint16_t id, uint32_t value)
{
	struct ss_h2_conn *k = c->h2;

	switch (id) {
	case SS_H2_SET_HEADER_TABLE_SIZE:
		ss_h2_encoder_limit(c, value);
		break;
	case SS_H2_SET_ENABLE_PUSH:
		/* "A server MUST NOT explicitly set this value to 1" (6.5.2) */
		if (c->upstream && value)
			ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
		break;
	case SS_H2_SET_MAX_CONCURRENT_STREAMS:
		k->peer_streams = value;
		ss_h2_slots(c);
		break;
	case SS_H2_SET_INITIAL_WINDOW_SIZE:
		if (!ss_h2_peer_window(c, value))
			ss_h2_conn_error(c, SS_H2_FLOW_CONTROL_ERROR, SS_DROP_H2_FLOW);
		break;
	case SS_H2_SET_MAX_FRAME_SIZE:
		k->peer_frame = value;
		break;
	default: /* "MUST ignore" unknown ones; the list size is advisory (6.5.2) */
		break;
	}
	return c->state == SS_HTTP_OPEN;
}

void ss_h2_on_settings(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2frame *f = &c->h2->f;
	uint8_t frame[SS_H2_HEAD];
	struct ss_out o = ss_out(frame, sizeof(frame));

	if (!ss_h2_guard(c, SS_H2_B_CONTROL))
		return;
	if (f->flags & SS_H2_F_ACK) {
		settings_acked(c);
		return;
	}
	for (uint32_t i = 0; i < f->len / 6; i++) {
		uint16_t id;
		uint32_t value;
		if (ss_h2frame_setting(f, p + 6 * i, &id, &value) < 0) {
			ss_h2_conn_error(c, f->code, SS_DROP_H2_PROTOCOL);
			return;
		}
		if (!apply(c, id, value))
			return;
	}
	ss_h2frame_put_settings_ack(&o);
	ss_h2_put(c, &o, frame);
}

/* -- PING (6.7) -- */

static const uint8_t keepalive_word[8] = "alive?";
static const uint8_t drain_word[8] = "drain?";

/* The last id that is promised an answer; above it the client may try again elsewhere (6.8). */
static void final_goaway(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;

	if (k->draining == 2)
		return;
	k->draining = 2;
	k->goaway_last = k->last_peer;
	ss_http_arm(c, SS_HTTP_T_DRAIN, 0);
	put_goaway(c, k->goaway_last, SS_H2_NO_ERROR);
	c->no_more = true;
	ss_http_conn_quiet(c);
}

void ss_h2_on_ping(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;

	if (!ss_h2_guard(c, SS_H2_B_CONTROL))
		return;
	if (!(k->f.flags & SS_H2_F_ACK)) {
		put_ping(c, p, true);
		return;
	}
	if (k->draining == 1 && memcmp(p, drain_word, sizeof(drain_word)) == 0)
		final_goaway(c); /* the client has seen the first GOAWAY: nothing is on its way any more */
	if (k->ping_out && memcmp(p, keepalive_word, sizeof(keepalive_word)) == 0) {
		k->ping_out = false;
		ss_http_arm(c, SS_HTTP_T_PING, c->limits->keepalive_interval_ns);
	}
}

static void keepalive(struct ss_http_conn *c)
{
	if (c->h2->ping_out) {
		ss_h2_conn_error(c, SS_H2_NO_ERROR, SS_DROP_H2_PING_TIMEOUT);
		return;
	}
	c->h2->ping_out = true;
	ss_http_arm(c, SS_HTTP_T_PING, c->limits->keepalive_timeout_ns);
	put_ping(c, keepalive_word, false);
}

/* -- GOAWAY (6.8) -- */

void ss_h2_on_goaway(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_list *n, *tmp;
	uint32_t last, code;

	if (!ss_h2_guard(c, SS_H2_B_CONTROL) || !c->upstream)
		return; /* a client that leaves ends its streams and closes by itself */
	ss_h2frame_goaway(p, &last, &code);
	c->no_more = true;
	ss_h2_slots(c);
	ss_http_conn_news(c, SS_HTTP_CONN_GOAWAY);
	/* Above the last id: "not ... processed, ... can be retried" (6.8). */
	ss_list_for_safe(n, tmp, &c->streams) {
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, all);
		if (!s->over && s->h2.id > last)
			ss_http_stream_fail(s, SS_DROP_UPSTREAM_STREAM_RESET, true);
	}
	ss_http_conn_quiet(c);
}

/*
 * Server: first a GOAWAY that names no stream, so that requests on their way are still served; when a
 * PING has come back (or after a while) the final one. Client: nothing need be said.
 */
static void h2_drain(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;

	if (c->upstream) {
		c->no_more = true;
		ss_h2_slots(c);
		ss_http_conn_news(c, SS_HTTP_CONN_GOAWAY);
		ss_http_conn_quiet(c);
		return;
	}
	if (k->draining)
		return;
	k->draining = 1;
	put_goaway(c, SS_H2_MAX_WINDOW, SS_H2_NO_ERROR);
	put_ping(c, drain_word, false);
	ss_http_arm(c, SS_HTTP_T_DRAIN, SS_H2_DRAIN_NS);
}

static void h2_expire(struct ss_http_conn *c, enum ss_http_timer t)
{
	if (t == SS_HTTP_T_IDLE)
		ss_h2_conn_error(c, SS_H2_NO_ERROR, SS_DROP_HTTP_IDLE);
	else if (t == SS_HTTP_T_SETTINGS)
		ss_h2_conn_error(c, SS_H2_SETTINGS_TIMEOUT, SS_DROP_H2_SETTINGS_TIMEOUT);
	else if (t == SS_HTTP_T_PING)
		keepalive(c);
	else if (t == SS_HTTP_T_DRAIN)
		final_goaway(c);
	else if (t == SS_HTTP_T_LATE_END)
		ss_h2_late_end(c);
}

static void h2_reset(struct ss_http_stream *s, enum ss_http_code code)
{
	if (code == SS_HTTP_NO_ERROR && !s->conn->upstream)
		ss_h2_answered(s);
	else
		ss_h2_reset(s, (uint32_t)code);
}

const struct ss_http_version ss_h2_version = {
	.number = 2,
	.open = h2_open,
	.input = ss_h2_input,
	.flush = ss_h2_flush,
	.send_head = ss_h2_send_head,
	.ready = ss_h2_ready,
	.consumed = ss_h2_consumed,
	.reset = h2_reset,
	.drain = h2_drain,
	.over = ss_h2_stream_over,
	.expire = h2_expire,
	.close = h2_close,
};
