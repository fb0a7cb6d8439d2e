/* format_test.c - variables in values: what is read, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "contract/format.h"

static void put(char *to, size_t room, const struct ss_format_piece *p)
{
	size_t n = strlen(to);

	snprintf(to + n, room - n, "[%u %.*s", p->kind, (int)p->text.n, (const char *)p->text.p);
	n = strlen(to);
	if (p->other.n)
		snprintf(to + n, room - n, "?%.*s", (int)p->other.n, (const char *)p->other.p);
	n = strlen(to);
	snprintf(to + n, room - n, p->most ? ":%u]" : "]", p->most);
}

/* All pieces as text; what is refused ends it with "!". */
static const char *pieces(const char *text)
{
	static char got[400];
	struct ss_format_piece p;
	int rc;

	got[0] = '\0';
	while ((rc = ss_format_next(&text, &p)) == 1)
		put(got, sizeof(got), &p);
	if (rc < 0)
		snprintf(got, sizeof(got), "!%.*s", (int)p.text.n, (const char *)p.text.p);
	return got;
}

static void is(const char *text, const char *want)
{
	assert_string_equal(pieces(text), want);
}

static void what_is_read(void **state)
{
	is("", "");
	is("plain", "[0 plain]");
	is("100%%", "[0 100][0 %]");
	is("%%%%", "[0 %][0 %]");
	is("%PROTOCOL%", "[9 ]");
	is("a %PROTOCOL% b", "[0 a ][9 ][0  b]");
	is("%DOWNSTREAM_REMOTE_ADDRESS%", "[1 ]");
	is("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:%DOWNSTREAM_REMOTE_PORT%", "[2 ][0 :][3 ]");
	is("%DOWNSTREAM_LOCAL_ADDRESS%%DOWNSTREAM_LOCAL_PORT%", "[4 ][6 ]");
	is("%DOWNSTREAM_PEER_URI_SAN%%REQUESTED_SERVER_NAME%%HOSTNAME%", "[7 ][8 ][10 ]");
	is("%REQ(X-User)%", "[11 X-User]");
	is("%REQ(x-user?x-account):12%", "[11 x-user?x-account:12]");
	is("%REQ(:path)%%REQ(:authority?host)%", "[11 :path][11 :authority?host]");
}

static void what_is_refused(void **state)
{
	is("50%", "!%");
	is("50% of", "!% of");
	is("%protocol%", "!%protocol%");
	is("a%UPSTREAM_HOST%", "!%UPSTREAM_HOST%");
	is("%PROTOCOL(x)%", "!%PROTOCOL(x)%");
	is("%REQ%", "!%REQ%");
	is("%REQ()%", "!%REQ()%");
	is("%REQ(x y)%", "!%REQ(x y)%");
	is("%REQ(x%", "!%REQ(x%");
	is("%REQ(x?)%", "!%REQ(x?)%");
	is("%REQ(:nope)%", "!%REQ(:nope)%");
	is("%REQ(x):0%", "!%REQ(x):0%");
	is("%REQ(x):%", "!%REQ(x):%");
	is("%REQ(x):99999%", "!%REQ(x):99999%");
	is("%REQ(x)y%", "!%REQ(x)y%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
