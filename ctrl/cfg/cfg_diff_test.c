#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfg/cfg.h"

static const char text[] =
	"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; } );\n"
	"clusters = ( { name = \"v1\"; endpoints = (\n"
	"  { address = \"10.0.0.9\"; port = 80; },\n"
	"  { address = \"10.0.0.10\"; port = 80; } ); } );\n"
	"virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; routes = (\n"
	"  { name = \"a\"; match = { prefix = \"/a\"; }; cluster = \"v1\"; },\n"
	"  { name = \"b\"; cluster = \"v1\"; } ); } );\n"
	"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; } );\n";

static struct ss_model *load(const char *with)
{
	char path[] = "/tmp/ss_cfg_diff_XXXXXX";
	struct ss_model_errors errors = { 0 };
	struct ss_model *m = NULL;
	FILE *f = fdopen(mkstemp(path), "w");

	assert_non_null(f);
	fputs(with, f);
	assert_int_equal(fclose(f), 0);
	if (ss_cfg_load(path, &m, &errors) < 0)
		fail_msg("%s", errors.text[0]);
	ss_model_errors_free(&errors);
	unlink(path);
	return m;
}

/* The text with `from` made `to`, once. */
static char *edited(const char *from, const char *to)
{
	const char *at = strstr(text, from);
	size_t n = sizeof(text) + strlen(to);
	char *out = malloc(n);

	assert_non_null(at);
	snprintf(out, n, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return out;
}

/* What is said of the edit, without files' names. */
static char *said(const char *from, const char *to)
{
	char *other = edited(from, to), *json, *w;
	struct ss_model *a = load(text), *b = load(other);
	struct ss_json j;

	ss_json_open(&j);
	assert_int_equal(ss_cfg_diff(&j, a, b), 0);
	json = w = ss_json_close(&j);
	for (const char *r = json; *r;)
		if (!strncmp(r, "/tmp/ss_cfg_diff_", 17))
			r += 23;
		else
			*w++ = *r++;
	*w = '\0';
	ss_model_free(a);
	ss_model_free(b);
	free(other);
	return json;
}

static void differences_are_told(void **state)
{
	static const struct {
		const char *from, *to, *want;
	} cases[] = {
		{ "ports", "# nothing\nports", "{\"changes\":[]}" },
		{ "cluster = \"v1\"; },\n", "cluster = \"v1\"; timeout = \"3s\"; },\n",
		  "{\"changes\":[{\"what\":\"changed\",\"kind\":\"route\",\"name\":\"a\",\"of\":\"h\",\"at\":\":6\","
		  "\"was_at\":\":6\",\"keys\":[\"timeout\"]}]}" },
		{ "name = \"b\"", "name = \"c\"",
		  "{\"changes\":[{\"what\":\"removed\",\"kind\":\"route\",\"name\":\"b\",\"of\":\"h\",\"was_at\":\":7\"},"
		  "{\"what\":\"added\",\"kind\":\"route\",\"name\":\"c\",\"of\":\"h\",\"at\":\":7\"}]}" },
		{ "name = \"v1\"; endpoints", "name = \"v1\"; connect_timeout = \"1s\"; endpoints",
		  "{\"changes\":[{\"what\":\"changed\",\"kind\":\"cluster\",\"name\":\"v1\",\"at\":\":2\",\"was_at\":\":2\","
		  "\"keys\":[\"connect_timeout\"]}]}" },
		{ "listeners = (", "drain_timeout = \"9s\"; listeners = (",
		  "{\"changes\":[{\"what\":\"changed\",\"kind\":\"key\",\"name\":\"drain_timeout\"}]}" },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(cases); i++) {
		char *got = said(cases[i].from, cases[i].to);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void another_order_is_a_change(void **state)
{
	char *got = said("  { name = \"a\"; match = { prefix = \"/a\"; }; cluster = \"v1\"; },\n"
			 "  { name = \"b\"; cluster = \"v1\"; } ); } );\n",
			 "  { name = \"b\"; cluster = \"v1\"; }, { name = \"c\"; cluster = \"v1\"; },\n"
			 "  { name = \"a\"; match = { prefix = \"/a\"; }; cluster = \"v1\"; } ); } );\n");

	assert_string_equal(got, "{\"changes\":[{\"what\":\"changed\",\"kind\":\"virtual host\",\"name\":\"h\",\"at\":\":5\","
				 "\"was_at\":\":5\",\"keys\":[\"routes\"]},"
				 "{\"what\":\"added\",\"kind\":\"route\",\"name\":\"c\",\"of\":\"h\",\"at\":\":6\"}]}");
	free(got);
}

static void endpoints_are_told_whole(void **state)
{
	char *got = said("10.0.0.10", "10.0.0.11");

	assert_non_null(strstr(got, "{\"what\":\"removed\",\"kind\":\"endpoint\",\"name\":\"{\\\"address\\\":\\\"10.0.0.10\\\""));
	assert_non_null(strstr(got, "{\"what\":\"added\",\"kind\":\"endpoint\",\"name\":\"{\\\"address\\\":\\\"10.0.0.11\\\""));
	assert_non_null(strstr(got, "\"of\":\"v1\",\"at\":\":4\"}"));
	assert_null(strstr(got, "10.0.0.9"));
	free(got);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(differences_are_told),
		cmocka_unit_test(another_order_is_a_change),
		cmocka_unit_test(endpoints_are_told_whole),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
