/*
 * The strict cases of llhttp's Markdown tests: what it refuses must be refused here; what it accepts
 * must be accepted with the same messages, fields and body bytes, unless a stricter rule of ours is
 * named. Argument: the source root; the vectors lie beside it or in $SIDESTEP_VECTORS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/h1.h"

static const char *source_root = ".";

struct seen {
	unsigned messages, fields;
	uint64_t body;
	enum ss_h1_why why;
	bool refused;
};

struct tally {
	unsigned refused, accepted, stricter, left_out, wrong;
};

/* The source text of an http block: escaped line ends vanish, others become CRLF, escapes become bytes. */
static uint32_t unescape(const char *s, size_t n, uint8_t *out)
{
	uint32_t k = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i], e = i + 1 < n ? s[i + 1] : 0;
		if (c == '\n') {
			out[k++] = '\r';
			out[k++] = '\n';
		} else if (c != '\\') {
			out[k++] = (uint8_t)c;
		} else if (e == '\n') {
			i++;
		} else if (e >= '0' && e <= '7') {
			char *end;
			char digits[4] = { 0 };
			memcpy(digits, s + i + 1, n - i - 1 < 3 ? n - i - 1 : 3);
			out[k++] = (uint8_t)strtoul(digits, &end, 8);
			i += (size_t)(end - digits);
		} else {
			static const char names[] = "rntf", bytes[] = "\r\n\t\f";
			const char *at = e ? strchr(names, e) : NULL;
			out[k++] = (uint8_t)(at ? bytes[at - names] : '\\');
			i += at != NULL;
		}
	}
	return k;
}

static bool has_line(const uint8_t *p, uint32_t n, const char *start)
{
	uint32_t len = (uint32_t)strlen(start);

	for (uint32_t i = 0; i + len <= n; i++)
		if (strncasecmp((const char *)p + i, start, len) == 0)
			return true;
	return false;
}

/* Most cases leave Host out, which RFC 9112 3.2 makes a must: it is added behind the first line. */
static uint32_t add_host(uint8_t *p, uint32_t n)
{
	static const char host[] = "Host: t\r\n";
	uint32_t skip = n > 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
	uint8_t *lf = memchr(p + skip, '\n', n - skip);

	if (has_line(p, n, "\nhost:"))
		return n;
	if (!lf || lf == p || lf[-1] != '\r')
		return n;
	memmove(lf + sizeof(host), lf + 1, n - (uint32_t)(lf + 1 - p));
	memcpy(lf + 1, host, sizeof(host) - 1);
	return n + sizeof(host) - 1;
}

static int chunked_body(uint8_t *p, uint32_t n, struct seen *s)
{
	struct ss_h1_chunk c;
	struct ss_h1_head head;
	struct ss_hdr v[32];
	struct ss_hdrs h;
	uint32_t at = 0;

	ss_h1_chunk_init(&c);
	while (!c.last) {
		int used = ss_h1_chunk(&c, p + at, n - at);
		if (used < 0) {
			s->why = (enum ss_h1_why)c.why;
			return used;
		}
		at += (uint32_t)used;
		uint32_t take = (uint32_t)ss_min_u64(ss_h1_chunk_data(&c), n - at);
		if (take)
			ss_h1_chunk_took(&c, take);
		at += take;
		s->body += take;
		if (!c.last && at == n)
			return 0;
	}
	ss_hdrs_init(&h, v, 32);
	int used = ss_h1_parse_trailers(p + at, n - at, &head, &h);
	s->why = head.why;
	s->fields += used > 0 ? h.n : 0;
	return used <= 0 ? used : (int)at + used;
}

/* One message: bytes of it, 0 when it is not all there, negative when refused. */
static int message(uint8_t *p, uint32_t n, bool request, struct seen *s, bool *last)
{
	struct ss_h1_head head = { 0 };
	struct ss_hdr v[64];
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, 64);
	int used = request ? ss_h1_parse_request(p, n, &head, &h) : ss_h1_parse_response(p, n, &head, &h);
	s->why = head.why;
	if (used <= 0)
		return used;
	/* Host and Transfer-Encoding leave the block. */
	s->fields += h.n + (request && h.authority.n ? 1 : 0) +
		     has_line(p, (uint32_t)used, "\ntransfer-encoding:");
	*last = !head.keep_alive || head.upgrade || head.body == SS_H1_BODY_TUNNEL ||
		ss_span_eq(h.method, SS_SPAN("CONNECT"));
	int body = 0;
	if (head.body == SS_H1_BODY_CHUNKED) {
		body = chunked_body(p + used, n - (uint32_t)used, s);
		if (body <= 0)
			return body;
	} else if (head.body == SS_H1_BODY_LENGTH) {
		s->body += ss_min_u64(head.length, n - (uint32_t)used);
		if (head.length > n - (uint32_t)used)
			return 0;
		body = (int)head.length;
	} else if (head.body == SS_H1_BODY_CLOSE) {
		s->body += n - (uint32_t)used;
		return 0;
	}
	s->messages++;
	return used + body;
}

static void run(uint8_t *p, uint32_t n, bool request, struct seen *s)
{
	bool last = false;

	*s = (struct seen){ 0 };
	while (n && !last) {
		int used = message(p, n, request, s, &last);
		s->refused = used < 0;
		if (used <= 0)
			return;
		p += used;
		n -= (uint32_t)used;
	}
}

