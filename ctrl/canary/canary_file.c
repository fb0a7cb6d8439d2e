/*
 * canary_file.c - how canaries stand, in a file: a line of its own for each that does not leave its weights to the
 * configuration. Fields lie between tabs, the split's name is the last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "canary/canary_int.h"
#include "loop/log.h"

#define FILE_NAME "canaries"
#define FIRST_LINE "sidestep canaries 1\n"
#define FILE_MAX (1u << 20)
#define LINE_MAX_BYTES 1600

/* A name that would not stand in a line of its own. */
static bool writable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ')
			return false;
	return true;
}

static int put_run(const struct ss_canary_room *r, const struct canary_run *u, uint64_t now, char *out, size_t n)
{
	uint64_t k[SS_CANARY_VARIANTS][2];
	struct ss_canary_state s;

	ss_canary_state(r, (uint32_t)(u - r->runs), &s);
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++) {
		k[v][0] = s.requests[v];
		k[v][1] = s.failures[v];
	}
	return snprintf(out, n, "%s\t%u\t%u\t%llu\t%llu\t%llu\t%llu\t%llu\t%s\n", ss_canary_stand_text(u->stand), u->weight,
			u->window, (unsigned long long)(canary_unix(r, now) - (now - u->since)) / SS_NS_PER_SEC,
			(unsigned long long)k[0][0], (unsigned long long)k[0][1], (unsigned long long)k[1][0],
			(unsigned long long)k[1][1], ss_names_text(r->conf.names, u->c.split));
}

void canary_save(struct ss_canary_room *r, uint64_t now)
{
	size_t size = sizeof(FIRST_LINE) + (size_t)r->n * LINE_MAX_BYTES, at = sizeof(FIRST_LINE) - 1;
	char *text = r->conf.state ? malloc(size) : NULL;
	int err = SS_ERR_NO_MEM;

	if (!r->conf.state)
		return;
	if (text) {
		memcpy(text, FIRST_LINE, sizeof(FIRST_LINE));
		for (uint32_t i = 0; i < r->n; i++)
			if (r->runs[i].stand != SS_CANARY_IDLE &&
			    writable(ss_names_text(r->conf.names, r->runs[i].c.split)))
				at += (size_t)put_run(r, &r->runs[i], now, text + at, size - at);
		err = ss_state_write(r->conf.state, FILE_NAME, text, at);
	}
	free(text);
	if (err < 0)
		ss_log(SS_LOG_ERROR, "a canary's state is not kept", "file", FILE_NAME, NULL);
}

static enum ss_canary_stand stand_of(const char *word)
{
	for (uint32_t i = 0; i < SS_CANARY_STANDS; i++)
		if (!strcmp(word, ss_canary_stand_text((enum ss_canary_stand)i)))
			return (enum ss_canary_stand)i;
	return SS_CANARY_STANDS;
}

/* False: this is none of our lines, and nothing is believed of it. */
static bool read_line(const char *line, struct canary_saved *s)
{
	unsigned long long k[5];
	char word[16], split[1100];

	if (sscanf(line, "%15[a-z_]\t%u\t%u\t%llu\t%llu\t%llu\t%llu\t%llu\t%1099[^\n]", word, &s->weight, &s->window, &k[0],
		   &k[1], &k[2], &k[3], &k[4], split) != 9)
		return false;
	s->stand = stand_of(word);
	if (s->stand == SS_CANARY_STANDS || s->stand == SS_CANARY_IDLE || s->weight > SS_CANARY_WHOLE ||
	    s->window > 1000000000)
		return false;
	s->unix_s = k[0];
	for (uint32_t i = 0; i < 4; i++)
		s->counts[i / 2][i % 2] = k[i + 1];
	s->split = strdup(split);
	return s->split != NULL;
}

void canary_load(struct ss_canary_room *r)
{
	size_t n = 0;
	char *text = ss_state_read(r->conf.state, FILE_NAME, FILE_MAX, &n), *rest = text, *line;
	bool ours = text && !strncmp(text, FIRST_LINE, sizeof(FIRST_LINE) - 1);

	if (ours)
		r->saved = calloc(n / 16 + 1, sizeof(*r->saved)); /* no line is shorter */
	if (r->saved)
		strsep(&rest, "\n");
	while (r->saved && (line = strsep(&rest, "\n"))) {
		if (read_line(line, &r->saved[r->n_saved]))
			r->n_saved++;
		else if (*line)
			ss_log(SS_LOG_WARN, "a canary's state cannot be read", "file", FILE_NAME, "line", line, NULL);
	}
	if (text && !ours)
		ss_log(SS_LOG_WARN, "a canary's state cannot be read", "file", FILE_NAME, "line", "1", NULL);
	free(text);
}

void canary_forget_saved(struct ss_canary_room *r)
{
	for (uint32_t i = 0; i < r->n_saved; i++) {
		if (r->generation && !r->saved[i].met)
			ss_log(SS_LOG_WARN, "a canary's state is of a split that is gone", "state",
			       ss_canary_stand_text(r->saved[i].stand), "split", r->saved[i].split, NULL);
		free(r->saved[i].split);
	}
	free(r->saved);
	r->saved = NULL;
	r->n_saved = 0;
}
