/*
 * ctl.c - sidestepctl: asks a running sidestep over its Unix socket.
 *
 * Exit status: 0 answered, 1 refused (the reasons are on standard error), 2 not reached or not understood.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tools/ctl/ctl_apply.h"
#include "tools/ctl/ctl_canary.h"
#include "tools/ctl/ctl_stages.h"
#include "tools/ctl/ctl_table.h"
#include "tools/ctl/ctl_view.h"
#include "tools/ctl/ctl_why.h"

#define DEFAULT_SOCKET "/run/sidestep.sock"
enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_TROUBLE = 2 };

static const struct {
	const char *word;
	void (*show)(const struct ctl_json *v);
	const char *what;
	void (*look)(const struct ctl_json *v, const struct ctl_view *how); /* a line after the other; show is NULL */
} words[] = {
	{ "status", ctl_show_status, "node, configuration, workers, ports, memory" },
	{ "stats", ctl_show_stats, "counters, drops by name, latency" },
	{ "stages", NULL, "where the workers' time goes; with --for 5s: in the next 5 seconds" },
	{ "clusters", ctl_show_clusters, "endpoints and their use" },
	{ "endpoints", ctl_show_endpoints, "endpoints, their health, and why" },
	{ "pairs", ctl_show_pairs, "who calls what, and how much of it came encrypted" },
	{ "limits", ctl_show_limits, "rate limits, and what they have let pass" },
	{ "secrets", ctl_show_secrets, "certificates and bundles: how long they last, what was refused" },
	{ "config", ctl_show_config, "the configuration in force, every default filled in" },
	{ "flows", ctl_show_flows, "rte_flow rules, or why there are none" },
	{ "why", ctl_show_why, "which line decides what about a request: --listener --method --authority --path -H ..." },
	{ "diff", ctl_show_diff, "what a reload of another file would change, item by item: diff FILE" },
	{ "apply", ctl_show_install, "put a file in place of the configured one, and use it: apply FILE [--dry-run]" },
	{ "rollback", ctl_show_install, "the same with what was in force once: rollback N [--dry-run]" },
	{ "history", ctl_show_history, "configurations that were in force, or refused, and who wanted them" },
	{ "canary", ctl_show_canary, "splits under comparison: canary start|status|pause|resume|abort [VIRTUAL HOST/ROUTE]" },
	{ "reload", ctl_show_reload, "read the file again; answers when every worker uses it" },
	{ "top", NULL, "rates, errors and times, live: top [services|endpoints|connections] [--interval 1s] [--sort rate] [--once]",
	  ctl_show_top },
	{ "tap", NULL, "requests as they end: tap [--authority A] [--path-prefix P] [--cluster C] [--status 5xx] [--max N] ...",
	  ctl_show_tap },
	{ "drain", ctl_show_drain, "stop accepting, finish, end" },
};

static void usage(FILE *f)
{
	fprintf(f, "usage: sidestepctl [--socket PATH] [--json] [--for TIME] WORD\n"
		   "       sidestepctl why --listener NAME --authority HOST [--method GET] [--path /] [-H 'name: value']...\n"
		   "                   [--identity ID] [--source ADDRESS] [--sni NAME] [--config FILE]\n"
		   "       sidestepctl why --request ID [--config FILE]\n"
		   "       sidestepctl top [services|endpoints|connections] [--interval 1s] [--sort rate|errors|p99|name] [--rows N] [--once]\n"
		   "       sidestepctl tap [--authority A] [--path-prefix P] [--method M] [--cluster C] [--route R] [--identity I]\n"
		   "                   [--status 5xx] [--min-ms N] [--max N]\n\n");
	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++)
		fprintf(f, "  %-9s %s\n", words[i].word, words[i].what);
	fprintf(f, "\nThe socket is %s unless said otherwise.\n", DEFAULT_SOCKET);
}

