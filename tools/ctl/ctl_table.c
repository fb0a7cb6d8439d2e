#include <stdio.h>
#include <string.h>

#include "tools/ctl/ctl_table.h"

#define MAX_COLUMNS 12

/* A column of a table over a list of objects. */
struct column {
	const char *title, *key;
	bool right; /* numbers */
};

static int width_of(const struct ctl_json *list, const struct column *c)
{
	size_t w = strlen(c->title);
	for (const struct ctl_json *row = list ? list->child : NULL; row; row = row->next) {
		size_t n = strlen(ctl_json_text(row, c->key));
		w = n > w ? n : w;
	}
	return (int)w;
}

static void cell(const char *text, int width, bool right, bool last)
{
	if (right)
		printf("%*s%s", width, text, last ? "\n" : "  ");
	else
		printf("%-*s%s", last ? 0 : width, text, last ? "\n" : "  ");
}

static void table(const struct ctl_json *list, const struct column *c, size_t n, const char *indent)
{
	int width[MAX_COLUMNS];
	if (!list || !list->child) {
		printf("%snone\n", indent);
		return;
	}
	for (size_t i = 0; i < n; i++)
		width[i] = width_of(list, &c[i]);
	printf("%s", indent);
	for (size_t i = 0; i < n; i++)
		cell(c[i].title, width[i], c[i].right, i == n - 1);
	for (const struct ctl_json *row = list->child; row; row = row->next) {
		printf("%s", indent);
		for (size_t i = 0; i < n; i++)
			cell(ctl_json_text(row, c[i].key), width[i], c[i].right, i == n - 1);
	}
}
#define TABLE(list, columns, indent) table(list, columns, SS_ARRAY_LEN(columns), indent)

/* ---- status ---- */

static void show_memory(const struct ctl_json *memory)
{
	static const char *const levels[] = { "mbufs", "connections", "streams" };
	printf("memory       %.1f MiB resident", ctl_json_number(memory, "resident_bytes") / 1048576);
	for (size_t i = 0; i < SS_ARRAY_LEN(levels); i++) {
		const struct ctl_json *l = ctl_json_get(memory, levels[i]);
		printf(", %s %s/%s", levels[i], ctl_json_text(l, "used"), ctl_json_text(l, "size"));
	}
	printf("\n");
}

void ctl_show_status(const struct ctl_json *v)
{
	static const struct column workers[] = {
		{ "WORKER", "worker", true },	      { "CORE", "core", true },
		{ "BUSY%", "busy_percent", true },    { "GENERATION", "generation", true },
		{ "CONNECTIONS", "connections", true }, { "STREAMS", "streams", true },
		{ "EXCHANGES", "exchanges", true },   { "REQUESTS", "requests", true },
		{ "TLS RECORDS", "tls_records", false },
	};
	static const struct column ports[] = {
		{ "PORT", "name", false },   { "LINK", "link", false },	    { "MAC", "mac", false },
		{ "MTU", "mtu", true },	     { "QUEUES", "queues", true },  { "POOL", "pool_size", true },
		{ "HELD", "pool_held", true }, { "DRIVER", "driver", false }, { "DEVICE", "device", false },
	};
	printf("node         %s (pid %s), up %s s\n", ctl_json_text(v, "node"), ctl_json_text(v, "pid"),
	       ctl_json_text(v, "uptime_seconds"));
	printf("config       %s, generation %s%s, from %s\n", ctl_json_text(v, "config_hash"),
	       ctl_json_text(v, "generation"),
	       ctl_json_text(v, "acknowledged")[0] == 'y' ? ", used by every worker"
							  : ", not yet used by every worker",
	       ctl_json_text(v, "file"));
	if (ctl_json_get(v, "history"))
		printf("history      %s is in force\n", ctl_json_text(v, "history"));
	printf("snapshots    %s alive\n", ctl_json_text(v, "live_snapshots"));
	show_memory(ctl_json_get(v, "memory"));
	printf("\n");
	TABLE(ctl_json_get(v, "workers"), workers, "");
	printf("\n");
	TABLE(ctl_json_get(v, "ports"), ports, "");
}

/* ---- stats ---- */

