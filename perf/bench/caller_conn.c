#include "perf/bench/caller_conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { F_DATA = 0, F_HEADERS = 1, F_RST = 3, F_SETTINGS = 4, F_PING = 6, F_GOAWAY = 7, F_WINDOW = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, HEAD = 9 };

static bool fail(struct caller_conn *c, const char *why)
{
	c->why = why;
	return false;
}

/* ---- the request ---- */

static bool put(struct caller_request *r, const void *p, size_t n)
{
	if (r->frame_n + n > sizeof(r->frame))
		return false;
	memcpy(r->frame + r->frame_n, p, n);
	r->frame_n += n;
	return true;
}

/* RFC 7541 5.2: a string without Huffman code, shorter than the 7-bit prefix holds. */
static bool put_text(struct caller_request *r, const char *s, size_t n)
{
	uint8_t len = (uint8_t)n;
	return n < 127 && put(r, &len, 1) && put(r, s, n);
}

/* RFC 7541 6.2.2: a literal without indexing; its name by index, or by itself where index is 0. */
static bool put_field(struct caller_request *r, uint8_t index, const char *name, size_t name_n,
		      const char *value)
{
	return put(r, &index, 1) && (index || put_text(r, name, name_n)) && put_text(r, value, strlen(value));
}

bool caller_request_build(struct caller_request *r, const char *scheme, const char *host, const char *path,
			  const char *const *fields)
{
	const uint8_t method_scheme[] = {0x82, strcmp(scheme, "https") ? 0x86 : 0x87};
	r->frame_n = HEAD;
	if (!put(r, method_scheme, 2) || !put_field(r, 4, NULL, 0, path) || !put_field(r, 1, NULL, 0, host))
		return false;
	for (; *fields; fields++) {
		const char *colon = strstr(*fields, ": ");
		if (!colon || !put_field(r, 0, *fields, (size_t)(colon - *fields), colon + 2))
			return false;
	}
	size_t n = r->frame_n - HEAD;
	const uint8_t head[HEAD] = {0, (uint8_t)(n >> 8), (uint8_t)n, F_HEADERS, END_STREAM | END_HEADERS};
	memcpy(r->frame, head, HEAD);
	return true;
}

/* ---- bytes ---- */

static bool queue(struct caller_conn *c, const void *p, size_t n)
{
	if (n > sizeof(c->out) - c->out_n)
		return fail(c, "the socket has taken nothing for long");
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
	return true;
}

/* Bytes that the socket took, 0 for none now, -1 at the end. */
static int send_some(struct caller_conn *c)
{
	if (!c->ssl) {
		ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);
		return n >= 0 ? (int)n : errno == EAGAIN ? 0 : -1;
	}
	int n = SSL_write(c->ssl, c->out, (int)c->out_n);
	return n > 0 ? n : SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

bool caller_flush(struct caller_conn *c)
{
	c->full = false;
	while (c->out_n && !c->full) {
		int n = send_some(c);
		if (n < 0)
			return fail(c, "closed by the other side");
		memmove(c->out, c->out + n, c->out_n - (size_t)n);
		c->out_n -= (size_t)n;
		c->full = !n;
	}
	return true;
}

/* Bytes read, 0 when there are none now, -1 at the end. */
static int receive(struct caller_conn *c)
{
	int room = (int)(sizeof(c->in) - c->in_n);
	if (!c->ssl) {
		ssize_t n = recv(c->fd, c->in + c->in_n, (size_t)room, 0);
		return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? 0 : -1;
	}
	int n = SSL_read(c->ssl, c->in + c->in_n, room);
	return n > 0 ? n : SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* ---- frames ---- */

static void finish(struct caller_conn *c, uint32_t i)
{
	c->stream[i].open = false;
	c->in_flight--;
	c->done[c->n_done++] = c->stream[i].due;
}

/* RFC 7541: size updates may stand first; then ":status: 200" is the static table's entry 8. */
static bool is_200(const uint8_t *p, uint32_t n)
{
	while (n && (*p & 0xe0) == 0x20) {
		bool more = (*p & 0x1f) == 0x1f;
		p++, n--;
		while (more && n)
			more = *p & 0x80, p++, n--;
	}
	return n && *p == 0x88;
}

static bool all_x(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != 'x')
			return false;
	return true;
}

