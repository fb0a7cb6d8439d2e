/* Frames from a stranger: what passes the checks has borders inside its payload. */
#include <stdlib.h>

#include "wire/h2frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void payload(struct ss_h2frame *f, const uint8_t *p)
{
	struct ss_h2body b;
	struct ss_h2prio prio;
	uint16_t id;
	uint32_t x, y;

	switch (f->type) {
	case SS_H2_DATA:
	case SS_H2_HEADERS:
	case SS_H2_CONTINUATION:
	case SS_H2_PUSH_PROMISE:
		if (ss_h2frame_body(f, p, &b, &prio) == 0)
			MUST((uint64_t)b.skip + b.len + b.pad == f->len);
		break;
	case SS_H2_PRIORITY:
		ss_h2frame_priority(f, p, &prio);
		break;
	case SS_H2_RST_STREAM:
		ss_h2frame_rst(p);
		break;
	case SS_H2_SETTINGS:
		for (x = 0; x < f->len / 6; x++)
			if (ss_h2frame_setting(f, p + x * 6, &id, &y) < 0)
				break;
		break;
	case SS_H2_GOAWAY:
		ss_h2frame_goaway(p, &x, &y);
		MUST(x <= 0x7fffffff);
		break;
	case SS_H2_WINDOW_UPDATE:
		if (ss_h2frame_window(f, p, &x) == 0)
			MUST(x > 0 && x <= 0x7fffffff);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	while (n >= SS_H2_HEAD) {
		struct ss_h2frame f;
		uint8_t head[SS_H2_HEAD];
		ss_h2frame_parse(&f, p);
		ss_h2frame_put(head, f.len, f.type, f.flags, f.stream);
		MUST(memcmp(head, p, 5) == 0);
		p += SS_H2_HEAD;
		n -= SS_H2_HEAD;
		if (ss_h2frame_check(&f, 16384) < 0 || f.len > n)
			return 0;
		payload(&f, p);
		p += f.len;
		n -= f.len;
	}
	return 0;
}