/* An object of {name: {"workers": [...], "all": n}}; rows of zeros only where asked. */
static void show_counters(const struct ctl_json *group, const char *title, bool zeros)
{
	int w = (int)strlen(title);
	for (const struct ctl_json *c = group ? group->child : NULL; c; c = c->next)
		w = (int)strlen(c->key) > w ? (int)strlen(c->key) : w;
	printf("%-*s  %16s  PER WORKER\n", w, title, "ALL");
	for (const struct ctl_json *c = group ? group->child : NULL; c; c = c->next) {
		if (!zeros && ctl_json_number(c, "all") == 0)
			continue;
		printf("%-*s  %16s ", w, c->key, ctl_json_text(c, "all"));
		const struct ctl_json *list = ctl_json_get(c, "workers");
		for (const struct ctl_json *n = list ? list->child : NULL; n; n = n->next)
			printf(" %s", n->text);
		printf("\n");
	}
}

void ctl_show_stats(const struct ctl_json *v)
{
	static const char *const q[] = { "mean", "p50", "p90", "p99", "p999" };
	const struct ctl_json *latency = ctl_json_get(v, "request_ns");
	show_counters(ctl_json_get(v, "counters"), "COUNTER", true);
	printf("\n");
	show_counters(ctl_json_get(v, "drops"), "DROP (not 0)", false);
	printf("\nrequests %s", ctl_json_text(latency, "count"));
	for (size_t i = 0; i < SS_ARRAY_LEN(q); i++)
		printf(", %s %.1f us", q[i], ctl_json_number(latency, q[i]) / 1000);
	printf("\n");
}

/* ---- clusters ---- */

/* Where the endpoints come from: and, when that fails, why and since when. */
static void show_discovery(const struct ctl_json *c)
{
	const struct ctl_json *d = ctl_json_get(c, "discovery");
	if (!d)
		return;
	printf("  discovered: %s %s, %s", ctl_json_text(d, "type"), ctl_json_text(d, "from"), ctl_json_text(d, "state"));
	if (!strcmp(ctl_json_text(d, "state"), "failing"))
		printf(" for %.0f s: %s", ctl_json_number(d, "failing_for_seconds"), ctl_json_text(d, "reason"));
	if (ctl_json_get(d, "age_seconds"))
		printf(" (last good answer %.0f s ago, %s updates, %s failures)", ctl_json_number(d, "age_seconds"),
		       ctl_json_text(d, "updates"), ctl_json_text(d, "failures"));
	printf("\n");
}

void ctl_show_clusters(const struct ctl_json *v)
{
	static const struct column endpoints[] = {
		{ "ENDPOINT", "address", false },
		{ "HEALTH", "health", false },
		{ "EJECTED FOR S", "ejected_for_seconds", true },
		{ "ERRORS IN A ROW", "errors_in_a_row", true },
		{ "EJECTIONS", "ejections", true },
		{ "ACTIVE", "active", true },
		{ "REQUESTS", "requests", true },
		{ "FAILURES", "failures", true },
		{ "WEIGHT", "weight", true },
	};
	const struct ctl_json *list = ctl_json_get(v, "clusters");
	for (const struct ctl_json *c = list ? list->child : NULL; c; c = c->next) {
		printf("%s (%s%s, %s, %s picks in panic)\n", ctl_json_text(c, "name"), ctl_json_text(c, "protocol"),
		       ctl_json_text(c, "tls")[0] == 'y' ? ", tls" : "", ctl_json_text(c, "load_balancing"),
		       ctl_json_text(c, "panics"));
		show_discovery(c);
		TABLE(ctl_json_get(c, "endpoints"), endpoints, "  ");
	}
	if (!list || !list->child)
		printf("no clusters\n");
}

void ctl_show_endpoints(const struct ctl_json *v)
{
	static const struct column endpoints[] = {
		{ "ENDPOINT", "address", false },
		{ "HEALTH", "health", false },
		{ "REASON", "reason", false },
		{ "PROBES", "probes", true },
		{ "FAILED", "probes_failed", true },
		{ "LAST STATUS", "probe_status", true },
		{ "CHANGED S AGO", "changed_seconds_ago", true },
		{ "EJECTED FOR S", "ejected_for_seconds", true },
		{ "EJECTIONS", "ejections", true },
	};
	const struct ctl_json *list = ctl_json_get(v, "clusters");
	for (const struct ctl_json *c = list ? list->child : NULL; c; c = c->next) {
		printf("%s\n", ctl_json_text(c, "name"));
		show_discovery(c);
		TABLE(ctl_json_get(c, "endpoints"), endpoints, "  ");
	}
	if (!list || !list->child)
		printf("no clusters\n");
}

