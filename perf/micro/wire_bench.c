/*
 * wire_bench.c - lib/wire: checksums, headers of segments and frames, header blocks of both versions.
 */
#include <stdio.h>

#include "perf/micro/foreign.h"
#include "perf/micro/micro.h"
#include "wire/csum.h"
#include "wire/h1.h"
#include "wire/h2frame.h"
#include "wire/h2msg.h"
#include "wire/hpack.h"
#include "wire/tcphdr.h"
#include "wire/uri.h"

static uint8_t bytes[16384];

/* -- layers 3 and 4 -- */

static void csum(void *at, uint32_t n)
{
	uint32_t len = *(uint32_t *)at;

	for (uint32_t i = 0; i < n; i++)
		micro_keep(ss_csum(bytes, len));
}

static uint8_t segment[SS_TCPHDR_MAX];
static struct ss_tcphdr with_ts = {.src_port = 40000,
				   .dst_port = 443,
				   .seq = 1000,
				   .ack = 2000,
				   .window = 500,
				   .flags = SS_TCP_ACK | SS_TCP_PSH,
				   .has_ts = true,
				   .ts_val = 9,
				   .ts_ecr = 8};

static void tcphdr_parse(void *at, uint32_t n)
{
	struct ss_tcphdr h;

	for (uint32_t i = 0; i < n; i++) {
		ss_tcphdr_parse(&h, segment, sizeof(segment));
		micro_keep(&h);
	}
}

static void tcphdr_emit(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		with_ts.seq = i;
		ss_tcphdr_emit(&with_ts, segment);
		micro_keep(segment);
	}
}

static void low_layers(struct micro *m)
{
	static uint32_t sizes[] = {64, 256, 1460};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
		char name[32];
		snprintf(name, sizeof(name), "wire.csum.%u", sizes[i]);
		micro_run(m, name, csum, &sizes[i]);
	}
	micro_run(m, "wire.tcphdr.emit", tcphdr_emit, NULL);
	micro_run(m, "wire.tcphdr.parse", tcphdr_parse, NULL);
}

/* -- HTTP/2 -- */

static void h2frame(void *at, uint32_t n)
{
	struct ss_h2frame f;

	for (uint32_t i = 0; i < n; i++) {
		ss_h2frame_parse(&f, bytes);
		micro_keep(ss_h2frame_check(&f, SS_H2_MAX_FRAME_MIN));
	}
}

/* One direction of a connection with a head that is sent again and again. */
struct hpack {
	struct ss_hpack_dec dec;
	struct ss_hpack_enc enc;
	struct ss_hdr v[HEADS_FIELDS], got[HEADS_FIELDS];
	struct ss_hdrs h;
	uint8_t block[2048]; /* to be decoded */
	uint32_t len;
};

static uint32_t encode(struct hpack *k)
{
	static uint8_t mem[2048];
	struct ss_out out = ss_out(mem, sizeof(mem));

	return (uint32_t)ss_hpack_encode(&k->enc, &k->h, &out);
}

static int decode(struct hpack *k, struct ss_hdrs *h)
{
	static uint8_t mem[8192];
	struct ss_out out = ss_out(mem, sizeof(mem));

	ss_hdrs_init(h, k->got, HEADS_FIELDS);
	return ss_hpack_decode(&k->dec, k->block, k->len, 16384, &out, h);
}

/* The encoder as it is from the third time on; the block of another implementation, and a table that knows
 * it. */
static void warm(struct hpack *k, const struct head *head)
{
	struct ss_hdrs h;

	ss_hpack_enc_init(&k->enc);
	k->h = head_block(head, k->v);
	for (int i = 0; i < 4; i++)
		encode(k);
	ss_hpack_dec_init(&k->dec, SS_HPACK_TABLE);
	for (int i = 0; i < 2; i++) {
		k->len = foreign_block(head, i == 0, k->block);
		assert(decode(k, &h) == 0 && h.n == k->h.n);
	}
}

static void hpack_encode(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		micro_keep(encode(at));
}

