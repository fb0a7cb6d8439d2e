/*
 * hpack.h - header compression of HTTP/2 (RFC 7541): both tables, both directions, Huffman.
 *
 * Takes:   whole, contiguous header blocks (fragments joined by the caller); header blocks to emit.
 * Gives:   fields as spans into the caller's memory (or the static table); encoded blocks.
 * Owns:    the dynamic table inside each struct, SS_HPACK_TABLE bytes, no pointer out of it.
 * Thread:  the struct's owner.
 * Errors:  SS_ERR_BAD_HPACK ends the connection; SS_ERR_LIMIT and SS_ERR_BAD_STREAM only the stream:
 *          the whole block was decoded and the table is in step with the peer's.
 */
#ifndef SS_HPACK_H
#define SS_HPACK_H

#include "wire/hdr.h"

/* Largest dynamic table on either side; RFC 7540's and our SETTINGS_HEADER_TABLE_SIZE. A power of two. */
#define SS_HPACK_TABLE 4096u
/* An entry costs its bytes and 32 (RFC 7541 4.1), so there are never more than this. */
#define SS_HPACK_ENTRIES (SS_HPACK_TABLE / 32)
#define SS_HPACK_SEEN 64
/* An encoder's numbers of names: those that lib/wire knows have one each, others share the rest by hash. */
#define SS_HPACK_NAMES 160

struct ss_hpack_entry {
	uint16_t off;        /* of the name in bytes[]; the value follows it, both may wrap */
	uint16_t nlen, vlen;
	uint16_t tok;        /* decoder: token and validity; encoder: which name (hpack_enc.c) */
};

/* A dynamic table: a ring of entries over a ring of bytes. */
struct ss_hpack_dyn {
	uint32_t max;       /* current limit in RFC 7541 4.1 bytes */
	uint32_t size;      /* used of it */
	uint16_t head;      /* where the next entry's bytes go */
	uint16_t inserted;  /* entries ever inserted, modulo 65536: the newest is inserted - 1 */
	uint16_t n;         /* entries alive */
	struct ss_hpack_entry e[SS_HPACK_ENTRIES]; /* [number of insertion modulo SS_HPACK_ENTRIES] */
	uint8_t bytes[SS_HPACK_TABLE + 16];        /* the last 16 are slack for wide copies */
};

struct ss_hpack_dec {
	uint32_t limit;    /* what our SETTINGS allow the peer to set */
	bool must_resize;  /* we lowered it below its size: the next block must begin with an update */
	struct ss_hpack_dyn dyn;
};

struct ss_hpack_enc {
	uint32_t low;      /* lowest size set since the last block (RFC 7541 4.2) */
	bool resized;      /* an update has to begin the next block */
	uint16_t by_field[256]; /* hash of name and value -> number of insertion + 1 (lossy) */
	uint16_t by_name[SS_HPACK_NAMES]; /* the entry used last with this name: its insertion's number + 1 */
	uint16_t seen[SS_HPACK_SEEN]; /* tags of fields sent once, not indexed yet */
	struct ss_hpack_dyn dyn;
};

/* limit: our SETTINGS_HEADER_TABLE_SIZE, at most SS_HPACK_TABLE; until the peer has it, the table
 * is as large as RFC 7541's default of 4096, so give the limit that the peer works with. */
void ss_hpack_dec_init(struct ss_hpack_dec *d, uint32_t limit);
/* A new limit, once the peer has acknowledged our SETTINGS. */
void ss_hpack_dec_limit(struct ss_hpack_dec *d, uint32_t limit);
/*
 * Decodes one whole block into h (ss_hdrs_init'ed by the caller); bytes go to out, which moves on.
 * Pseudo-header fields go to their members. max_bytes: limit on h->bytes; h->cap limits the count.
 * 0; SS_ERR_BAD_HPACK; SS_ERR_LIMIT (too many fields or bytes, or out is full); SS_ERR_BAD_STREAM
 * (RFC 9113 8.2.1, 8.3: bad bytes in a name or value, upper case, pseudo-header field unknown,
 * repeated or after a regular one). Completeness is ss_h2msg_check_*'s business.
 */
int ss_hpack_decode(struct ss_hpack_dec *d, const uint8_t *p, uint32_t n, uint32_t max_bytes,
		    struct ss_out *out, struct ss_hdrs *h);

/*
 * The same in steps, for a caller that has little room and can find more. go: as ss_hpack_decode, but
 * SS_ERR_FULL when a field does not fit out: go again with other room (fields decoded so far stay where they
 * are), or drain, which decodes the rest for the table's sake alone and returns err, or SS_ERR_BAD_HPACK.
 * r->out: what is left.
 */
struct ss_hpack_run {
	struct ss_hpack_dec *d;
	const uint8_t *p, *end;
	struct ss_out out;
	struct ss_hdrs *h;
	uint32_t max_bytes;
	int err;        /* the message's, sticky: SS_ERR_LIMIT or SS_ERR_BAD_STREAM */
	bool begun;     /* past the place where size updates may stand */
	bool regular;   /* a regular field was seen: no pseudo-header field may follow */
	uint8_t pseudo; /* bit per pseudo-header field seen */
};

void ss_hpack_begin(struct ss_hpack_run *r, struct ss_hpack_dec *d, const uint8_t *p, uint32_t n,
		    uint32_t max_bytes, struct ss_hdrs *h);
int ss_hpack_go(struct ss_hpack_run *r, struct ss_out out);
int ss_hpack_drain(struct ss_hpack_run *r, int err);

/* The peer's SETTINGS_HEADER_TABLE_SIZE is 4096 until said otherwise. */
void ss_hpack_enc_init(struct ss_hpack_enc *e);
/* The peer's SETTINGS_HEADER_TABLE_SIZE; larger than SS_HPACK_TABLE is used as SS_HPACK_TABLE. */
void ss_hpack_enc_limit(struct ss_hpack_enc *e, uint32_t limit);
/* No encoded block of h is longer than this. */
uint32_t ss_hpack_bound(const struct ss_hdrs *h);
/*
 * Encodes pseudo-header fields (:status when h->status, else the request's) and then the fields;
 * returns the block's length. SS_ERR_FULL when out has less room than ss_hpack_bound(h): then nothing
 * has changed. Secrets (SS_HDR_NEVER_INDEX, authorization, cookies) go as never-indexed literals.
 */
int ss_hpack_encode(struct ss_hpack_enc *e, const struct ss_hdrs *h, struct ss_out *out);
/* What encoders call a name: found once for a field that is sent again and again. Never 0. */
uint16_t ss_hpack_name_number(struct ss_span name);

/* Huffman (RFC 7541 5.2). Decoded length, SS_ERR_BAD_HPACK (EOS, bad padding) or SS_ERR_FULL. */
int ss_hpack_huff_decode(const uint8_t *p, uint32_t n, uint8_t *dst, uint32_t room);
/* Bytes that s takes when coded. */
uint32_t ss_hpack_huff_len(const uint8_t *p, uint32_t n);
/* Writes ss_hpack_huff_len bytes to dst; returns the end. */
uint8_t *ss_hpack_huff_encode(const uint8_t *p, uint32_t n, uint8_t *dst);

#endif
