/*
 * h2msg.h - is this header block a well-formed HTTP/2 message (RFC 9113 8.2.2, 8.3)?
 *
 * Takes:   decoded header blocks.
 * Gives:   a verdict, and the body length that content-length promises.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_STREAM: malformed (RFC 9113 8.1.1).
 *
 * Field names and values are already known to be clean: ss_hpack_decode has looked at them.
 */
#ifndef SS_H2MSG_H
#define SS_H2MSG_H

#include "wire/hdr.h"

#define SS_H2MSG_NO_LENGTH UINT64_MAX

/* A request: pseudo-header fields complete and of the right kind, authority and Host agree, no
 * connection-specific field. A missing authority is filled from Host; Host leaves the block.
 * length gets content-length or SS_H2MSG_NO_LENGTH. */
int ss_h2msg_check_request(struct ss_hdrs *h, uint64_t *length);
/* A response: :status only. */
int ss_h2msg_check_response(struct ss_hdrs *h, uint64_t *length);
/* Trailers: no pseudo-header field at all. */
int ss_h2msg_check_trailers(const struct ss_hdrs *h);

#endif
