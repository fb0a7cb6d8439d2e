/*
 * load_tally.h - what is counted while measuring, on either side.
 *
 * Takes:   nothing.
 * Gives:   the counts, and the one list of error kinds that makes the enum and the names in the reports.
 * Owns:    nothing.
 * Thread:  the worker writes; control reads the struct ss_load_live by relaxed loads at any time, the tallies
 *          when the worker has ended.
 */
#ifndef SS_LOAD_TALLY_H
#define SS_LOAD_TALLY_H

#include "perf/load/load_hist.h"

/* X(NAME, "name in reports", text) */
#define SS_LOAD_ERRORS(X)                                                                              \
	X(CONNECT_REFUSED, "connect_refused", "connection refused or reset before it was open")        \
	X(CONNECT_TIMEOUT, "connect_timeout", "connection not open in time")                           \
	X(CONNECT_OTHER, "connect_other", "no route, no port, no next hop, pool empty")                \
	X(TLS, "tls", "TLS handshake or record refused, by us or by the server")                       \
	X(RESET, "reset", "connection ended during a request")                                         \
	X(STREAM_RESET, "stream_reset", "request reset by the server")                                 \
	X(UNPROCESSED, "unprocessed", "request that the server surely did not process")                \
	X(PROTOCOL, "protocol", "answer that is no HTTP")                                              \
	X(STATUS, "status", "answer with another status")                                              \
	X(LENGTH, "length", "body of another length")                                                  \
	X(BODY, "body", "body of the right length with other bytes")                                   \
	X(TIMEOUT, "timeout", "no complete answer in time")                                            \
	X(LOCAL, "local", "the generator ran out of something")

enum ss_load_error {
	SS_LOAD_OK = -1,
#define SS_LOAD_ERROR_X(name, text, help) SS_LOAD_ERR_##name,
	SS_LOAD_ERRORS(SS_LOAD_ERROR_X)
#undef SS_LOAD_ERROR_X
	SS_LOAD_ERR_COUNT
};

/* Read every second while the worker goes on. Never go back. */
struct ss_load_live {
	uint64_t requests, errors, bytes, served, open, behind, handshakes;
};

static inline void ss_load_live_add(uint64_t *v, uint64_t n)
{
	__atomic_store_n(v, *v + n, __ATOMIC_RELAXED);
}

struct ss_load_client_tally {
	uint64_t requests;       /* answered right */
	uint64_t errors[SS_LOAD_ERR_COUNT];
	uint64_t request_bytes, response_bytes; /* of bodies */
	uint64_t connects, opened, closed; /* attempts; open; closed by the server or the network */
	uint64_t open;           /* at the end of measuring */
	uint64_t unsent;         /* open loop: due, and never sent for want of a free connection */
	uint64_t most_behind;    /* open loop: most that were due and waited */
	struct ss_load_hist latency, connect;
};

struct ss_load_origin_tally {
	uint64_t requests, request_bytes, response_bytes;
	uint64_t wrong; /* request bodies that are not the pattern or not as long as said */
	uint64_t reset; /* requests that went away before their answer was out */
	uint64_t delayed;
	uint64_t accepted;
};

/* Of the process, over the time of measuring. */
struct ss_load_work {
	uint64_t begin, end; /* nanoseconds */
	uint64_t busy_ns, turns, busy_turns, longest_turn_ns;
};

#endif
