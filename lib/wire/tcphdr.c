/*
 * tcphdr.c - the TCP header and its options, both ways.
 *
 * A malformed option ends option parsing and keeps what was read so far: RFC 9293 3.1 (MUST-7) asks
 * that "TCP implementations MUST be prepared to handle an illegal option length (e.g., zero)", and
 * the suggested procedure of resetting the connection would let one broken middlebox end it.
 */
#include "wire/tcphdr.h"

#include "base/err.h"

enum opt_kind {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
};

#define WSCALE_MAX 14

static void parse_sack(struct ss_tcphdr *h, const uint8_t *p, uint32_t len)
{
	/* RFC 2018 3: n blocks make a length of 8n + 2. */
	if (len < 10 || (len - 2) % 8 != 0)
		return;
	uint32_t n = ss_min_u32((len - 2) / 8, SS_TCP_SACKS);
	for (uint32_t i = 0; i < n; i++) {
		h->sack[i].left = ss_get_be32(p + 2 + i * 8);
		h->sack[i].right = ss_get_be32(p + 6 + i * 8);
	}
	h->n_sacks = (uint8_t)n;
}

static void parse_option(struct ss_tcphdr *h, const uint8_t *p, uint32_t len)
{
	switch (p[0]) {
	case OPT_MSS:
		if (len == 4) {
			h->has_mss = true;
			h->mss = ss_get_be16(p + 2);
		}
		break;
	case OPT_WSCALE:
		if (len == 3) {
			h->has_wscale = true;
			h->wscale = p[2] > WSCALE_MAX ? WSCALE_MAX : p[2];
		}
		break;
	case OPT_SACK_OK:
		if (len == 2)
			h->has_sack_ok = true;
		break;
	case OPT_SACK:
		parse_sack(h, p, len);
		break;
	case OPT_TS:
		if (len == 10) {
			h->has_ts = true;
			h->ts_val = ss_get_be32(p + 2);
			h->ts_ecr = ss_get_be32(p + 6);
		}
		break;
	default:
		/* RFC 9293 3.1 (MUST-6): "MUST ignore without error any TCP Option it does not implement". */
		break;
	}
}

static void parse_options(struct ss_tcphdr *h, const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != OPT_END) {
		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		parse_option(h, p, p[1]);
		p += p[1];
	}
}

int ss_tcphdr_parse(struct ss_tcphdr *h, const uint8_t *p, uint32_t n)
{
	if (n < SS_TCPHDR_MIN)
		return SS_ERR_BAD_PACKET;
	uint32_t hdr_len = (uint32_t)(p[12] >> 4) * 4;
	if (hdr_len < SS_TCPHDR_MIN || hdr_len > n)
		return SS_ERR_BAD_PACKET;
	h->src_port = ss_get_be16(p);
	h->dst_port = ss_get_be16(p + 2);
	h->seq = ss_get_be32(p + 4);
	h->ack = ss_get_be32(p + 8);
	h->hdr_len = (uint8_t)hdr_len;
	h->flags = p[13];
	h->window = ss_get_be16(p + 14);
	h->has_mss = h->has_wscale = h->has_sack_ok = h->has_ts = false;
	h->mss = 0;
	h->wscale = 0;
	h->ts_val = h->ts_ecr = 0;
	h->n_sacks = 0;
	/* Nearly every segment of a connection with timestamps looks like this (RFC 7323 appendix A). */
	if (ss_likely(hdr_len == 32 && ss_get_be32(p + 20) == 0x0101080a)) {
		h->has_ts = true;
		h->ts_val = ss_get_be32(p + 24);
		h->ts_ecr = ss_get_be32(p + 28);
	} else {
		parse_options(h, p + SS_TCPHDR_MIN, p + hdr_len);
	}
	return (int)hdr_len;
}

static uint8_t *emit_ts(const struct ss_tcphdr *h, uint8_t *o)
{
	o[0] = OPT_TS;
	o[1] = 10;
	ss_put_be32(o + 2, h->ts_val);
	ss_put_be32(o + 6, h->ts_ecr);
	return o + 10;
}

static uint8_t *emit_nops(uint8_t *o, uint32_t n)
{
	while (n--)
		*o++ = OPT_NOP;
	return o;
}

static uint8_t *emit_sack(const struct ss_tcphdr *h, uint8_t *o, uint32_t room)
{
	/* RFC 2018 3: with timestamps only three blocks fit. */
	uint32_t n = ss_min_u32(h->n_sacks, room < 12 ? 0 : (room - 4) / 8);
	if (n == 0)
		return o;
	o = emit_nops(o, 2);
	*o++ = OPT_SACK;
	*o++ = (uint8_t)(2 + n * 8);
	for (uint32_t i = 0; i < n; i++, o += 8) {
		ss_put_be32(o, h->sack[i].left);
		ss_put_be32(o + 4, h->sack[i].right);
	}
	return o;
}

/* Every branch writes a multiple of four bytes, so no padding is needed. */
static uint8_t *emit_options(const struct ss_tcphdr *h, uint8_t *o)
{
	uint8_t *start = o;

	if (h->has_mss) {
		o[0] = OPT_MSS;
		o[1] = 4;
		ss_put_be16(o + 2, h->mss);
		o += 4;
	}
	if (h->has_sack_ok) {
		if (!h->has_ts)
			o = emit_nops(o, 2);
		*o++ = OPT_SACK_OK;
		*o++ = 2;
	}
	if (h->has_ts) {
		if (!h->has_sack_ok)
			o = emit_nops(o, 2);
		o = emit_ts(h, o);
	}
	if (h->has_wscale) {
		o = emit_nops(o, 1);
		*o++ = OPT_WSCALE;
		*o++ = 3;
		*o++ = h->wscale;
	}
	return emit_sack(h, o, (uint32_t)(SS_TCPHDR_MAX - SS_TCPHDR_MIN - (o - start)));
}

uint32_t ss_tcphdr_emit(const struct ss_tcphdr *h, uint8_t *p)
{
	ss_put_be16(p, h->src_port);
	ss_put_be16(p + 2, h->dst_port);
	ss_put_be32(p + 4, h->seq);
	ss_put_be32(p + 8, h->ack);
	p[13] = h->flags;
	ss_put_be16(p + 14, h->window);
	ss_put_be16(p + 16, 0); /* checksum: net or the device fills it */
	ss_put_be16(p + 18, 0); /* urgent pointer: never sent */
	uint32_t n = (uint32_t)(emit_options(h, p + SS_TCPHDR_MIN) - p);
	p[12] = (uint8_t)(n / 4 << 4);
	return n;
}