static bool on_stream(struct caller_conn *c, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *p,
		      uint32_t n)
{
	uint32_t i = (id >> 1) % CALLER_IN_FLIGHT;
	if (!(id & 1) || id >= c->next_stream || !c->stream[i].open)
		return fail(c, "frame for no stream of ours");
	if (type == F_RST || (flags & PADDED))
		return fail(c, type == F_RST ? "stream reset" : "padded frame");
	if (type == F_HEADERS && !c->stream[i].ok &&
	    !(c->stream[i].ok = (flags & END_HEADERS) && is_200(p, n)))
		return fail(c, "status is not 200");
	if (type == F_DATA && !all_x(p, n))
		return fail(c, "wrong body");
	c->stream[i].body += type == F_DATA ? n : 0;
	if (!(flags & END_STREAM))
		return true;
	if (!c->stream[i].ok || c->stream[i].body != c->request->body)
		return fail(c, "body of a wrong length");
	finish(c, i);
	return true;
}

static bool take_settings(struct caller_conn *c, const uint8_t *p, uint32_t n)
{
	enum { MAX_STREAMS = 3 };
	if (n % 6)
		return fail(c, "SETTINGS of a wrong length");
	for (; n; p += 6, n -= 6) {
		uint32_t value = (uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
		if ((p[0] << 8 | p[1]) == MAX_STREAMS)
			c->max_in_flight = value < c->request->in_flight ? value : c->request->in_flight;
	}
	return true;
}

/* RFC 9113 6.8: streams above the last one named were not processed and may be asked for elsewhere. */
static bool go_away(struct caller_conn *c, const uint8_t *p, uint32_t n)
{
	if (n < 8)
		return fail(c, "GOAWAY of a wrong length");
	if (p[4] | p[5] | p[6] | p[7])
		return fail(c, "GOAWAY with an error");
	uint32_t last = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	c->going = true;
	for (int i = 0; i < CALLER_IN_FLIGHT; i++) {
		if (!c->stream[i].open || c->stream[i].id <= last)
			continue;
		c->stream[i].open = false;
		c->in_flight--;
		c->refused[c->n_refused++] = c->stream[i].due;
	}
	return true;
}

static bool on_frame(struct caller_conn *c, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *p,
		     uint32_t n)
{
	static const uint8_t settings_ack[HEAD] = {0, 0, 0, F_SETTINGS, ACK};
	uint8_t pong[HEAD + 8] = {0, 0, 8, F_PING, ACK};
	switch (type) {
	case F_DATA:
	case F_HEADERS:
	case F_RST:
		return on_stream(c, type, flags, id, p, n);
	case F_SETTINGS:
		return (flags & ACK) || (take_settings(c, p, n) && queue(c, settings_ack, HEAD));
	case F_PING:
		if (n != 8)
			return fail(c, "PING of a wrong length");
		memcpy(pong + HEAD, p, 8);
		return (flags & ACK) || queue(c, pong, sizeof(pong));
	case F_GOAWAY:
		return go_away(c, p, n);
	default:
		return true;
	}
}

static bool read_frames(struct caller_conn *c)
{
	size_t at = 0;
	while (c->in_n - at >= HEAD && c->n_done < CALLER_IN_FLIGHT) {
		const uint8_t *h = c->in + at;
		uint32_t n = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
		if (n > 16384)
			return fail(c, "frame too long");
		if (c->in_n - at < HEAD + n)
			break;
		uint32_t id =
			(uint32_t)(h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8];
		if (!on_frame(c, h[3], h[4], id, h + HEAD, n))
			return false;
		at += HEAD + n;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
	return true;
}

/* ---- life ---- */

/* Preface, no push, and windows that never close. */
static bool greet(struct caller_conn *c)
{
	static const uint8_t hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				       "\0\0\x0c\x04\0\0\0\0\0\0\x02\0\0\0\0\0\x04\x7f\xff\xff\xff"
				       "\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
	c->state = CALLER_OPEN;
	c->next_stream = 1;
	c->max_in_flight = c->request->in_flight;
	return queue(c, hello, sizeof(hello) - 1);
}

static bool shake(struct caller_conn *c)
{
	int n = SSL_do_handshake(c->ssl);
	if (n == 1) {
		const unsigned char *alpn;
		unsigned alpn_n;
		SSL_get0_alpn_selected(c->ssl, &alpn, &alpn_n);
		return alpn_n == 2 ? greet(c) : fail(c, "no h2 by ALPN");
	}
	int why = SSL_get_error(c->ssl, n);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE || fail(c, "TLS handshake failed");
}

static bool connected(struct caller_conn *c)
{
	int error = 0, one = 1;
	socklen_t n = sizeof(error);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error)
		return fail(c, strerror(error));
	struct sockaddr_in peer;
	n = sizeof(peer);
	if (getpeername(c->fd, (struct sockaddr *)&peer, &n) < 0)
		return true; /* not yet */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!c->ssl)
		return greet(c);
	c->state = CALLER_SHAKING;
	return shake(c);
}