static int reach(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa.sun_path)) {
		fprintf(stderr, "sidestepctl: %s: path is too long for a socket\n", path);
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		fprintf(stderr, "sidestepctl: %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool say(int fd, const char *line)
{
	struct iovec parts[] = { { (void *)line, strlen(line) }, { "\n", 1 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)strlen(line) + 1;
}

/* Everything until the other side closes; NUL-terminated, or NULL. */
static char *listen_to(int fd)
{
	size_t n = 0, cap = 65536;
	char *text = malloc(cap);
	while (text) {
		ssize_t got = read(fd, text + n, cap - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			text[n] = '\0';
			return text;
		}
		n += (size_t)got;
		if (cap - n > 1)
			continue;
		char *grown = realloc(text, cap *= 2);
		if (!grown)
			free(text);
		text = grown;
	}
	return NULL;
}

static int print_refusal(const struct ctl_json *v)
{
	const struct ctl_json *errors = ctl_json_get(v, "errors");
	for (const struct ctl_json *e = errors ? errors->child : NULL; e; e = e->next)
		fprintf(stderr, "%s\n", e->text);
	return EXIT_REFUSED;
}

/* What would not be as the file says it; it is done all the same. */
static void print_warnings(const struct ctl_json *v)
{
	const struct ctl_json *warnings = ctl_json_get(v, "warnings");
	for (const struct ctl_json *e = warnings ? warnings->child : NULL; e; e = e->next)
		fprintf(stderr, "warning: %s\n", e->text);
}

/* "5s", "500ms" or "2m"; 0 for what is none of them. */
static unsigned long long read_time(const char *text)
{
	static const struct {
		const char *unit;
		unsigned long long ns;
	} units[] = { { "ms", SS_NS_PER_MS }, { "s", SS_NS_PER_SEC }, { "m", 60 * SS_NS_PER_SEC } };
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	for (size_t i = 0; i < SS_ARRAY_LEN(units); i++)
		if (end != text && n <= 1000000 && !strcmp(end, units[i].unit))
			return n * units[i].ns;
	return 0;
}

/* What "ok" or a refusal is followed by, as a tree; NULL: neither. Prints what is wrong. */
static struct ctl_json *parse(char *text, int *status)
{
	char *body = text ? strchr(text, '\n') : NULL;
	*status = EXIT_TROUBLE;
	if (!body) {
		fprintf(stderr, "sidestepctl: no answer\n");
		return NULL;
	}
	*body++ = '\0';
	struct ctl_json *v = ctl_json_read(body);
	if (!v)
		fprintf(stderr, "sidestepctl: the answer is no JSON\n");
	else
		*status = strcmp(text, "ok") ? print_refusal(v) : EXIT_OK;
	return v;
}

static int print(char *text, bool json, void (*show)(const struct ctl_json *v))
{
	char *body = strchr(text, '\n');
	int status;
	if (json && body) {
		fputs(body + 1, stdout);
		return strncmp(text, "ok\n", 3) ? EXIT_REFUSED : EXIT_OK;
	}
	struct ctl_json *v = parse(text, &status);
	if (status == EXIT_OK) {
		print_warnings(v);
		show(v);
	}
	ctl_json_free(v);
	return status;
}

/* The answer to a word, or NULL. */
static char *fetch(const char *path, const char *word)
{
	int fd = reach(path);
	if (fd < 0)
		return NULL;
	char *text = say(fd, word) ? listen_to(fd) : NULL;
	if (!text)
		fprintf(stderr, "sidestepctl: %s: %s\n", path, strerror(errno));
	close(fd);
	return text;
}

static int ask(const char *path, size_t i, const char *line, bool json)
{
	char *text = fetch(path, line);
	int status = text ? print(text, json, words[i].show) : EXIT_TROUBLE;
	free(text);
	return status;
}

/* ---- lines without an end ---- */

static struct ctl_view view;

static void show_line(size_t i, char *line, bool json)
{
	if (json) {
		fputs(line, stdout);
	} else {
		struct ctl_json *v = ctl_json_read(line);
		if (v)
			words[i].look(v, &view);
		ctl_json_free(v);
	}
	fflush(stdout);
}

/* Until the other side has told all that was asked for, or we are ended. */
static int look(const char *path, size_t i, const char *question, bool json, bool bounded)
{
	char *line = NULL;
	size_t cap = 0;
	int status = EXIT_TROUBLE, fd = reach(path);
	FILE *f = fd >= 0 && say(fd, question) ? fdopen(fd, "r") : NULL;
	if (!f || getline(&line, &cap, f) < 0) {
		if (fd >= 0)
			fprintf(stderr, "sidestepctl: no answer\n");
	} else if (strcmp(line, "ok\n")) {
		struct ctl_json *v = getline(&line, &cap, f) > 0 ? ctl_json_read(line) : NULL;
		status = v ? print_refusal(v) : EXIT_TROUBLE;
		ctl_json_free(v);
	} else {
		while (getline(&line, &cap, f) > 0)
			show_line(i, line, json);
		status = bounded ? EXIT_OK : EXIT_TROUBLE;
		if (!bounded)
			fprintf(stderr, "sidestepctl: the other side has ended\n");
	}
	free(line);
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	return status;
}

/* The ledger of an interval: asks twice. Figures are worked out here, for people and for programs. */
static int ask_stages(const char *path, unsigned long long ns, bool json)
{
	struct timespec t = { (time_t)(ns / SS_NS_PER_SEC), (long)(ns % SS_NS_PER_SEC) };
	int status = EXIT_OK;
	char *first = ns ? fetch(path, "stages") : NULL, *second = NULL;
	struct ctl_json *before = ns ? parse(first, &status) : NULL, *after = NULL;
	if (status == EXIT_OK) {
		nanosleep(&t, NULL);
		second = fetch(path, "stages");
		after = parse(second, &status);
	}
	if (status == EXIT_OK)
		(json ? ctl_stages_json : ctl_stages_table)(before, after, stdout);
	ctl_json_free(before);
	ctl_json_free(after);
	free(first);
	free(second);
	return status;
}

/* ---- words with words of their own ---- */

#define SEP '\x1f' /* as admin.h has it */
#define MAX_LINE 65000

/* "why", then "\x1fpath=/x" and so on. */
static char question[MAX_LINE];

/* False: too long, or a byte that no word may have. */
static bool add_word(const char *name, const char *value)
{
	size_t n = strlen(question);
	int more = snprintf(question + n, sizeof(question) - n, "%c%s=%s", SEP, name, value);
	if (more >= 0 && (size_t)more < sizeof(question) - n && !strpbrk(value, "\r\n\x1f"))
		return true;
	fprintf(stderr, "sidestepctl: --%s: too long, or with a control character\n", name);
	return false;
}

static bool add_number(const char *name, unsigned long long n)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", n);
	return add_word(name, text);
}

/* A file's name is this process's: the other one may stand elsewhere. */
static bool add_file(const char *name, const char *value)
{
	char *whole = realpath(value, NULL);
	if (!whole)
		fprintf(stderr, "sidestepctl: %s: %s\n", value, strerror(errno));
	bool ok = whole && add_word(name, whole);
	free(whole);
	return ok;
}

/* Words that another one follows. */
static const struct {
	const char *word, *as;
	bool file;
} operands[] = { { "diff", "config", true }, { "apply", "config", true }, { "rollback", "number", false }, { "top", "of", false } };

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "socket", required_argument, NULL, 's' },
					       { "json", no_argument, NULL, 'j' },
					       { "for", required_argument, NULL, 'f' },
					       { "help", no_argument, NULL, 'h' },
					       { "header", required_argument, NULL, 'H' },
					       { "listener", required_argument, NULL, 'w' },
					       { "method", required_argument, NULL, 'w' },
					       { "authority", required_argument, NULL, 'w' },
					       { "path", required_argument, NULL, 'w' },
					       { "identity", required_argument, NULL, 'w' },
					       { "source", required_argument, NULL, 'w' },
					       { "sni", required_argument, NULL, 'w' },
					       { "request", required_argument, NULL, 'w' },
					       { "config", required_argument, NULL, 'c' },
					       { "path-prefix", required_argument, NULL, 'w' },
					       { "cluster", required_argument, NULL, 'w' },
					       { "route", required_argument, NULL, 'w' },
					       { "status", required_argument, NULL, 'w' },
					       { "min-ms", required_argument, NULL, 'w' },
					       { "max", required_argument, NULL, 'm' },
					       { "once", no_argument, NULL, 'o' },
					       { "interval", required_argument, NULL, 'i' },
					       { "sort", required_argument, NULL, 'S' },
					       { "rows", required_argument, NULL, 'r' },
					       { "dry-run", no_argument, NULL, 'd' },
					       { NULL, 0, NULL, 0 } };
	const char *path = DEFAULT_SOCKET;
	bool json = false, bounded = false;
	unsigned long long ns = 0;
	int which = 0;
	for (int opt; (opt = getopt_long(argc, argv, "s:jf:hH:", longs, &which)) != -1;) {
		switch (opt) {
		case 'H':
		case 'w':
			if (add_word(opt == 'H' ? "header" : longs[which].name, optarg))
				break;
			return EXIT_TROUBLE;
		case 'c':
			if (add_file("config", optarg))
				break;
			return EXIT_TROUBLE;
		case 'o':
		case 'm':
			bounded = true;
			if (add_word("max", opt == 'o' ? "1" : optarg))
				break;
			return EXIT_TROUBLE;
		case 'i':
			if (read_time(optarg) && add_number("interval", read_time(optarg) / SS_NS_PER_MS))
				break;
			fprintf(stderr, "sidestepctl: --interval %s: write a time as 500ms, 5s or 2m\n", optarg);
			return EXIT_TROUBLE;
		case 'S':
			view.sort = optarg;
			if (ctl_view_sorts(optarg))
				break;
			fprintf(stderr, "sidestepctl: --sort %s: by rate, errors, p99 or name\n", optarg);
			return EXIT_TROUBLE;
		case 'r':
			view.rows = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			if (add_word("dry_run", "yes"))
				break;
			return EXIT_TROUBLE;
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'f':
			ns = read_time(optarg);
			if (ns)
				break;
			fprintf(stderr, "sidestepctl: --for %s: write a time as 500ms, 5s or 2m\n", optarg);
			return EXIT_TROUBLE;
		default:
			usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? EXIT_OK : EXIT_TROUBLE;
		}
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(operands) && optind == argc - 2; i++) {
		if (strcmp(argv[optind], operands[i].word))
			continue;
		if (!(operands[i].file ? add_file : add_word)(operands[i].as, argv[optind + 1]))
			return EXIT_TROUBLE;
		argc--;
	}
	if (optind < argc - 1 && argc - optind <= 3 && !strcmp(argv[optind], "canary")) {
		if (!add_word("do", argv[optind + 1]) || (argc - optind == 3 && !add_word("route", argv[optind + 2])))
			return EXIT_TROUBLE;
		argc = optind + 1;
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(words) && optind == argc - 1; i++) {
		size_t n = strlen(words[i].word);
		if (strcmp(argv[optind], words[i].word))
			continue;
		memmove(question + n, question, sizeof(question) - n - 1);
		memcpy(question, words[i].word, n);
		view.clear = !bounded && isatty(STDOUT_FILENO);
		if (words[i].look)
			return look(path, i, question, json, bounded);
		return words[i].show ? ask(path, i, question, json) : ask_stages(path, ns, json);
	}
	usage(stderr);
	return EXIT_TROUBLE;
}
