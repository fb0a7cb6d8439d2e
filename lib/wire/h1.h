/*
 * h1.h - HTTP/1.1 messages (RFC 9112), strictly: heads, chunks, trailers, both ways.
 *
 * Takes:   bytes of a connection; header blocks to emit.
 * Gives:   heads as spans into the input, body lengths, chunk borders; or a refusal with its reason.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  parsers return bytes consumed, 0 for "need more", negative for refused: SS_ERR_BAD_CONN,
 *          or SS_ERR_LIMIT for too many fields; enum ss_h1_why says what was wrong.
 *
 * Nothing is repaired. Where RFC 9112 lets a recipient be lenient (bare LF, obs-fold, space before a
 * colon, several equal lengths), two recipients may differ, and that difference is request smuggling.
 */
#ifndef SS_H1_H
#define SS_H1_H

#include "wire/hdr.h"

/* X(name, status for a server to answer, is it about message length, text) */
#define SS_H1_WHY_LIST(X)                                                                  \
	X(BARE_LF, 400, 0, "line ends without CR")                                         \
	X(BARE_CR, 400, 0, "CR without LF")                                                \
	X(METHOD, 400, 0, "bad byte in the method")                                        \
	X(TARGET, 400, 0, "bad request target")                                            \
	X(VERSION_SYNTAX, 400, 0, "malformed version")                                     \
	X(VERSION, 505, 0, "version that is not HTTP/1.0 or 1.1")                          \
	X(STATUS, 400, 0, "malformed status line")                                         \
	X(NAME, 400, 0, "bad byte in a field name")                                        \
	X(SPACE_COLON, 400, 1, "white space before a colon")                               \
	X(VALUE, 400, 0, "bad byte in a field value")                                      \
	X(FOLD, 400, 1, "folded field line")                                               \
	X(HOST, 400, 0, "missing, repeated or bad Host")                                   \
	X(HOST_MISMATCH, 400, 1, "Host differs from the target's authority")               \
	X(LENGTH, 400, 1, "bad content-length")                                            \
	X(LENGTH_TWICE, 400, 1, "several content-lengths")                                 \
	X(LENGTH_AND_CODING, 400, 1, "both content-length and transfer-encoding")          \
	X(CODING, 501, 1, "transfer-encoding other than chunked")                          \
	X(CODING_OLD, 400, 1, "transfer-encoding in HTTP/1.0")                             \
	X(CODING_NONE, 400, 1, "transfer-encoding where no body can be")                   \
	X(FIELDS, 431, 0, "too many fields")                                               \
	X(CHUNK_SIZE, 400, 1, "bad chunk size")                                            \
	X(CHUNK_EXT, 400, 1, "bad or long chunk extensions")                               \
	X(CHUNK_END, 400, 1, "chunk does not end in CRLF")                                 \
	X(TRAILER, 400, 1, "field that no trailer may carry")

enum ss_h1_why {
	SS_H1_WHY_NONE = 0,
#define SS_H1_X(name, status, length, text) SS_H1_WHY_##name,
	SS_H1_WHY_LIST(SS_H1_X)
#undef SS_H1_X
	SS_H1_WHY_COUNT
};

/* The status to answer with; is it a smuggling shape; a line for people. */
uint16_t ss_h1_why_status(enum ss_h1_why why);
bool ss_h1_why_smuggling(enum ss_h1_why why);
const char *ss_h1_why_text(enum ss_h1_why why);

/* RFC 9112 6.3: where the body ends. */
enum ss_h1_body {
	SS_H1_BODY_NONE,
	SS_H1_BODY_LENGTH,  /* head.length bytes (never 0) */
	SS_H1_BODY_CHUNKED,
	SS_H1_BODY_CLOSE,   /* responses: until the connection ends */
	SS_H1_BODY_TUNNEL,  /* 2xx to CONNECT, 101: no HTTP any more */
};

struct ss_h1_head {
	enum ss_h1_why why; /* set where a parser refuses */
	enum ss_h1_body body;
	uint64_t length;
	uint8_t minor;        /* HTTP/1.minor */
	bool keep_alive;      /* the sender lets the connection live (RFC 9112 9.3) */
	bool expect_continue; /* requests: Expect: 100-continue in HTTP/1.1 */
	bool upgrade;         /* Connection names upgrade, and Upgrade is there */
	bool absolute;        /* requests: the target was in absolute form */
	bool head_request;    /* set by the caller before parsing a response: it answers HEAD ... */
	bool connect_request; /* ... or CONNECT */
	struct ss_span reason; /* responses: the phrase, maybe empty */
};