static void hpack_decode(void *at, uint32_t n)
{
	struct ss_hdrs h;

	for (uint32_t i = 0; i < n; i++)
		micro_keep(decode(at, &h));
}

/* The first block of a connection: everything is a literal that enters the table. */
static void hpack_decode_first(void *at, uint32_t n)
{
	struct hpack *k = at;
	struct ss_hdrs h;

	for (uint32_t i = 0; i < n; i++) {
		ss_hpack_dec_init(&k->dec, SS_HPACK_TABLE);
		micro_keep(decode(k, &h));
	}
}

static void h2msg_request(void *at, uint32_t n)
{
	struct hpack *k = at;
	uint64_t length;

	for (uint32_t i = 0; i < n; i++)
		micro_keep(ss_h2msg_check_request(&k->h, &length));
}

static void http2(struct micro *m)
{
	static struct hpack grpc, browser, answer, first;

	ss_h2frame_put(bytes, 128, SS_H2_DATA, SS_H2_F_END_STREAM, 1);
	micro_run(m, "wire.h2frame.head", h2frame, NULL);
	warm(&grpc, &head_grpc);
	warm(&browser, &head_browser);
	warm(&answer, &head_answer);
	first.len = foreign_block(&head_grpc, true, first.block);
	micro_run(m, "wire.hpack.decode.grpc", hpack_decode, &grpc);
	micro_run(m, "wire.hpack.decode.grpc_first", hpack_decode_first, &first);
	micro_run(m, "wire.hpack.decode.browser", hpack_decode, &browser);
	micro_run(m, "wire.hpack.decode.answer", hpack_decode, &answer);
	micro_run(m, "wire.hpack.encode.grpc", hpack_encode, &grpc);
	micro_run(m, "wire.hpack.encode.browser", hpack_encode, &browser);
	micro_run(m, "wire.hpack.encode.answer", hpack_encode, &answer);
	micro_run(m, "wire.h2msg.request.grpc", h2msg_request, &grpc);
}

struct huff {
	const char *text;
	uint8_t coded[256];
	uint32_t len;
};

static void huff_decode(void *at, uint32_t n)
{
	struct huff *f = at;
	uint8_t out[256];

	for (uint32_t i = 0; i < n; i++) {
		ss_hpack_huff_decode(f->coded, f->len, out, sizeof(out));
		micro_keep(out);
	}
}

static void huff_encode(void *at, uint32_t n)
{
	struct huff *f = at;
	uint32_t len = (uint32_t)strlen(f->text);

	for (uint32_t i = 0; i < n; i++) {
		micro_keep(ss_hpack_huff_len((const uint8_t *)f->text, len));
		micro_keep(ss_hpack_huff_encode((const uint8_t *)f->text, len, f->coded));
	}
}

static void huffman(struct micro *m)
{
	static struct huff trace = {.text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
	static struct huff id = {.text = "7d7e2b0c-53b1-4f8e-9c2e-1d0f5a3b6c48"};

	for (struct huff *f = &trace;; f = &id) {
		f->len = ss_hpack_huff_len((const uint8_t *)f->text, (uint32_t)strlen(f->text));
		ss_hpack_huff_encode((const uint8_t *)f->text, (uint32_t)strlen(f->text), f->coded);
		if (f == &id)
			break;
	}
	micro_run(m, "wire.huff.decode.55", huff_decode, &trace);
	micro_run(m, "wire.huff.decode.36", huff_decode, &id);
	micro_run(m, "wire.huff.encode.55", huff_encode, &trace);
}

/* -- HTTP/1.1 -- */

struct h1 {
	struct ss_hdr v[HEADS_FIELDS], got[HEADS_FIELDS];
	struct ss_hdrs h;
	uint8_t text[2048], copy[2048];
	uint32_t len;
};

static void h1_scan(void *at, uint32_t n)
{
	struct h1 *k = at;
	struct ss_h1_scan s;

	for (uint32_t i = 0; i < n; i++) {
		ss_h1_scan_init(&s, true);
		micro_keep(ss_h1_scan(&s, k->text, k->len));
	}
}

/* Names are put in lower case where they lie: each head is a fresh copy. */
static void h1_request(void *at, uint32_t n)
{
	struct h1 *k = at;
	struct ss_hdrs h;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_h1_head head = {0};
		memcpy(k->copy, k->text, k->len);
		ss_hdrs_init(&h, k->got, HEADS_FIELDS);
		micro_keep(ss_h1_parse_request(k->copy, k->len, &head, &h));
	}
}

