/*
 * h2frame.h - the nine-byte frame header of HTTP/2 and each frame's payload (RFC 9113 4, 6).
 *
 * Takes:   bytes of frames; values to emit.
 * Gives:   parsed values, or a refusal with its RFC 9113 7 error code; bytes of frames.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_CONN or SS_ERR_BAD_STREAM, with the code in the frame's `code`.
 */
#ifndef SS_H2FRAME_H
#define SS_H2FRAME_H

#include "base/span.h"

#define SS_H2_HEAD 9u
#define SS_H2_MAX_FRAME_MIN 16384u    /* SETTINGS_MAX_FRAME_SIZE: least and default */
#define SS_H2_MAX_FRAME_MAX 16777215u
#define SS_H2_MAX_WINDOW 0x7fffffffu
#define SS_H2_WINDOW 65535u           /* both initial windows */
#define SS_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SS_H2_PREFACE_LEN 24u

enum ss_h2_type {
	SS_H2_DATA = 0, SS_H2_HEADERS = 1, SS_H2_PRIORITY = 2, SS_H2_RST_STREAM = 3, SS_H2_SETTINGS = 4,
	SS_H2_PUSH_PROMISE = 5, SS_H2_PING = 6, SS_H2_GOAWAY = 7, SS_H2_WINDOW_UPDATE = 8,
	SS_H2_CONTINUATION = 9, SS_H2_TYPES = 10,
};

#define SS_H2_F_ACK 0x1         /* SETTINGS, PING */
#define SS_H2_F_END_STREAM 0x1  /* DATA, HEADERS */
#define SS_H2_F_END_HEADERS 0x4
#define SS_H2_F_PADDED 0x8
#define SS_H2_F_PRIORITY 0x20

enum ss_h2_code {
	SS_H2_NO_ERROR = 0x0, SS_H2_PROTOCOL_ERROR = 0x1, SS_H2_INTERNAL_ERROR = 0x2,
	SS_H2_FLOW_CONTROL_ERROR = 0x3, SS_H2_SETTINGS_TIMEOUT = 0x4, SS_H2_STREAM_CLOSED = 0x5,
	SS_H2_FRAME_SIZE_ERROR = 0x6, SS_H2_REFUSED_STREAM = 0x7, SS_H2_CANCEL = 0x8,
	SS_H2_COMPRESSION_ERROR = 0x9, SS_H2_CONNECT_ERROR = 0xa, SS_H2_ENHANCE_YOUR_CALM = 0xb,
	SS_H2_INADEQUATE_SECURITY = 0xc, SS_H2_HTTP_1_1_REQUIRED = 0xd,
};

enum ss_h2_setting {
	SS_H2_SET_HEADER_TABLE_SIZE = 1, SS_H2_SET_ENABLE_PUSH = 2, SS_H2_SET_MAX_CONCURRENT_STREAMS = 3,
	SS_H2_SET_INITIAL_WINDOW_SIZE = 4, SS_H2_SET_MAX_FRAME_SIZE = 5, SS_H2_SET_MAX_HEADER_LIST_SIZE = 6,
	SS_H2_SET_ENABLE_CONNECT_PROTOCOL = 8, /* RFC 8441 */
};

struct ss_h2frame {
	uint32_t len;    /* of the payload */
	uint32_t stream; /* reserved bit cleared */
	uint32_t code;   /* enum ss_h2_code, set where something is refused */
	uint8_t type, flags;
};

/* What DATA, HEADERS, CONTINUATION or PUSH_PROMISE carries: payload is skip + len + pad bytes. */
struct ss_h2body {
	uint32_t skip; /* pad length and priority bytes in front */
	uint32_t len;  /* data or header block fragment */
	uint32_t pad;  /* padding behind */
};

struct ss_h2prio {
	uint32_t depends; /* stream */
	uint8_t weight;   /* as on the wire: 0 means 1 */
	bool exclusive;
};

/* The frame header from nine bytes. Cannot fail. */
void ss_h2frame_parse(struct ss_h2frame *f, const uint8_t *p);
/*
 * What the header alone can break: length over max_frame or wrong for its type, stream 0 where a
 * stream is meant or the other way. 0 for frames of unknown type (RFC 9113 4.1: ignore them).
 */
int ss_h2frame_check(struct ss_h2frame *f, uint32_t max_frame);
/* How many of the payload's first bytes ss_h2frame_body wants: 0, 1, 5 or 6. */
uint32_t ss_h2frame_prefix(const struct ss_h2frame *f);
/* Padding and priority of DATA, HEADERS, CONTINUATION; p has ss_h2frame_prefix(f) bytes. prio may be NULL. */
int ss_h2frame_body(struct ss_h2frame *f, const uint8_t *p, struct ss_h2body *b, struct ss_h2prio *prio);
/* PRIORITY: five bytes. A stream that depends on itself is a stream error (RFC 7540 5.3.1). */
int ss_h2frame_priority(struct ss_h2frame *f, const uint8_t *p, struct ss_h2prio *prio);
/* RST_STREAM: four bytes. */
uint32_t ss_h2frame_rst(const uint8_t *p);
/* One of SETTINGS' f->len / 6 parameters. Bad values are refused with f->code; unknown ids pass. */
int ss_h2frame_setting(struct ss_h2frame *f, const uint8_t *p, uint16_t *id, uint32_t *value);
/* GOAWAY: at least eight bytes. */
void ss_h2frame_goaway(const uint8_t *p, uint32_t *last, uint32_t *code);
/* WINDOW_UPDATE: four bytes. An increment of 0 is refused: the stream, or the connection on stream 0. */
int ss_h2frame_window(struct ss_h2frame *f, const uint8_t *p, uint32_t *increment);

/* Nine bytes to p. */
void ss_h2frame_put(uint8_t *p, uint32_t len, uint8_t type, uint8_t flags, uint32_t stream);
/* Whole small frames. */
void ss_h2frame_put_rst(struct ss_out *o, uint32_t stream, uint32_t code);
void ss_h2frame_put_window(struct ss_out *o, uint32_t stream, uint32_t increment);
void ss_h2frame_put_ping(struct ss_out *o, const uint8_t opaque[8], bool ack);
void ss_h2frame_put_goaway(struct ss_out *o, uint32_t last, uint32_t code);
void ss_h2frame_put_priority(struct ss_out *o, uint32_t stream, const struct ss_h2prio *prio);
struct ss_h2setting {
	uint16_t id;
	uint32_t value;
};
void ss_h2frame_put_settings(struct ss_out *o, const struct ss_h2setting *v, uint32_t n);
void ss_h2frame_put_settings_ack(struct ss_out *o);

#endif
