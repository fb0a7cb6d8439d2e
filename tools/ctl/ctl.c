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
#include <sys/un.h>
#include <unistd.h>

#include "tools/ctl/ctl_table.h"

#define DEFAULT_SOCKET "/run/sidestep.sock"
enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_TROUBLE = 2 };

static const struct {
	const char *word;
	void (*show)(const struct ctl_json *v);
	const char *what;
} words[] = {
	{ "status", ctl_show_status, "node, configuration, workers, ports, memory" },
	{ "stats", ctl_show_stats, "counters, drops by name, latency" },
	{ "clusters", ctl_show_clusters, "endpoints and their health" },
	{ "config", ctl_show_config, "the configuration in force, every default filled in" },
	{ "flows", ctl_show_flows, "rte_flow rules, or why there are none" },
	{ "reload", ctl_show_reload, "read the file again; answers when every worker uses it" },
	{ "drain", ctl_show_drain, "stop accepting, finish, end" },
};

static void usage(FILE *f)
{
	fprintf(f, "usage: sidestepctl [--socket PATH] [--json] WORD\n\n");
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

static bool say(int fd, const char *word)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s\n", word);
	return send(fd, line, (size_t)n, MSG_NOSIGNAL) == n;
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

static int print(char *text, bool json, void (*show)(const struct ctl_json *v))
{
	char *body = strchr(text, '\n');
	if (!body) {
		fprintf(stderr, "sidestepctl: no answer\n");
		return EXIT_TROUBLE;
	}
	*body++ = '\0';
	bool ok = !strcmp(text, "ok");
	if (json) {
		fputs(body, stdout);
		return ok ? EXIT_OK : EXIT_REFUSED;
	}
	struct ctl_json *v = ctl_json_read(body);
	int status = EXIT_TROUBLE;
	if (!v)
		fprintf(stderr, "sidestepctl: the answer is no JSON\n");
	else if (!ok)
		status = print_refusal(v);
	else
		show(v), status = EXIT_OK;
	ctl_json_free(v);
	return status;
}

static int ask(const char *path, size_t i, bool json)
{
	int fd = reach(path);
	if (fd < 0)
		return EXIT_TROUBLE;
	int status = EXIT_TROUBLE;
	char *text = say(fd, words[i].word) ? listen_to(fd) : NULL;
	if (text)
		status = print(text, json, words[i].show);
	else
		fprintf(stderr, "sidestepctl: %s: %s\n", path, strerror(errno));
	free(text);
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "socket", required_argument, NULL, 's' },
					       { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	const char *path = DEFAULT_SOCKET;
	bool json = false;
	for (int opt; (opt = getopt_long(argc, argv, "s:jh", longs, NULL)) != -1;) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? EXIT_OK : EXIT_TROUBLE;
		}
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(words) && optind == argc - 1; i++)
		if (!strcmp(argv[optind], words[i].word))
			return ask(path, i, json);
	usage(stderr);
	return EXIT_TROUBLE;
}