bool caller_open(struct caller_conn *c, const struct caller_request *r, SSL_SESSION *resume)
{
	static const unsigned char h2[] = "\x02h2";
	*c = (struct caller_conn){.state = CALLER_CONNECTING, .request = r};
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    (connect(c->fd, (const struct sockaddr *)&r->to, sizeof(r->to)) < 0 && errno != EINPROGRESS))
		return fail(c, strerror(errno));
	if (!r->tls)
		return true;
	c->ssl = SSL_new(r->tls);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	SSL_set_alpn_protos(c->ssl, h2, 3);
	SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (resume)
		SSL_set_session(c->ssl, resume);
	return true;
}

bool caller_turn(struct caller_conn *c)
{
	if (c->state == CALLER_CONNECTING && !connected(c))
		return false;
	if (c->state == CALLER_SHAKING && !shake(c))
		return false;
	while (c->state == CALLER_OPEN && c->n_done < CALLER_IN_FLIGHT) {
		int n = receive(c);
		if (n < 0 && !c->in_flight)
			return c->going = true;
		if (n < 0)
			return fail(c, "closed by the other side");
		if (n == 0)
			break;
		c->in_n += (size_t)n;
		if (!read_frames(c))
			return false;
	}
	return c->state != CALLER_OPEN || caller_flush(c);
}

bool caller_room(const struct caller_conn *c)
{
	return c->state == CALLER_OPEN && !c->going && c->in_flight < c->max_in_flight &&
	       !c->stream[(c->next_stream >> 1) % CALLER_IN_FLIGHT].open &&
	       c->request->frame_n <= sizeof(c->out) - c->out_n;
}

void caller_ask(struct caller_conn *c, uint64_t due)
{
	uint32_t id = c->next_stream, i = (id >> 1) % CALLER_IN_FLIGHT;
	uint8_t *frame = c->out + c->out_n;
	memcpy(frame, c->request->frame, c->request->frame_n);
	for (int k = 0; k < 4; k++)
		frame[5 + k] = (uint8_t)(id >> (24 - 8 * k));
	c->out_n += c->request->frame_n;
	c->next_stream += 2;
	c->in_flight++;
	c->stream[i].due = due;
	c->stream[i].body = 0;
	c->stream[i].id = id;
	c->stream[i].ok = false;
	c->stream[i].open = true;
}

void caller_close(struct caller_conn *c)
{
	if (c->state == CALLER_CLOSED)
		return;
	if (c->ssl) {
		if (c->state == CALLER_OPEN)
			SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->ssl = NULL;
	c->fd = -1;
	c->state = CALLER_CLOSED;
}
