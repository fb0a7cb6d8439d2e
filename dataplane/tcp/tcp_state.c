/*
 * tcp_state.c - (state, step) -> state: the picture of RFC 9293 3.3.2 as a table, and nothing else.
 */
#include "tcp/tcp_int.h"

/* 0 (CLOSED) means that the step changes nothing, but for LAST-ACK's end, where it is the answer. */
static const uint8_t next[SS_TCP_STATES][SS_TCP_STEPS] = {
	[SS_TCP_SYN_SENT] = { [SS_TCP_STEP_SYN] = SS_TCP_SYN_RCVD, [SS_TCP_STEP_OPEN] = SS_TCP_ESTABLISHED },
	[SS_TCP_SYN_RCVD] = { [SS_TCP_STEP_OPEN] = SS_TCP_ESTABLISHED },
	[SS_TCP_ESTABLISHED] = { [SS_TCP_STEP_CLOSE] = SS_TCP_FIN_WAIT_1,
				 [SS_TCP_STEP_FIN] = SS_TCP_CLOSE_WAIT },
	[SS_TCP_FIN_WAIT_1] = { [SS_TCP_STEP_FIN] = SS_TCP_CLOSING,
				[SS_TCP_STEP_FIN_ACKED] = SS_TCP_FIN_WAIT_2 },
	[SS_TCP_FIN_WAIT_2] = { [SS_TCP_STEP_FIN] = SS_TCP_TIME_WAIT },
	[SS_TCP_CLOSE_WAIT] = { [SS_TCP_STEP_CLOSE] = SS_TCP_LAST_ACK },
	[SS_TCP_CLOSING] = { [SS_TCP_STEP_FIN_ACKED] = SS_TCP_TIME_WAIT },
};

enum ss_tcp_state ss_tcp_state_step(enum ss_tcp_state s, enum ss_tcp_step e)
{
	if (s == SS_TCP_LAST_ACK && e == SS_TCP_STEP_FIN_ACKED)
		return SS_TCP_CLOSED;
	return next[s][e] ? (enum ss_tcp_state)next[s][e] : s;
}

bool ss_tcp_state_receives(enum ss_tcp_state s)
{
	return s == SS_TCP_ESTABLISHED || s == SS_TCP_FIN_WAIT_1 || s == SS_TCP_FIN_WAIT_2;
}
