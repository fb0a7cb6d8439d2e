/* history.c - the list in memory, and its file: one line per entry, fields between tabs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "history/history.h"
#include "loop/log.h"

#define LIST "history/list"
#define MAX_ENTRIES (2 * SS_HISTORY_KEEP + 1) /* with text, the one in force, and refused */
#define MAX_TEXT (64u << 20)
#define MAX_LIST (1u << 20)
#define FIELDS 9

struct entry {
	uint32_t number;
	enum ss_history_how how;
	uint64_t time_s, generation;
	bool text;
	char hash[17];
	char *by, *from, *refused; /* NULL: none */
};

struct ss_history {
	struct ss_state *state;
	uint32_t in_force, last; /* last: the highest number given so far */
	uint32_t n;
	struct entry entry[MAX_ENTRIES]; /* by number */
};

static const char *const hows[] = { "start", "reload", "apply", "rollback", "found" };

static const char *file_of(uint32_t number, char name[32])
{
	snprintf(name, 32, "history/%u.cfg", number);
	return name;
}

static void drop(struct ss_history *h, uint32_t i)
{
	struct entry *e = &h->entry[i];
	char name[32];

	if (e->text)
		(void)ss_state_remove(h->state, file_of(e->number, name));
	free(e->by);
	free(e->from);
	free(e->refused);
	memmove(e, e + 1, (--h->n - i) * sizeof(*e));
}

/* Of those with text, and of those without, the oldest go; what is in force stays. */
static void prune(struct ss_history *h, bool text)
{
	uint32_t count = 0;

	for (uint32_t i = h->n; i-- > 0;) {
		if (h->entry[i].text != text || (text && h->entry[i].number == h->in_force))
			continue;
		if (++count >= SS_HISTORY_KEEP)
			drop(h, i);
	}
}

/* ---- the file ---- */

/* A field without what would end it; NULL for an empty one. */
static char *field(const char *text)
{
	char *copy = text && *text && strcmp(text, "-") ? strdup(text) : NULL;

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return copy;
}

static const char *shown(const char *text)
{
	return text ? text : "-";
}

static bool write_list(struct ss_history *h)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	bool ok = f != NULL;

	if (f) {
		fprintf(f, "%u\t%u\n", h->in_force, h->last);
		for (uint32_t i = 0; i < h->n; i++) {
			const struct entry *e = &h->entry[i];
			fprintf(f, "%u\t%llu\t%s\t%s\t%llu\t%d\t%s\t%s\t%s\n", e->number, (unsigned long long)e->time_s,
				hows[e->how], shown(e->hash[0] ? e->hash : NULL), (unsigned long long)e->generation, e->text,
				shown(e->by), shown(e->from), shown(e->refused));
		}
		ok = fclose(f) == 0 && ss_state_write(h->state, LIST, text, n) == 0;
	}
	if (!ok)
		ss_log(SS_LOG_ERROR, "history cannot be written", "state_dir", ss_state_dir(h->state), "reason", strerror(errno),
		       NULL);
	free(text);
	return ok;
}

static bool read_entry(struct ss_history *h, char *line)
{
	struct entry e = { 0 };
	char *f[FIELDS];
	size_t how = 0;

	for (uint32_t i = 0; i < FIELDS; i++)
		if (!(f[i] = strsep(&line, "\t")))
			return false;
	while (how < SS_ARRAY_LEN(hows) && strcmp(hows[how], f[2]))
		how++;
	e.number = (uint32_t)strtoul(f[0], NULL, 10);
	if (how == SS_ARRAY_LEN(hows) || !e.number || (h->n && e.number <= h->entry[h->n - 1].number) || h->n == MAX_ENTRIES)
		return false;
	e.how = (enum ss_history_how)how;
	e.time_s = strtoull(f[1], NULL, 10);
	e.generation = strtoull(f[4], NULL, 10);
	e.text = f[5][0] == '1';
	if (strcmp(f[3], "-"))
		snprintf(e.hash, sizeof(e.hash), "%.16s", f[3]);
	e.by = field(f[6]);
	e.from = field(f[7]);
	e.refused = field(f[8]);
	if (e.number > h->last)
		h->last = e.number;
	h->entry[h->n++] = e;
	return true;
}

static void read_list(struct ss_history *h)
{
	size_t n;
	char *text = ss_state_read(h->state, LIST, MAX_LIST, &n), *rest = text, *line;
	uint32_t bad = 0;

	if ((line = strsep(&rest, "\n")) && sscanf(line, "%u\t%u", &h->in_force, &h->last) != 2)
		bad++;
	while (rest && (line = strsep(&rest, "\n")))
		bad += *line && !read_entry(h, line);
	if (bad)
		ss_log(SS_LOG_WARN, "history has lines that are none", "state_dir", ss_state_dir(h->state), "lines",
		       ss_log_u64(bad), NULL);
	free(text);
}