/* Looks for the end of a head or trailer section in pieces as they come, without a copy. */
struct ss_h1_scan {
	uint32_t seen;  /* bytes of the section so far */
	uint8_t state;
	uint8_t why;    /* enum ss_h1_why when refused */
};

/* head: empty lines in front of it are passed over (RFC 9112 2.2); else a trailer section. */
void ss_h1_scan_init(struct ss_h1_scan *s, bool head);
/* Bytes of this piece that belong to the section when its end is in it; 0: it goes on in the next
 * piece; SS_ERR_BAD_CONN: a line that does not end in CRLF. */
int ss_h1_scan(struct ss_h1_scan *s, const uint8_t *p, uint32_t n);

/*
 * A request head. p is contiguous; names are put in lower case where they lie. Fills h (method,
 * path, authority from the target or Host, scheme only from an absolute form; Host itself and
 * Transfer-Encoding leave the block) and head. Spans point into p. h is ss_hdrs_init'ed by the caller.
 */
int ss_h1_parse_request(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h);
/* A response head; head_request and connect_request are inputs. */
int ss_h1_parse_response(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h);
/* A trailer section with its empty line. Framing and routing fields are refused (RFC 9110 6.5.1). */
int ss_h1_parse_trailers(uint8_t *p, uint32_t n, struct ss_h1_head *head, struct ss_hdrs *h);

/* Chunk borders, byte by byte if need be. */
struct ss_h1_chunk {
	uint64_t left; /* the chunk's bytes that are to come; ss_h1_chunk_data says whether they come next */
	uint32_t ext;   /* bytes of extensions in this body: bounded */
	uint8_t state, digits;
	uint8_t why;    /* enum ss_h1_why when refused */
	bool last;      /* the last chunk is over: a trailer section comes next */
};

void ss_h1_chunk_init(struct ss_h1_chunk *c);
/*
 * Reads framing bytes: returns how many of p were framing. Stops where data begins (left > 0) or
 * where the trailer section begins (last). While left > 0 it consumes nothing.
 */
int ss_h1_chunk(struct ss_h1_chunk *c, const uint8_t *p, uint32_t n);
/* Bytes of data that come next; 0 when framing comes next. */
uint64_t ss_h1_chunk_data(const struct ss_h1_chunk *c);
/* The caller has taken n (<= left) bytes of data. */
void ss_h1_chunk_took(struct ss_h1_chunk *c, uint32_t n);

/* How a head is to be framed. */
#define SS_H1_EMIT_CHUNKED 0x1   /* adds transfer-encoding: chunked */
#define SS_H1_EMIT_CLOSE 0x2     /* adds connection: close */
#define SS_H1_EMIT_KEEP_ALIVE 0x4 /* adds connection: keep-alive (to an HTTP/1.0 client) */
#define SS_H1_EMIT_LENGTH_0 0x8  /* adds content-length: 0 */

/* Bytes that suffice for the head of h. */
uint32_t ss_h1_bound(const struct ss_hdrs *h);
/* The request line, Host from authority, the fields; cookies joined (RFC 9113 8.2.3). 0, or SS_ERR_FULL. */
int ss_h1_emit_request(const struct ss_hdrs *h, uint32_t flags, struct ss_out *o);
/* The status line and the fields. 0, or SS_ERR_FULL. */
int ss_h1_emit_response(const struct ss_hdrs *h, uint32_t flags, struct ss_out *o);

#define SS_H1_CHUNK_HEAD_MAX 10
/* "1f4\r\n"; returns its length. n > 0. */
uint32_t ss_h1_emit_chunk_head(uint8_t *p, uint32_t n);
/* The last chunk and the trailer section (t may be NULL), without the CRLF of the data before. */
int ss_h1_emit_last_chunk(const struct ss_hdrs *t, struct ss_out *o);
/* The usual phrase for a status; empty when there is none. */
struct ss_span ss_h1_phrase(uint16_t status);

#endif
