/*
 * h2_int.h - the private parts of an HTTP/2 connection and stream.
 */
#ifndef SS_H2_INT_H
#define SS_H2_INT_H

#include "base/list.h"

struct ss_h2_conn;
struct ss_http_conn;
struct ss_http_stream;

/* RFC 9113 5.1, as far as one flag per direction does not say it. */
struct ss_h2_stream {
	uint32_t id;
	struct ss_http_stream *next_by_id;
	struct ss_list ready;      /* h2 conn's round robin */
	int64_t send_window;       /* may be negative (RFC 9113 6.9.2) */
	int64_t recv_window;
	uint32_t credit;           /* consumed, not yet given back by WINDOW_UPDATE */
	struct ss_list window;     /* h2 conn's list of streams that owe a WINDOW_UPDATE */
	uint64_t length_left;      /* content-length not yet seen as DATA; UINT64_MAX: none was given */
};

#endif
