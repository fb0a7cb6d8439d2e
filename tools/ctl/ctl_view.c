/* ctl_view.c - rows are sorted here: a program that reads JSON sorts as it likes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/ctl/ctl_view.h"

/* ---- order ---- */

static const struct {
	const char *word, *key; /* key NULL: by name */
} sorts[] = { { "rate", "requests" }, { "errors", "errors" }, { "p99", "p99_us" }, { "name", NULL } };

static const char *sort_key;

bool ctl_view_sorts(const char *word)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(sorts); i++)
		if (!strcmp(sorts[i].word, word))
			return true;
	return false;
}

static int by_name(const struct ctl_json *a, const struct ctl_json *b)
{
	static const char *const keys[] = { "cluster", "listener", "address" };

	for (size_t i = 0; i < SS_ARRAY_LEN(keys); i++) {
		int c = strcmp(ctl_json_text(a, keys[i]), ctl_json_text(b, keys[i]));
		if (c)
			return c;
	}
	return 0;
}

/* What is equal stands by name, so that rows do not jump about. */
static int order(const void *one, const void *other)
{
	const struct ctl_json *a = *(const struct ctl_json *const *)one, *b = *(const struct ctl_json *const *)other;
	double x = sort_key ? ctl_json_number(a, sort_key) : 0, y = sort_key ? ctl_json_number(b, sort_key) : 0;

	return x > y ? -1 : x < y ? 1 : by_name(a, b);
}

/* ---- tables ---- */

struct column {
	const char *title, *key;
	int width; /* below 0: to the left */
	double by; /* the value is divided by it; 0: a text */
	int decimals;
};

#define COUNTS                                                                                                               \
	{ "RATE/S", "rate", 10, 1, 1 }, { "ERR%", "error_percent", 7, 1, 2 }, { "REFUSED", "refused", 8, 1, 0 },             \
		{ "P50 MS", "p50_us", 9, 1000, 2 }, { "P95 MS", "p95_us", 9, 1000, 2 }, { "P99 MS", "p99_us", 9, 1000, 2 }

static const struct column services[] = {
	{ "SERVICE", "cluster", -24, 0, 0 },  COUNTS, { "ENDPOINTS", "endpoints", 10, 1, 0 }, { "EJECTED", "ejected", 8, 1, 0 },
	{ "UNHEALTHY", "unhealthy", 10, 1, 0 },
};
static const struct column endpoints[] = {
	{ "ENDPOINT", "address", -24, 0, 0 }, { "SERVICE", "cluster", -16, 0, 0 }, COUNTS,
	{ "ACTIVE", "active", 7, 1, 0 },      { "EJECTED", "ejected", 8, 1, 0 },	   { "UNHEALTHY", "unhealthy", 10, 1, 0 },
	{ "EJECTIONS", "ejections", 10, 1, 0 },
};
static const struct column connections[] = {
	{ "CLIENT", "address", -24, 0, 0 }, { "LISTENER", "listener", -12, 0, 0 }, COUNTS,
	{ "PROTOCOL", "protocol", 9, 0, 0 }, { "TLS", "tls", 7, 0, 0 },		   { "IDENTITY", "peer", -1, 0, 0 },
};

static const struct {
	const char *of;
	const struct column *columns;
	size_t n;
} tables[] = {
	{ "services", services, SS_ARRAY_LEN(services) },
	{ "endpoints", endpoints, SS_ARRAY_LEN(endpoints) },
	{ "connections", connections, SS_ARRAY_LEN(connections) },
};

static void put_cell(const struct ctl_json *row, const struct column *c)
{
	char text[32];

	if (!c->by || !ctl_json_has(row, c->key)) {
		printf(c->width < 0 ? "%-*s " : "%*s ", abs(c->width), ctl_json_text(row, c->key));
		return;
	}
	snprintf(text, sizeof(text), "%.*f", c->decimals, ctl_json_number(row, c->key) / c->by);
	printf("%*s ", c->width, text);
}

