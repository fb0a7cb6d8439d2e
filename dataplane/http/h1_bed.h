/* h1_bed.h - for tests: HTTP/1.1 as text over a room made of memory, either role. */
#ifndef SS_H1_BED_H
#define SS_H1_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "http/http_int.h"
#include "http/http_sim.h"

#define GET "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nhost: a\r\n"
#define CHUNKED POST "transfer-encoding: chunked\r\n\r\n"
#define EMPTY "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
#define EMPTY_CLOSE "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
#define ECHO "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
#define REFUSED(line) "HTTP/1.1 " line "\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
#define BAD REFUSED("400 Bad Request")

/* What was sent, taken; "[fin]" or "[abort]" behind it. */
static SS_UNUSED const char *sent(struct ss_tls_conn *t)
{
	static char text[65536];
	uint32_t n = ss_bufq_read(&t->sent, 0, text, sizeof(text) - 16);

	ss_bufq_free(&t->sent);
	strcpy(text + n, t->aborted ? "[abort]" : t->shutdown ? "[fin]" : "");
	return text;
}

static SS_UNUSED void deliver(struct http_sim *r, struct ss_tls_conn *t, const char *text)
{
	tls_sim_deliver(t, text, (uint32_t)strlen(text));
	http_sim_turn(r);
}

/* The peer goes away; everything must be given back. */
static SS_UNUSED void finish(struct http_sim *r, struct ss_tls_conn *t)
{
	tls_sim_eof(t);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	tls_sim_fail(t, SS_DROP_TCP_RESET);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	sent(t);
}

static SS_UNUSED void settle(struct http_sim *r)
{
	for (int i = 0; i < 12; i++)
		http_sim_turn(r);
}

#endif
