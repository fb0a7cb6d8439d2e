/*
 * caller_conn.h - one HTTP/2 connection of bench-caller over a kernel socket, with or without TLS.
 *
 * Takes:   where to, the SSL_CTX, the one request that it repeats.
 * Gives:   answers as a list of the moments at which they were due; every one was a 200 with the right body.
 *          No more streams at once than the request says, nor than the peer's
 *          SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 5.1.2).
 * Owns:    the socket, the SSL object and its buffers.
 * Thread:  one.
 * Errors:  whatever is not expected ends the connection and says why; nothing is retried.
 */
#ifndef CALLER_CONN_H
#define CALLER_CONN_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CALLER_IN_FLIGHT = 256, /* of a connection; a power of two */
	CALLER_IN = 32768,      /* more than a frame of the default size */
	CALLER_OUT = 16384,     /* requests that the socket has not taken yet */
	CALLER_BLOCK = 1024,
};

/* What every request says, and what every answer must be. */
struct caller_request {
	struct sockaddr_in to;
	SSL_CTX *tls;                /* NULL: plaintext */
	uint8_t frame[CALLER_BLOCK]; /* HEADERS with END_STREAM; the stream's number is put in at 5 */
	size_t frame_n;
	uint32_t body;
	uint32_t in_flight; /* of a connection at most, at most CALLER_IN_FLIGHT */
};

enum caller_state { CALLER_CLOSED, CALLER_CONNECTING, CALLER_SHAKING, CALLER_OPEN };

struct caller_conn {
	enum caller_state state;
	int fd;
	SSL *ssl;
	const struct caller_request *request;
	const char *why; /* it ended by itself */
	uint32_t next_stream, in_flight, max_in_flight;
	struct {
		uint64_t due;
		uint32_t body, id;
		bool ok, open;
	} stream[CALLER_IN_FLIGHT];
	uint8_t in[CALLER_IN];
	size_t in_n;
	uint8_t out[CALLER_OUT];
	size_t out_n;
	uint64_t refused[CALLER_IN_FLIGHT]; /* due moments of what GOAWAY left undone; the caller empties it */
	uint32_t n_refused;
	bool going; /* the other side ends it in order: GOAWAY, or closed with nothing under way */
	bool full;  /* the socket took less than was given: it wants EPOLLOUT */
	uint64_t done[CALLER_IN_FLIGHT]; /* due moments of what was answered since the caller emptied it */
	uint32_t n_done;
};

/* Fills frame for GET path of host; fields are "name: value". False when it does not fit. */
bool caller_request_build(struct caller_request *r, const char *scheme, const char *host, const char *path,
			  const char *const *fields);

/* Begins to connect; resume may be NULL. False: no socket. */
bool caller_open(struct caller_conn *c, const struct caller_request *r, SSL_SESSION *resume);
/* Reads, flushes and goes on as far as it can. False: the connection has ended and why says so. */
bool caller_turn(struct caller_conn *c);
/* It is open, and one more request is allowed and fits. */
bool caller_room(const struct caller_conn *c);
/* Queues the request where there is room; its answer's place in done will hold due. */
void caller_ask(struct caller_conn *c, uint64_t due);
/* Sends what is queued, as far as the socket takes it. False as above. */
bool caller_flush(struct caller_conn *c);
void caller_close(struct caller_conn *c);

#endif
