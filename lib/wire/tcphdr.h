/*
 * tcphdr.h - the TCP header (RFC 9293 3.1), its options, sequence arithmetic.
 *
 * Takes:   bytes of a segment; values to emit.
 * Gives:   parsed values, or a refusal; the bytes of a header.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_TCPHDR_H
#define SS_TCPHDR_H

#include "base/span.h"

#define SS_TCP_FIN 0x01
#define SS_TCP_SYN 0x02
#define SS_TCP_RST 0x04
#define SS_TCP_PSH 0x08
#define SS_TCP_ACK 0x10
#define SS_TCP_URG 0x20
#define SS_TCP_ECE 0x40
#define SS_TCP_CWR 0x80

#define SS_TCPHDR_MIN 20
#define SS_TCPHDR_MAX 60
#define SS_TCP_SACKS 4

/* Serial number arithmetic (RFC 9293 3.4): is a before b? */
static inline bool ss_seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool ss_seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline bool ss_seq_gt(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
static inline bool ss_seq_ge(uint32_t a, uint32_t b) { return (int32_t)(a - b) >= 0; }

struct ss_tcp_sack {
	uint32_t left, right; /* [left, right) */
};

/* A header as values. Options absent from the wire have has_* false. */
struct ss_tcphdr {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint8_t hdr_len; /* bytes, options included (parse) */
	uint16_t window; /* unscaled */
	bool has_mss, has_wscale, has_sack_ok, has_ts;
	uint16_t mss;
	uint8_t wscale;  /* 0..14 (RFC 7323 2.3: larger values are read as 14) */
	uint32_t ts_val, ts_ecr;
	uint8_t n_sacks;
	struct ss_tcp_sack sack[SS_TCP_SACKS];
};

/* Header length in bytes, or SS_ERR_BAD_PACKET. n is the length of the whole segment. The checksum
 * is not looked at. Malformed options end option parsing (the segment is kept, as RFC 9293 3.1 asks). */
int ss_tcphdr_parse(struct ss_tcphdr *h, const uint8_t *p, uint32_t n);
/* Writes the header with checksum 0 to p (SS_TCPHDR_MAX bytes); returns its length, a multiple of 4. */
uint32_t ss_tcphdr_emit(const struct ss_tcphdr *h, uint8_t *p);

#endif
