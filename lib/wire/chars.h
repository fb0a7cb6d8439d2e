/*
 * chars.h - classes of bytes that HTTP names, values and targets are made of.
 *
 * Takes:   bytes.
 * Gives:   membership, one byte or a whole span at a time.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CHARS_H
#define SS_CHARS_H

#include "base/span.h"

#define SS_CH_TOKEN 0x01      /* RFC 9110 5.6.2 tchar */
#define SS_CH_UPPER 0x02
#define SS_CH_HEX 0x04
#define SS_CH_UNRESERVED 0x08 /* RFC 3986 2.3 */
#define SS_CH_PCHAR 0x10      /* RFC 3986 3.3, without "%" */
#define SS_CH_DIGIT 0x20
#define SS_CH_QUERY 0x40      /* what a query may hold raw: pchar, "/", "?", and what browsers leave raw */
#define SS_CH_REGNAME 0x80    /* RFC 3986 3.2.2: unreserved and sub-delims */

extern const uint8_t ss_chars[256];
/* A tchar in lower case; 0 for what is none. */
extern const uint8_t ss_chars_lower[256];

static inline bool ss_ch(uint8_t c, uint8_t classes)
{
	return (ss_chars[c] & classes) != 0;
}

static inline uint8_t ss_hex_value(uint8_t c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Is every byte of s in one of the classes? */
bool ss_chars_all(struct ss_span s, uint8_t classes);
/* A field value's bytes (RFC 9110 5.5): no control byte but HTAB. */
bool ss_chars_value(struct ss_span s);
/* The first byte from p on that a field value cannot hold, or end. */
const uint8_t *ss_chars_value_end(const uint8_t *p, const uint8_t *end);

#endif