/* ---- the list ---- */

int ss_history_create(struct ss_history **out, struct ss_state *state)
{
	struct ss_history *h;

	*out = NULL;
	if (!state)
		return 0;
	if (ss_state_make(state, "history") < 0)
		return SS_ERR_CONFIG;
	h = calloc(1, sizeof(*h));
	if (!h)
		return SS_ERR_NO_MEM;
	h->state = state;
	read_list(h);
	*out = h;
	return 0;
}

void ss_history_free(struct ss_history *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; i < h->n; i++) {
		free(h->entry[i].by);
		free(h->entry[i].from);
		free(h->entry[i].refused);
	}
	free(h);
}

static const struct entry *find(const struct ss_history *h, uint32_t number)
{
	for (uint32_t i = 0; h && number && i < h->n; i++)
		if (h->entry[i].number == number)
			return &h->entry[i];
	return NULL;
}

uint32_t ss_history_number(const struct ss_history *h)
{
	return find(h, h ? h->in_force : 0) ? h->in_force : 0;
}

const char *ss_history_hash(const struct ss_history *h)
{
	const struct entry *e = find(h, h ? h->in_force : 0);

	return e ? e->hash : "";
}

uint32_t ss_history_find(const struct ss_history *h, const char *hash)
{
	for (uint32_t i = h ? h->n : 0; i-- > 0;)
		if (h->entry[i].text && !strcmp(h->entry[i].hash, hash))
			return h->entry[i].number;
	return 0;
}

uint32_t ss_history_put(struct ss_history *h, const char *text)
{
	char name[32];

	if (!h)
		return 0;
	/* A number is used once, also when nothing comes of it: a text that is overwritten could be what is looked for. */
	if (ss_state_write(h->state, file_of(++h->last, name), text, strlen(text)) == 0)
		return h->last;
	ss_log(SS_LOG_ERROR, "history cannot be written", "state_dir", ss_state_dir(h->state), "reason", strerror(errno), NULL);
	return 0;
}

bool ss_history_add(struct ss_history *h, uint32_t number, const struct ss_history_note *note)
{
	struct entry e = { .number = number, .how = note->how, .time_s = (uint64_t)time(NULL), .text = number != 0 };
	char name[32];

	if (!h)
		return true;
	if (!number)
		e.number = ++h->last;
	if (note->refused && number) { /* it was to be in force, and is not */
		(void)ss_state_remove(h->state, file_of(number, name));
		e.text = false;
	}
	e.generation = note->generation;
	if (note->hash)
		snprintf(e.hash, sizeof(e.hash), "%s", note->hash);
	e.by = field(note->by);
	e.from = field(note->from);
	e.refused = field(note->refused);
	if (!note->refused && note->how != SS_HISTORY_FOUND)
		h->in_force = e.number;
	prune(h, e.text);
	/* What was found has a lower number than the text that was kept before it is told of: by number, as they are read. */
	uint32_t at = h->n;
	while (at > 0 && h->entry[at - 1].number > e.number)
		at--;
	memmove(&h->entry[at + 1], &h->entry[at], (h->n - at) * sizeof(e));
	h->entry[at] = e;
	h->n++;
	return write_list(h);
}

char *ss_history_text(struct ss_history *h, uint32_t number, char *why, size_t why_n)
{
	const struct entry *e = find(h, number);
	char name[32], *text = NULL;
	size_t n;

	if (!h)
		snprintf(why, why_n, "there is no history: state_dir is not in use (the log says why)");
	else if (!e)
		snprintf(why, why_n, "history has no entry %u", number);
	else if (e->refused)
		snprintf(why, why_n, "history's entry %u was refused, and not kept: %s", number, e->refused);
	else if (!e->text || !(text = ss_state_read(h->state, file_of(number, name), MAX_TEXT, &n)))
		snprintf(why, why_n, "history's entry %u has no text that can be read", number);
	return text;
}

void ss_history_show(const struct ss_history *h, struct ss_json *j)
{
	ss_json_list(j, "entries");
	for (uint32_t i = 0; h && i < h->n; i++) {
		const struct entry *e = &h->entry[i];
		ss_json_object(j, NULL);
		ss_json_u64(j, "number", e->number);
		ss_json_u64(j, "time", e->time_s);
		ss_json_text(j, "how", hows[e->how]);
		if (e->hash[0])
			ss_json_text(j, "config_hash", e->hash);
		if (e->generation)
			ss_json_u64(j, "generation", e->generation);
		if (e->by)
			ss_json_text(j, "by", e->by);
		if (e->from)
			ss_json_text(j, "from", e->from);
		ss_json_text(j, "outcome", e->refused ? "refused" : e->number == h->in_force ? "in force" :
							 e->how == SS_HISTORY_FOUND  ? "kept" : "replaced");
		if (e->refused)
			ss_json_text(j, "why", e->refused);
		ss_json_bool(j, "text", e->text);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}
