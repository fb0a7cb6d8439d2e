/*
 * The HPACK stories of http2jp: what other encoders wrote, decoded; and their header lists through
 * our encoder and back. Argument: the source root; the vectors lie beside it or in $SIDESTEP_VECTORS.
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
#include "wire/hpack.h"

#define MAX_FIELDS 128
#define MEM 65536

static const char *source_root = ".";

/* One case of a story, as read. */
struct story_case {
	uint8_t wire[MEM];
	uint32_t wire_len;
	int table_size; /* -1: not said */
	struct ss_span name[MAX_FIELDS], value[MAX_FIELDS];
	unsigned n;
	char text[MEM];
};

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	char *s = malloc((size_t)n + 1);
	assert_int_equal(fread(s, 1, (size_t)n, f), n);
	s[n] = 0;
	fclose(f);
	return s;
}

/* A JSON string at *p (on its quote), copied to *to; moves both. */
static struct ss_span json_string(const char **p, char **to)
{
	char *start = *to;

	assert_int_equal(**p, '"');
	for ((*p)++; **p != '"'; (*p)++) {
		char c = **p;
		if (c == '\\') {
			c = *++(*p);
			if (c == 'u') {
				c = (char)strtoul((char[]){ (*p)[3], (*p)[4], 0 }, NULL, 16);
				*p += 4;
			} else {
				c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
			}
		}
		*(*to)++ = c;
	}
	(*p)++;
	return ss_span(start, (uint32_t)(*to - start));
}

/* "headers": [ { "name": "value" }, ... ] with *p behind the key. */
static void read_headers(const char **p, struct story_case *c, char **to)
{
	*p = strchr(*p, '[') + 1;
	c->n = 0;
	for (;;) {
		*p += strspn(*p, " \t\r\n,{}");
		if (**p == ']')
			break;
		assert_true(c->n < MAX_FIELDS);
		c->name[c->n] = json_string(p, to);
		*p += strspn(*p, " \t\r\n:");
		c->value[c->n++] = json_string(p, to);
	}
	(*p)++;
}

/* The next case, or false. Keys come in any order; only the three that matter are read. */
static bool next_case(const char **p, struct story_case *c)
{
	char *to = c->text;
	const char *at = strchr(*p, '{');

	if (!at || !strstr(at, "\"headers\""))
		return false;
	c->wire_len = 0;
	c->table_size = -1;
	c->n = 0;
	for (at++; *(at += strspn(at, " \t\r\n,:")) && *at != '}';) {
		if (*at != '"') {
			at++;
			continue;
		}
		struct ss_span key = json_string(&at, &to);
		if (ss_span_eq(key, SS_SPAN("headers"))) {
			read_headers(&at, c, &to);
		} else if (ss_span_eq(key, SS_SPAN("header_table_size"))) {
			at += strspn(at, " :");
			c->table_size = atoi(at);
		} else if (ss_span_eq(key, SS_SPAN("wire"))) {
			at += strspn(at, " :");
			struct ss_span hex = json_string(&at, &to);
			for (uint32_t i = 0; i + 1 < hex.n; i += 2)
				c->wire[c->wire_len++] = (uint8_t)strtoul(
					(char[]){ (char)hex.p[i], (char)hex.p[i + 1], 0 }, NULL, 16);
		}
	}
	*p = *at ? at + 1 : at;
	return true;
}

static struct ss_span pseudo(const struct ss_hdrs *h, struct ss_span name, char status[4])
{
	snprintf(status, 4, "%u", h->status % 1000u);
	return ss_span_eq(name, SS_SPAN(":method")) ? h->method :
	       ss_span_eq(name, SS_SPAN(":path")) ? h->path :
	       ss_span_eq(name, SS_SPAN(":scheme")) ? h->scheme :
	       ss_span_eq(name, SS_SPAN(":authority")) ? h->authority : ss_span(status, 3);
}

static void compare(const struct story_case *c, const struct ss_hdrs *h)
{
	uint16_t at = 0;
	char status[4];

	for (unsigned i = 0; i < c->n; i++) {
		struct ss_span value;
		if (c->name[i].p[0] == ':') {
			value = pseudo(h, c->name[i], status);
		} else {
			assert_true(at < h->n);
			assert_true(ss_span_eq(h->v[at].name, c->name[i]));
			assert_int_equal(h->v[at].tok, ss_hdr_token(c->name[i]));
			value = h->v[at++].value;
		}
		if (!ss_span_eq(value, c->value[i]))
			fail_msg("%.*s: got %.*s", (int)c->name[i].n, (const char *)c->name[i].p,
				 (int)value.n, (const char *)value.p);
	}
	assert_int_equal(at, h->n);
}

/* Some stories hold what RFC 9113 calls malformed: values that end in a space (8.2.1), and, as others
 * encoded them, :status behind other fields (8.3). */