static unsigned count(const char *log, const char *what)
{
	unsigned n = 0;

	for (; (log = strstr(log, what)); log++)
		n++;
	return n;
}

static uint64_t body_bytes(const char *log)
{
	uint64_t n = 0;

	for (const char *p = log; (p = strstr(p, "span[body]")); p++) {
		const char *len = p;
		while (strncmp(len, "len=", 4) != 0)
			len--;
		n += strtoul(len + 4, NULL, 10);
	}
	return n;
}

/* Errors that mean "malformed": not "no more HTTP here", and not "unknown method", of which we know none. */
static bool is_refusal(const char *log)
{
	const char *e = strstr(log, "error code=");

	return e && !strstr(e, "Pause on") && !strstr(e, "Invalid method") &&
	       !strstr(e, "space after method") && !strstr(e, "Data after `Connection: close`");
}

/* Where we refuse and llhttp does not, only for one of these. */
static bool stricter(enum ss_h1_why why)
{
	return why == SS_H1_WHY_HOST || why == SS_H1_WHY_TARGET || why == SS_H1_WHY_CODING ||
	       why == SS_H1_WHY_VERSION || why == SS_H1_WHY_VERSION_SYNTAX || why == SS_H1_WHY_VALUE ||
	       why == SS_H1_WHY_STATUS || why == SS_H1_WHY_CODING_OLD || why == SS_H1_WHY_FOLD ||
	       why == SS_H1_WHY_LENGTH || why == SS_H1_WHY_CODING_NONE || why == SS_H1_WHY_HOST_MISMATCH;
}

static void one_case(const char *file, const char *title, bool request, const char *src, size_t len,
		     const char *log, struct tally *t)
{
	static uint8_t p[65536];
	struct seen s;
	uint32_t n = unescape(src, len, p);

	if (request)
		n = add_host(p, n);
	unsigned extra = request && n != unescape(src, len, (uint8_t[65536]){ 0 }) ? 1 : 0;
	run(p, n, request, &s);
	if (is_refusal(log)) {
		if (!s.refused && s.messages > count(log, "message complete"))
			t->wrong++, printf("%s: %s: accepted, llhttp says %s\n", file, title,
					   strstr(log, "error code"));
		t->refused++;
		return;
	}
	if (s.refused) {
		if (!stricter(s.why))
			t->wrong++, printf("WRONGLY ");
		printf("stricter: %s: %s: %s\n", file, title, ss_h1_why_text(s.why));
		t->stricter++;
		return;
	}
	if (strstr(log, "error code=8") || strstr(log, "error code=6")) {
		t->left_out++;
		return;
	}
	unsigned fields = count(log, "header_value complete");
	if (s.body != body_bytes(log) || (s.messages == 1 && s.fields != fields + extra))
		t->wrong++,
			printf("%s: %s: body %lu (%lu), fields %u (%u)\n", file, title, (unsigned long)s.body,
			       (unsigned long)body_bytes(log), s.fields, fields + extra);
	t->accepted++;
}

/* Each case: a meta comment with its type, an http block, a log block. */
static void one_file(const char *name, char *text, struct tally *t)
{
	for (char *p = text; (p = strstr(p, "<!-- meta="));) {
		char *type = strstr(p, "\"type\"") + 6, *http = strstr(p, "```http\n") + 8,
		     *end = strstr(http, "\n```");
		char *log = strstr(end, "```log\n") + 7, *log_end = strstr(log, "\n```"), title[80] = "";
		char *head = p;
		while (head > text && !(head[0] == '#' && head[-1] == '\n'))
			head--;
		snprintf(title, sizeof(title), "%.*s", (int)strcspn(head, "\n"), head);
		type += strcspn(type, "r");
		size_t len = strcspn(type, "\"");
		bool plain = !strstr(p, "\"pause\"") || strstr(p, "\"pause\"") > http;
		plain &= !strstr(p, "skipBody") || strstr(p, "skipBody") > http;
		*log_end = 0;
		if (plain && (len == 7 || len == 8))
			one_case(name, title, len == 7, http, (size_t)(end - http), log, t);
		else
			t->left_out++;
		p = log_end + 1;
	}
}

static void each_file(const char *folder, struct tally *t)
{
	char dir[512], path[1024];
	const char *env = getenv("SIDESTEP_VECTORS");

	if (env)
		snprintf(dir, sizeof(dir), "%s/http1/%s", env, folder);
	else
		snprintf(dir, sizeof(dir), "%s/../shared/vectors/http1/%s", source_root, folder);
	DIR *d = opendir(dir);
	if (!d) {
		printf("skipped: no vectors in %s\n", dir);
		skip();
	}
	for (struct dirent *e; (e = readdir(d));) {
		static char text[1 << 20];
		if (!strstr(e->d_name, ".md"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		FILE *f = fopen(path, "rb");
		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = 0;
		fclose(f);
		one_file(e->d_name, text, t);
	}
	closedir(d);
}

static void llhttp_cases(void **state)
{
	struct tally t = { 0 };

	each_file("request", &t);
	each_file("response", &t);
	printf("%u refused alike, %u accepted alike, %u stricter, %u of other modes left out\n", t.refused,
	       t.accepted, t.stricter, t.left_out);
	assert_int_equal(t.wrong, 0);
	assert_true(t.refused > 30 && t.accepted > 60);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(llhttp_cases) };

	if (argc > 1)
		source_root = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
