/*
 * b64url.h - base64url without padding (RFC 7515 2, RFC 4648 5).
 *
 * Takes:   text of a stranger.
 * Gives:   its bytes, in the caller's buffer.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_STREAM for a character outside the alphabet, a length that nothing encodes to, or bits
 * after the last byte that are not zero (so that one value has one text); SS_ERR_LIMIT without room.
 */
#ifndef SS_B64URL_H
#define SS_B64URL_H

#include "base/span.h"

/* Bytes written, or an error. */
int ss_b64url(struct ss_span text, uint8_t *out, uint32_t room);

#endif