static int verdict(const struct story_case *c, bool any_order)
{
	bool regular = false;

	for (unsigned i = 0; i < c->n; i++) {
		if (c->value[i].n && c->value[i].p[c->value[i].n - 1] == ' ')
			return SS_ERR_BAD_STREAM;
		if (c->name[i].p[0] == ':' && regular && !any_order)
			return SS_ERR_BAD_STREAM;
		regular |= c->name[i].p[0] != ':';
	}
	return 0;
}

static void decode_story(const char *text)
{
	static struct story_case c;
	static struct ss_hdr v[MAX_FIELDS];
	static uint8_t mem[MEM];
	struct ss_hpack_dec d;
	struct ss_hdrs h;
	const char *p = strstr(text, "\"cases\"");

	ss_hpack_dec_init(&d, 4096);
	for (int size = 4096; next_case(&p, &c);) {
		if (c.table_size >= 0 && c.table_size != size)
			ss_hpack_dec_limit(&d, (uint32_t)(size = c.table_size));
		struct ss_out out = ss_out(mem, sizeof(mem));
		ss_hdrs_init(&h, v, MAX_FIELDS);
		assert_int_equal(ss_hpack_decode(&d, c.wire, c.wire_len, MEM, &out, &h), verdict(&c, false));
		if (verdict(&c, false) == 0)
			compare(&c, &h);
	}
}

static void fill(const struct story_case *c, struct ss_hdrs *h)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct ss_span n = c->name[i], val = c->value[i];
		if (ss_span_eq(n, SS_SPAN(":method")))
			h->method = val;
		else if (ss_span_eq(n, SS_SPAN(":path")))
			h->path = val;
		else if (ss_span_eq(n, SS_SPAN(":scheme")))
			h->scheme = val;
		else if (ss_span_eq(n, SS_SPAN(":authority")))
			h->authority = val;
		else if (ss_span_eq(n, SS_SPAN(":status")))
			h->status = (uint16_t)atoi((const char *)val.p);
		else
			assert_int_equal(ss_hdrs_add(h, n, val, 0), 0);
	}
}

static size_t raw_bytes, coded_bytes;

static void encode_story(const char *text)
{
	static struct story_case c;
	static struct ss_hdr v[MAX_FIELDS], w[MAX_FIELDS];
	static uint8_t coded[MEM], mem[MEM];
	static struct ss_hpack_enc e;
	struct ss_hpack_dec d;
	struct ss_hdrs in, back;
	const char *p = strstr(text, "\"cases\"");

	ss_hpack_enc_init(&e);
	ss_hpack_dec_init(&d, 4096);
	for (int k = 0; next_case(&p, &c); k++) {
		if (k % 5 == 4) { /* the peer changes its mind now and then */
			uint32_t size = (uint32_t)(k * 331 % 4097);
			ss_hpack_enc_limit(&e, size);
			ss_hpack_dec_limit(&d, size);
		}
		ss_hdrs_init(&in, v, MAX_FIELDS);
		fill(&c, &in);
		struct ss_out out = ss_out(coded, sizeof(coded)), bytes = ss_out(mem, sizeof(mem));
		int n = ss_hpack_encode(&e, &in, &out);
		assert_true(n >= 0);
		ss_hdrs_init(&back, w, MAX_FIELDS);
		assert_int_equal(ss_hpack_decode(&d, coded, (uint32_t)n, MEM, &bytes, &back),
				 verdict(&c, true));
		if (verdict(&c, true) == 0)
			compare(&c, &back);
		coded_bytes += (size_t)n;
		for (unsigned i = 0; i < c.n; i++)
			raw_bytes += c.name[i].n + c.value[i].n;
	}
}

static unsigned each_story(const char *folder, void (*story)(const char *text))
{
	char dir[512], path[1024];
	const char *env = getenv("SIDESTEP_VECTORS");
	unsigned n = 0;

	if (env)
		snprintf(dir, sizeof(dir), "%s/hpack/%s", env, folder);
	else
		snprintf(dir, sizeof(dir), "%s/../shared/vectors/hpack/%s", source_root, folder);
	DIR *d = opendir(dir);
	if (!d) {
		printf("skipped: no vectors in %s\n", dir);
		skip();
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (!strstr(e->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		char *text = read_file(path);
		story(text);
		free(text);
		n++;
	}
	closedir(d);
	assert_true(n > 0);
	return n;
}

static void stories_are_decoded(void **state)
{
	unsigned n = each_story("go-hpack", decode_story);
	n += each_story("nghttp2", decode_story);
	n += each_story("nghttp2-change-table-size", decode_story);
	printf("%u stories decoded\n", n);
}

static void stories_survive_our_encoder(void **state)
{
	unsigned n = each_story("raw-data", encode_story);
	printf("%u stories encoded to %zu of %zu bytes\n", n, coded_bytes, raw_bytes);
	assert_true(coded_bytes < raw_bytes * 2 / 3);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories_are_decoded),
		cmocka_unit_test(stories_survive_our_encoder),
	};
	if (argc > 1)
		source_root = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
