#include "wire/grpc_health.h"

#include <string.h>

#include "base/err.h"

#define PREFIX 5u

/* Wire types of protocol buffers ("Encoding", Message Structure). */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static uint32_t put_varint(uint8_t *p, uint32_t v)
{
	uint32_t n = 0;

	for (; v > 127; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

uint32_t ss_grpc_health_request(uint8_t out[SS_GRPC_REQUEST_MAX], struct ss_span service)
{
	uint32_t n = PREFIX;

	if (service.n > SS_GRPC_SERVICE_MAX)
		return 0;
	if (service.n) {
		out[n++] = 1 << 3 | BYTES;
		n += put_varint(out + n, service.n);
		memcpy(out + n, service.p, service.n);
		n += service.n;
	}
	out[0] = 0;
	out[1] = out[2] = 0;
	out[3] = (uint8_t)((n - PREFIX) >> 8);
	out[4] = (uint8_t)(n - PREFIX);
	return n;
}

/* At most ten bytes; what does not fit 64 bits is cut, as the encoding says of enums and ints. */
static bool take_varint(struct ss_span *s, uint64_t *v)
{
	*v = 0;
	for (uint32_t i = 0; i < 10 && i < s->n; i++) {
		*v |= (uint64_t)(s->p[i] & 0x7f) << 7 * i;
		if (!(s->p[i] & 0x80)) {
			*s = ss_span(s->p + i + 1, s->n - i - 1);
			return true;
		}
	}
	return false;
}

static bool skip(struct ss_span *s, uint64_t n)
{
	if (n > s->n)
		return false;
	*s = ss_span(s->p + n, s->n - (uint32_t)n);
	return true;
}

/* The value of a field that is not ours. Groups are no part of this message, nor of any newer one. */
static bool skip_value(struct ss_span *s, uint32_t type)
{
	uint64_t n;

	switch (type) {
	case VARINT:
		return take_varint(s, &n);
	case FIXED64:
		return skip(s, 8);
	case FIXED32:
		return skip(s, 4);
	case BYTES:
		return take_varint(s, &n) && skip(s, n);
	default:
		return false;
	}
}

int ss_grpc_health_status(struct ss_span body, uint64_t *status)
{
	struct ss_span m;
	uint64_t key;
	uint32_t n;

	*status = 0; /* a field that has its default is not sent */
	if (body.n < PREFIX || body.p[0] != 0)
		return SS_ERR_BAD_STREAM;
	n = (uint32_t)body.p[1] << 24 | (uint32_t)body.p[2] << 16 | (uint32_t)body.p[3] << 8 | body.p[4];
	if (n > body.n - PREFIX)
		return SS_ERR_BAD_STREAM;
	m = ss_span(body.p + PREFIX, n);
	while (m.n) {
		if (!take_varint(&m, &key))
			return SS_ERR_BAD_STREAM;
		if (key == (1 << 3 | VARINT) ? !take_varint(&m, status) : !skip_value(&m, key & 7))
			return SS_ERR_BAD_STREAM;
	}
	return 0;
}
