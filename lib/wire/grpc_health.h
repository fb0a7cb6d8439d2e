/*
 * grpc_health.h - the messages of grpc.health.v1.Health/Check, in gRPC's framing.
 *
 * Takes:   a service's name; the bytes of an answer.
 * Gives:   the request's bytes; the serving status, or a refusal.
 * Owns:    nothing.
 * Thread:  any.
 *
 * A message is one byte "compressed", four bytes of length (gRPC over HTTP/2, Length-Prefixed-Message), then
 * fields of protocol buffers: string service = 1 in the request, enum status = 1 in the answer.
 */
#ifndef SS_GRPC_HEALTH_H
#define SS_GRPC_HEALTH_H

#include "base/span.h"

#define SS_GRPC_SERVING 1u
/* A service's name has at most so many bytes; then the request has this much room. */
#define SS_GRPC_SERVICE_MAX 256u
#define SS_GRPC_REQUEST_MAX (SS_GRPC_SERVICE_MAX + 8u)

/* Writes the request of a service ("": the server as a whole); returns its length, 0 when the name is too long. */
uint32_t ss_grpc_health_request(uint8_t out[SS_GRPC_REQUEST_MAX], struct ss_span service);
/* The status of the first message. 0, or SS_ERR_BAD_STREAM: cut short, compressed, or no such message. */
int ss_grpc_health_status(struct ss_span body, uint64_t *status);

#endif
