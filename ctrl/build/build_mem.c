/* build_mem.c - a snapshot's memory: what is taken while it is built lives and dies with it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"
#include "mem/region.h"

struct last_act {
	struct last_act *next;
	void (*fn)(void *arg);
	void *arg;
};

/* Texts are only read, and lie dense: among objects they would share lines with what workers write. */
struct ss_build_mem {
	struct ss_region objects, texts;
	struct last_act *acts; /* newest first */
	uint32_t holds;
};

struct ss_build_mem *ss_build_mem_create(void)
{
	struct ss_build_mem *m = calloc(1, sizeof(*m));

	if (m)
		m->holds = 1;
	return m;
}

struct ss_build_mem *ss_build_mem_hold(struct ss_build_mem *m)
{
	m->holds++;
	return m;
}

void ss_build_mem_free(struct ss_build_mem *m)
{
	if (--m->holds)
		return;
	/* What the acts release may be remembered in the objects: acts first. */
	while (m->acts) {
		struct last_act *a = m->acts;
		m->acts = a->next;
		a->fn(a->arg);
		free(a);
	}
	ss_region_free(&m->objects);
	ss_region_free(&m->texts);
	free(m);
}

void *ss_build_mem_take(struct ss_build_mem *m, size_t n)
{
	return ss_region_take(&m->objects, n, SS_CACHE_LINE);
}

static struct ss_build_mem *mem_of(const struct ss_build_job *j)
{
	return j->mem ? j->mem : j->snap->memory;
}

static void no_memory(struct ss_build_job *j)
{
	ss_model_error(j->errors, NULL, NULL, "out of memory");
}

void *ss_build_alloc(struct ss_build_job *j, size_t n)
{
	void *p = ss_build_mem_take(mem_of(j), n);
	if (!p)
		no_memory(j);
	return p;
}

void *ss_build_array(struct ss_build_job *j, size_t n, size_t size)
{
	if (size && n > (SIZE_MAX - SS_CACHE_LINE) / size) {
		no_memory(j);
		return NULL;
	}
	return ss_build_alloc(j, n * size);
}

struct ss_span ss_build_text(struct ss_build_job *j, const char *text)
{
	struct ss_build_mem *m = mem_of(j);
	uint32_t n = text ? (uint32_t)strlen(text) : 0;
	char *copy = n ? ss_region_take(&m->texts, n + 1, 1) : NULL;

	if (n && !copy)
		no_memory(j);
	return copy ? ss_span(memcpy(copy, text, n), n) : SS_SPAN_NONE;
}

struct ss_span ss_build_lower(struct ss_build_job *j, const char *text)
{
	struct ss_span s = ss_build_text(j, text);
	for (uint32_t i = 0; i < s.n; i++)
		((uint8_t *)s.p)[i] = ss_lower(s.p[i]);
	return s;
}

int ss_build_on_free(struct ss_build_job *j, void (*fn)(void *), void *arg)
{
	struct ss_build_mem *m = mem_of(j);
	struct last_act *a = malloc(sizeof(*a));
	if (!a) {
		no_memory(j);
		fn(arg);
		return SS_ERR_NO_MEM;
	}
	*a = (struct last_act){ m->acts, fn, arg };
	m->acts = a;
	return 0;
}