static void h1_response(void *at, uint32_t n)
{
	struct h1 *k = at;
	struct ss_hdrs h;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_h1_head head = {0};
		memcpy(k->copy, k->text, k->len);
		ss_hdrs_init(&h, k->got, HEADS_FIELDS);
		micro_keep(ss_h1_parse_response(k->copy, k->len, &head, &h));
	}
}

static void h1_emit(void *at, uint32_t n)
{
	struct h1 *k = at;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_out o = ss_out(k->copy, sizeof(k->copy));
		micro_keep(k->h.status ? ss_h1_emit_response(&k->h, 0, &o)
				       : ss_h1_emit_request(&k->h, 0, &o));
		micro_keep(o.p);
	}
}

static void h1_text(struct h1 *k, const struct head *head)
{
	struct ss_out o = ss_out(k->text, sizeof(k->text));

	k->h = head_block(head, k->v);
	if (head->status)
		ss_h1_emit_response(&k->h, 0, &o);
	else
		ss_h1_emit_request(&k->h, 0, &o);
	assert(!o.over);
	k->len = (uint32_t)(o.p - k->text);
	for (uint32_t i = 0; i + 1 < k->len; i++) /* as most clients write names */
		if (k->text[i] == '\n' && k->text[i + 1] >= 'a' && k->text[i + 1] <= 'z')
			k->text[i + 1] = (uint8_t)(k->text[i + 1] - 32);
}

static void http1(struct micro *m)
{
	static struct h1 small, browser, answer;

	h1_text(&small, &head_small);
	h1_text(&browser, &head_browser);
	h1_text(&answer, &head_answer);
	micro_run(m, "wire.h1.scan.small", h1_scan, &small);
	micro_run(m, "wire.h1.scan.browser", h1_scan, &browser);
	micro_run(m, "wire.h1.parse.small", h1_request, &small);
	micro_run(m, "wire.h1.parse.browser", h1_request, &browser);
	micro_run(m, "wire.h1.parse.answer", h1_response, &answer);
	micro_run(m, "wire.h1.emit.small", h1_emit, &small);
	micro_run(m, "wire.h1.emit.browser", h1_emit, &browser);
	micro_run(m, "wire.h1.emit.answer", h1_emit, &answer);
}

static void uri_path(void *at, uint32_t n)
{
	struct ss_span path = ss_span_str(at), norm;
	uint8_t mem[256];

	for (uint32_t i = 0; i < n; i++) {
		struct ss_out out = ss_out(mem, sizeof(mem));
		ss_uri_path(path, 0, &out, &norm);
		micro_keep(norm.n);
	}
}

static void uri_authority(void *at, uint32_t n)
{
	struct ss_span a = ss_span_str(at), host;
	uint16_t port;

	for (uint32_t i = 0; i < n; i++) {
		ss_uri_authority(a, &host, &port);
		micro_keep(port);
	}
}

static void token(void *at, uint32_t n)
{
	struct hpack *k = at;

	for (uint32_t i = 0; i < n; i++)
		for (uint16_t f = 0; f < k->h.n; f++)
			micro_keep((unsigned)ss_hdr_token(k->h.v[f].name));
}

void micro_items(struct micro *m)
{
	static struct hpack browser;

	low_layers(m);
	http2(m);
	huffman(m);
	http1(m);
	micro_run(m, "wire.uri.path", uri_path, "/shop/items/2941?ref=home&page=3");
	micro_run(m, "wire.uri.authority", uri_authority, "cart.shop.svc.cluster.local:8443");
	browser.h = head_block(&head_browser, browser.v);
	micro_run(m, "wire.hdr.token.browser", token, &browser);
}