/* ---- rate limits ---- */

void ctl_show_limits(const struct ctl_json *v)
{
	static const struct column limits[] = {
		{ "LIMIT", "name", false },	  { "KEY", "key", false },	   { "PER SECOND", "per_second", true },
		{ "BURST", "burst", true },	  { "ENFORCED", "enforce", false }, { "PASSED", "passed", true },
		{ "LIMITED", "limited", true },	  { "TOLERATED", "tolerated", true },
		{ "EVICTED", "evicted", true },
	};
	TABLE(ctl_json_get(v, "limits"), limits, "");
}

/* ---- secrets ---- */

void ctl_show_secrets(const struct ctl_json *v)
{
	static const struct column secrets[] = {
		{ "SECRET", "name", false },	    { "KIND", "kind", false },	       { "EXPIRES IN (s)", "expires_in_seconds", true },
		{ "ROTATIONS", "rotations", true }, { "REFUSALS", "refusals", true }, { "REFUSED BECAUSE", "refused", false },
	};
	TABLE(ctl_json_get(v, "secrets"), secrets, "");
}

/* ---- who calls what ---- */

void ctl_show_pairs(const struct ctl_json *v)
{
	static const struct column pairs[] = {
		{ "SOURCE", "source", false }, { "CLUSTER", "cluster", false },	    { "MUTUAL TLS", "mutual_tls", true },
		{ "TLS", "tls", true },	       { "PLAINTEXT", "plaintext", true }, { "ENCRYPTED %", "encrypted_percent", true },
	};
	TABLE(ctl_json_get(v, "pairs"), pairs, "");
}

/* ---- config: the tree, as the file would lay it out ---- */

static void show_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\x%02x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void show_tree(const struct ctl_json *v, int indent);

static void show_value(const struct ctl_json *v, int indent)
{
	static const char open[] = "({", close[] = ")}";
	if (v->kind == CTL_TEXT) {
		show_text(v->text);
	} else if (v->kind != CTL_LIST && v->kind != CTL_OBJECT) {
		printf("%s", v->text ? v->text : "null");
	} else if (!v->child) {
		printf("%c %c", open[v->kind == CTL_OBJECT], close[v->kind == CTL_OBJECT]);
	} else {
		printf("%c\n", open[v->kind == CTL_OBJECT]);
		show_tree(v->child, indent + 2);
		printf("%*s%c", indent, "", close[v->kind == CTL_OBJECT]);
	}
}

static void show_tree(const struct ctl_json *v, int indent)
{
	for (; v; v = v->next) {
		printf("%*s%s%s", indent, "", v->key ? v->key : "", v->key ? " = " : "");
		show_value(v, indent);
		printf("%s\n", v->key ? ";" : v->next ? "," : "");
	}
}

void ctl_show_config(const struct ctl_json *v)
{
	const struct ctl_json *config = ctl_json_get(v, "config");
	printf("# %s, %s, with every default filled in\n", ctl_json_text(v, "file"),
	       ctl_json_text(v, "config_hash"));
	show_tree(config ? config->child : NULL, 0);
}

/* ---- the rest ---- */

void ctl_show_flows(const struct ctl_json *v)
{
	const struct ctl_json *list = ctl_json_get(v, "ports");
	for (const struct ctl_json *p = list ? list->child : NULL; p; p = p->next) {
		const struct ctl_json *flows = ctl_json_get(p, "flows");
		printf("%s (%s)\n", ctl_json_text(p, "port"), ctl_json_text(p, "driver"));
		for (const struct ctl_json *f = flows ? flows->child : NULL; f; f = f->next)
			printf("  %s\n", f->text);
		if (!flows || !flows->child)
			printf("  none\n");
	}
}

void ctl_show_reload(const struct ctl_json *v)
{
	printf("reloaded: %s, generation %s, used by every worker\n", ctl_json_text(v, "config_hash"),
	       ctl_json_text(v, "generation"));
}

void ctl_show_drain(const struct ctl_json *v)
{
	printf("draining: no new connections; ends when the last one has\n");
}
