/* build_mem.c - a snapshot's memory: what is taken while it is built lives and dies with it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"

struct block {
	struct block *next;
	void *bytes;
};

struct last_act {
	struct last_act *next;
	void (*fn)(void *arg);
	void *arg;
};

struct ss_build_mem {
	struct block *blocks;
	struct last_act *acts; /* newest first */
};

struct ss_build_mem *ss_build_mem_create(void)
{
	return calloc(1, sizeof(struct ss_build_mem));
}

void ss_build_mem_free(struct ss_build_mem *m)
{
	/* What the acts release may be remembered in the blocks: acts first. */
	while (m->acts) {
		struct last_act *a = m->acts;
		m->acts = a->next;
		a->fn(a->arg);
		free(a);
	}
	while (m->blocks) {
		struct block *b = m->blocks;
		m->blocks = b->next;
		free(b->bytes);
		free(b);
	}
	free(m);
}

void *ss_build_mem_take(struct ss_build_mem *m, size_t n)
{
	struct block *b = malloc(sizeof(*b));
	size_t rounded = (n + SS_CACHE_LINE) & ~(size_t)(SS_CACHE_LINE - 1); /* never 0 */
	if (!b || rounded < n || !(b->bytes = aligned_alloc(SS_CACHE_LINE, rounded))) {
		free(b);
		return NULL;
	}
	memset(b->bytes, 0, rounded);
	b->next = m->blocks;
	m->blocks = b;
	return b->bytes;
}

static void no_memory(struct ss_build_job *j)
{
	ss_model_error(j->errors, NULL, NULL, "out of memory");
}

void *ss_build_alloc(struct ss_build_job *j, size_t n)
{
	void *p = ss_build_mem_take(j->snap->memory, n);
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
	uint32_t n = text ? (uint32_t)strlen(text) : 0;
	char *copy = n ? ss_build_alloc(j, n + 1) : NULL;
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
	struct ss_build_mem *m = j->snap->memory;
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
