#include "wire/dns.h"

#include <string.h>

#include "base/err.h"

struct reader {
	const uint8_t *p;
	uint32_t n, at;
	bool bad;
};

static uint32_t take(struct reader *r, uint32_t bytes)
{
	uint32_t v = 0;

	if (r->bad || r->n - r->at < bytes) {
		r->bad = true;
		return 0;
	}
	while (bytes--)
		v = v << 8 | r->p[r->at++];
	return v;
}

/* Letters, digits, hyphens; underscores are in names of services (RFC 2782), and in some of hosts. */
static bool of_a_host(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* RFC 1035 4.1.4: a pointer leads to a prior occurrence, so each leads further back than the one before. to NULL: passed over. */
static void name(struct reader *r, char *to)
{
	uint32_t at = r->at, back = r->at, used = 0;
	bool jumped = false;

	while (!r->bad) {
		uint32_t len = at < r->n ? r->p[at] : 256;
		if (len == 0) {
			at++;
			break;
		}
		if (len >= 0xc0 && len < 256 && at + 1 < r->n) {
			uint32_t there = (len & 0x3f) << 8 | r->p[at + 1];
			if (!jumped)
				r->at = at + 2;
			jumped = true;
			r->bad = there >= back;
			at = back = there;
			continue;
		}
		r->bad = len > 63 || r->n - at <= len || used + len + 1 > SS_DNS_NAME_MAX;
		for (uint32_t i = 0; !r->bad && i < len; i++) {
			r->bad = to && !of_a_host(r->p[at + 1 + i]);
			if (to)
				to[used + i] = (char)r->p[at + 1 + i];
		}
		if (to && !r->bad)
			to[used + len] = '.';
		used += len + 1;
		at += len + 1;
	}
	if (!jumped)
		r->at = at;
	if (to)
		to[used && !r->bad ? used - 1 : 0] = '\0';
}

static void read_one(struct reader *r, enum ss_dns_type type, uint32_t length, struct ss_dns_record *out)
{
	uint32_t end = r->at + length;

	memset(out, 0, sizeof(*out));
	if (type == SS_DNS_SRV) {
		out->priority = (uint16_t)take(r, 2);
		out->weight = (uint16_t)take(r, 2);
		out->port = (uint16_t)take(r, 2);
		name(r, out->target);
		r->bad |= r->at != end;
	} else {
		r->bad |= length != (type == SS_DNS_A ? 4u : 16u);
		out->ip.family = type == SS_DNS_A ? 4 : 6;
		for (uint32_t i = 0; i < length && !r->bad; i++)
			out->ip.b[i] = (uint8_t)take(r, 1);
	}
}

int ss_dns_answer(const uint8_t *p, uint32_t n, enum ss_dns_type type, struct ss_dns_record *out, uint32_t max,
		  uint32_t *ttl)
{
	struct reader r = {.p = p, .n = n};
	uint32_t questions, answers, found = 0;

	*ttl = UINT32_MAX;
	take(&r, 4);
	questions = take(&r, 2);
	answers = take(&r, 2);
	take(&r, 4);
	for (; questions-- && !r.bad;) {
		name(&r, NULL);
		take(&r, 4);
	}
	for (; answers-- && !r.bad;) {
		name(&r, NULL);
		uint32_t of = take(&r, 2), class = take(&r, 2), time = take(&r, 4), length = take(&r, 2), end = r.at + length;
		struct ss_dns_record spare;
		r.bad |= r.n - r.at < length;
		if (r.bad || class != 1 || (of != (uint32_t)type && of != SS_DNS_CNAME)) {
			r.at = end;
			continue;
		}
		/* RFC 2181 8: with its highest bit set it is zero. */
		*ttl = ss_min_u32(*ttl, time > INT32_MAX ? 0 : time);
		if (of == (uint32_t)type) {
			read_one(&r, type, length, found < max ? &out[found] : &spare);
			found++;
		}
		r.at = end;
	}
	return r.bad ? SS_ERR_BAD_STREAM : (int)found;
}