static uint32_t screen_rows(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 4 ? w.ws_row - 4u : UINT32_MAX;
}

static void put_rows(const struct ctl_json *v, const struct ctl_view *how, size_t table)
{
	const struct ctl_json *list = ctl_json_get(v, "rows"), **row;
	uint32_t n = 0, most = how->rows ? how->rows : how->clear ? screen_rows() : UINT32_MAX;

	for (const struct ctl_json *r = list ? list->child : NULL; r; r = r->next)
		n++;
	row = calloc(n + 1, sizeof(struct ctl_json *));
	n = 0;
	for (const struct ctl_json *r = list && row ? list->child : NULL; r; r = r->next)
		row[n++] = r;
	if (row)
		qsort(row, n, sizeof(struct ctl_json *), order);
	for (uint32_t i = 0; i < n && i < most; i++) {
		for (size_t k = 0; k < tables[table].n; k++)
			put_cell(row[i], &tables[table].columns[k]);
		printf("\n");
	}
	if (n > most)
		printf("and %u more\n", n - most);
	free(row);
}

static void put_head(const struct ctl_json *v)
{
	time_t now = time(NULL);
	char when[16];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%s  %s over %s s", when, ctl_json_text(v, "of"), ctl_json_text(v, "seconds"));
	if (ctl_json_number(v, "lost"))
		printf(", %s records were lost: rates are that much too low", ctl_json_text(v, "lost"));
	printf("\n");
}

void ctl_show_top(const struct ctl_json *v, const struct ctl_view *how)
{
	const struct ctl_json *others = ctl_json_get(v, "others");
	size_t table = 0;

	if (ctl_json_has(v, "dropped")) {
		printf("%s tables were not read in time\n", ctl_json_text(v, "dropped"));
		return;
	}
	sort_key = sorts[0].key;
	for (size_t i = 0; how->sort && i < SS_ARRAY_LEN(sorts); i++)
		if (!strcmp(sorts[i].word, how->sort))
			sort_key = sorts[i].key;
	while (table + 1 < SS_ARRAY_LEN(tables) && strcmp(tables[table].of, ctl_json_text(v, "of")))
		table++;
	if (how->clear)
		printf("\033[H\033[J");
	put_head(v);
	for (size_t k = 0; k < tables[table].n; k++) {
		const struct column *c = &tables[table].columns[k];
		printf(c->width < 0 ? "%-*s " : "%*s ", abs(c->width), c->title);
	}
	printf("\n");
	put_rows(v, how, table);
	if (ctl_json_number(others, "requests"))
		printf("others: %s requests, %s errors\n", ctl_json_text(others, "requests"), ctl_json_text(others, "errors"));
	if (!how->clear)
		printf("\n");
}

/* ---- a tap ---- */

void ctl_show_tap(const struct ctl_json *v, const struct ctl_view *how)
{
	const char *time_of = ctl_json_text(v, "time"), *clock = strchr(time_of, 'T');

	if (ctl_json_has(v, "dropped")) {
		printf("-- %s requests more, faster than they are shown\n", ctl_json_text(v, "dropped"));
		return;
	}
	printf("%s %s %-5s %s %s%s  %.1f ms  %s", clock ? clock + 1 : time_of, ctl_json_text(v, "status"),
	       ctl_json_text(v, "flag"), ctl_json_text(v, "method"), ctl_json_text(v, "authority"), ctl_json_text(v, "path"),
	       ctl_json_number(v, "duration_us") / 1000, ctl_json_text(v, "downstream"));
	if (ctl_json_has(v, "peer"))
		printf(" (%s)", ctl_json_text(v, "peer"));
	printf(" -> %s", ctl_json_text(v, "cluster"));
	if (ctl_json_has(v, "upstream"))
		printf(" %s", ctl_json_text(v, "upstream"));
	printf("  %s", ctl_json_text(v, "request_id"));
	if (ctl_json_has(v, "reason"))
		printf("  %s", ctl_json_text(v, "reason"));
	printf("\n");
}
