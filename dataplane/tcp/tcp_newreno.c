/*
 * tcp_newreno.c - slow start, congestion avoidance, fast recovery (RFC 5681, 6582, 6928).
 */
#include "tcp/tcp_int.h"

#define IW_SEGS 10 /* RFC 6928 2: min (10*MSS, max (2*MSS, 14600)) */
/* Bytes that one ACK may add in slow start. RFC 3465 2.2 says 2 segments; ACKs come thinned here (one per
 * burst at both ends), and RFC 9406 4.2 allows 8 to a sender that does not pace. */
#define ABC_SEGS 8

static uint32_t initial_window(const struct ss_tcp_conn *c)
{
	return ss_min_u32(IW_SEGS * c->mss, ss_max_u32(2 * c->mss, 14600));
}

static void newreno_open(struct ss_tcp_conn *c)
{
	/* RFC 5681 3.1: "If the SYN or SYN/ACK is lost, the initial window used by a sender after a
	 * correctly transmitted SYN MUST be one segment". */
	c->cwnd = c->syn_tries > 1 ? c->mss : initial_window(c);
	/* "SHOULD be set arbitrarily high". */
	c->ssthresh = UINT32_MAX;
	c->acked_frac = 0;
}

static void newreno_acked(struct ss_tcp_conn *c, uint32_t bytes)
{
	if (c->cwnd < c->ssthresh) {
		c->cwnd += ss_min_u32(bytes, ABC_SEGS * c->mss);
	} else {
		/* RFC 5681 3.1: one segment per window of acknowledged bytes. */
		c->acked_frac += bytes;
		if (c->acked_frac >= c->cwnd) {
			c->acked_frac -= c->cwnd;
			c->cwnd += c->mss;
		}
	}
	/* More than the peer's window can never be used; keeps the arithmetic far from overflow. */
	c->cwnd = ss_min_u32(c->cwnd, 1u << 30);
}

static uint32_t half(const struct ss_tcp_conn *c, uint32_t flight)
{
	/* RFC 5681 (4): ssthresh = max (FlightSize / 2, 2*SMSS) */
	return ss_max_u32(flight / 2, 2 * c->mss);
}

static void newreno_loss(struct ss_tcp_conn *c, uint32_t flight)
{
	c->ssthresh = half(c, flight);
	c->cwnd = c->ssthresh;
	c->acked_frac = 0;
}

static void newreno_inflate(struct ss_tcp_conn *c)
{
	c->cwnd += c->mss;
}

static void newreno_partial(struct ss_tcp_conn *c, uint32_t bytes)
{
	/* RFC 6582 3.2 step 5: "Deflate the congestion window by the amount of new data acknowledged ...
	 * If the partial ACK acknowledges at least one SMSS of new data, then add back SMSS bytes". */
	c->cwnd -= ss_min_u32(bytes, c->cwnd - c->mss);
	if (bytes >= c->mss)
		c->cwnd += c->mss;
}

static void newreno_recovered(struct ss_tcp_conn *c, uint32_t flight)
{
	/* RFC 6582 3.2 step 3: "min (ssthresh, max(FlightSize, SMSS) + SMSS)" avoids a burst. */
	c->cwnd = ss_min_u32(c->ssthresh, ss_max_u32(flight, c->mss) + c->mss);
}

static void newreno_timeout(struct ss_tcp_conn *c, uint32_t flight)
{
	c->ssthresh = half(c, flight);
	c->acked_frac = 0;
}

static void newreno_idle(struct ss_tcp_conn *c)
{
	/* RFC 5681 4.1: "set cwnd to no more than RW", RW = min(IW,cwnd). */
	c->cwnd = ss_min_u32(c->cwnd, initial_window(c));
}

const struct ss_tcp_cc ss_tcp_newreno = {
	.name = "newreno",
	.open = newreno_open,
	.acked = newreno_acked,
	.loss = newreno_loss,
	.inflate = newreno_inflate,
	.partial = newreno_partial,
	.recovered = newreno_recovered,
	.timeout = newreno_timeout,
	.idle = newreno_idle,
};
