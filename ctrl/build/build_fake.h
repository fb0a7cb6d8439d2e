/*
 * build_fake.h - for tests: one build under way without the builder, so that a test compiles just the part
 * of a model that it is about.
 */
#ifndef SS_BUILD_FAKE_H
#define SS_BUILD_FAKE_H

#include <stdlib.h>
#include <string.h>

/* By way of the room's own file: build_int.h is the room's alone. */
#include "build/build_routes.c"

struct fake_end {
	void (*fn)(void *);
	void *arg;
};

static struct fake_end fake_ends[100000];
static uint32_t fake_n_ends;

static void fake_end_all(void)
{
	while (fake_n_ends) {
		fake_n_ends--;
		fake_ends[fake_n_ends].fn(fake_ends[fake_n_ends].arg);
	}
}

int ss_build_on_free(struct ss_build_job *j, void (*fn)(void *), void *arg)
{
	fake_ends[fake_n_ends++] = (struct fake_end){fn, arg};
	return 0;
}

void *ss_build_alloc(struct ss_build_job *j, size_t n)
{
	size_t whole = (n + 64) / 64 * 64;
	void *p = aligned_alloc(64, whole);

	memset(p, 0, whole);
	ss_build_on_free(j, free, p);
	return p;
}

void *ss_build_array(struct ss_build_job *j, size_t n, size_t size)
{
	return ss_build_alloc(j, n * size);
}

struct ss_span ss_build_text(struct ss_build_job *j, const char *text)
{
	uint32_t n = text ? (uint32_t)strlen(text) : 0;
	char *p = ss_build_alloc(j, n + 1);

	if (n)
		memcpy(p, text, n);
	return ss_span(p, n);
}

struct ss_span ss_build_lower(struct ss_build_job *j, const char *text)
{
	struct ss_span s = ss_build_text(j, text);

	for (uint32_t i = 0; i < s.n; i++)
		((uint8_t *)s.p)[i] = ss_lower(s.p[i]);
	return s;
}

uint32_t ss_build_name(struct ss_build_job *j, const char *name)
{
	return ss_names_intern(j->names, name);
}

uint32_t ss_build_addr_name(struct ss_build_job *j, const struct ss_addr *a)
{
	char text[SS_ADDR_TEXT];

	return ss_build_name(j, ss_addr_text(a, text));
}

int ss_build_ids(struct ss_build_job *j, uint32_t n, const struct ss_model_id *ids, uint16_t *out_n,
		 const struct ss_id_match **out)
{
	struct ss_id_match *m = ss_build_array(j, n, sizeof(*m));

	for (uint32_t i = 0; i < n; i++)
		m[i] = (struct ss_id_match){.kind = (uint8_t)ids[i].kind,
					    .value = ss_build_text(j, ids[i].value)};
	*out_n = (uint16_t)n;
	*out = m;
	return 0;
}

int ss_build_tls_client(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_client **out)
{
	*out = NULL;
	return 0;
}

#endif
