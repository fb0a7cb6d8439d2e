#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/apply.h"
#include "base/err.h"
#include "cfg/cfg.h"

/* In place of the real builder, one that is told whether to refuse: the order of steps is tested. */
static bool refuse;
static uint32_t built, destroyed;
static uint64_t last_generation;

int ss_build_snapshot(struct ss_build *b, const struct ss_model *m, uint64_t generation,
		      struct ss_snapshot **out, struct ss_model_errors *errors)
{
	*out = NULL;
	last_generation = generation;
	if (refuse) {
		ss_model_error(errors, NULL, "tls", "refused by the builder");
		return SS_ERR_CONFIG;
	}
	*out = calloc(1, sizeof(**out));
	(*out)->generation = generation;
	memcpy((*out)->hash, m->hash, sizeof(m->hash));
	built++;
	return 0;
}

/* One refresh brings something new. */
static uint32_t fresh;

int ss_build_refresh(struct ss_build *b, const struct ss_model *m, uint64_t generation, bool judge,
		     struct ss_snapshot **out)
{
	struct ss_model_errors none = { 0 };

	*out = NULL;
	if (!judge)
		return 1;
	return fresh ? fresh--, ss_build_snapshot(b, m, generation, out, &none) : 0;
}

int ss_build_candidate(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		       struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

const struct ss_model_authz_rule *ss_build_rule_of(const struct ss_model *m, const struct ss_model_authz *a, uint32_t i,
						   const struct ss_model_policy **policy)
{
	return NULL;
}

int ss_build_again(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		   struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

int ss_build_endpoints(struct ss_build *b, const struct ss_model *m, uint32_t at, const struct ss_snapshot *now,
		       struct ss_snapshot **out, struct ss_model_errors *errors)
{
	int err = ss_build_snapshot(b, m, now->generation, out, errors);

	if (err == 0)
		(*out)->edition = now->edition + 1;
	return err;
}

void ss_build_destroy(struct ss_snapshot *s)
{
	destroyed++;
	free(s);
}

static char path[] = "/tmp/ss-apply-XXXXXX";

static void write_file(const char *node, const char *body)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"node = \"%s\";\n"
		"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; } );\n"
		"virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; routes = ( { name = \"r\";\n"
		"  direct_response = { status = 200; body = \"%s\"; }; } ); } );\n"
		"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; } );\n",
		node, body);
	assert_int_equal(fclose(f), 0);
}

static void reload_swaps_or_changes_nothing(void **state)
{
	struct ss_snapshot_box box = { 0 };
	struct ss_publish *p;
	struct ss_apply *a;
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	const struct ss_model *m2;
	uint64_t g;
	char first_hash[17];

	write_file("n", "one");
	assert_int_equal(ss_cfg_load(path, &m, &e), 0);
	assert_int_equal(ss_publish_create(&p, &(struct ss_publish_conf){ &box, 1, NULL, ss_build_destroy }),
			 0);
	assert_int_equal(ss_apply_create(&a, &(struct ss_apply_conf){ path, m, NULL, p }), 0);
	assert_int_equal(ss_apply_first(a, &e), 0);
	assert_string_equal(ss_publish_current(p)->hash, m->hash);
	memcpy(first_hash, m->hash, sizeof(first_hash));

	/* A mistake in the file. */
	write_file("n", "one\"; x = \"");
	assert_int_equal(ss_apply_reload(a, "test", &g, &e), SS_ERR_CONFIG);
	assert_int_equal(g, 0);
	assert_int_equal(e.n, 1);
	assert_string_equal(ss_publish_current(p)->hash, first_hash);
	ss_model_errors_free(&e);

	/* What is read at start only. */
	write_file("other", "two");
	assert_int_equal(ss_apply_reload(a, "test", &g, &e), SS_ERR_CONFIG);
	assert_int_equal(e.n, 1);
	assert_non_null(strstr(e.text[0], ": node: is read at start only"));
	assert_ptr_equal(ss_apply_model(a), m);
	ss_model_errors_free(&e);

	/* What only the builder sees. */
	write_file("n", "two");
	refuse = true;
	assert_int_equal(ss_apply_reload(a, "test", &g, &e), SS_ERR_CONFIG);
	assert_int_equal(e.n, 1);
	assert_int_equal(ss_publish_current(p)->generation, 1);
	assert_ptr_equal(ss_apply_model(a), m);
	ss_model_errors_free(&e);
	refuse = false;

	/* And a good one, twice: the first model stays, the ones between go. */
	for (int i = 0; i < 2; i++) {
		uint64_t before = last_generation;
		assert_int_equal(ss_apply_reload(a, "test", &g, &e), 0);
		assert_true(g > before);
		assert_int_equal(ss_publish_current(p)->generation, g);
		assert_string_not_equal(ss_publish_current(p)->hash, first_hash);
		assert_string_equal(ss_publish_current(p)->hash, ss_apply_model(a)->hash);
	}
	assert_int_equal(e.n, 0);

	/* Other files of secrets: a generation of the same model. */
	m2 = ss_apply_model(a);
	g = ss_publish_current(p)->generation;
	assert_true(ss_apply_refresh(a, true));
	assert_int_equal(ss_publish_current(p)->generation, g);
	assert_false(ss_apply_refresh(a, false));
	assert_int_equal(ss_publish_current(p)->generation, g);
	fresh = 1;
	assert_true(ss_apply_refresh(a, true));
	assert_int_equal(ss_publish_current(p)->generation, g + 1);
	assert_ptr_equal(ss_apply_model(a), m2);
	/* Keys are loaded in another way: the same. */
	assert_true(ss_apply_again(a));
	assert_int_equal(ss_publish_current(p)->generation, g + 2);
	ss_publish_adopted(p, 0, g + 2); /* the worker's word, without which the ones before stay */
	ss_publish_poll(p);
	assert_int_equal(ss_publish_live(p), 1);
	assert_string_equal(m->process.ports[0].name, "p");
	ss_apply_free(a);
	ss_publish_free(p);
	assert_int_equal(built, destroyed);
	assert_int_equal(built, 5);
}

/* ---- another file in the configured one's place ---- */

static struct desk {
	char dir[32], file[64], other[64], state[64];
	struct ss_snapshot_box box;
	struct ss_publish *publish;
	struct ss_state *kept;
	struct ss_history *history;
	struct ss_apply *apply;
} d;

static void put_text(const char *name, const char *text)
{
	char at[128];
	FILE *f;

	snprintf(at, sizeof(at), "%s/%s", d.dir, name);
	f = fopen(at, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static char *get_text(const char *at)
{
	static char text[4096];
	FILE *f = fopen(at, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* A configuration, the one route of which answers that; more comes behind. */
static const char *config(const char *body, const char *more)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; } );\n"
		 "virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; routes = ( { name = \"r\";\n"
		 "  direct_response = { status = 200; body = \"%s\"; }; } ); } );\n"
		 "listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; } );\n%s",
		 body, more);
	return text;
}

static void open_desk(void)
{
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	char err[256];

	strcpy(d.dir, "/tmp/ss-install-XXXXXX");
	assert_non_null(mkdtemp(d.dir));
	snprintf(d.file, sizeof(d.file), "%s/in-force.cfg", d.dir);
	snprintf(d.other, sizeof(d.other), "%s/other.cfg", d.dir);
	snprintf(d.state, sizeof(d.state), "%s/state", d.dir);
	put_text("in-force.cfg", config("one", "# mine\n"));
	assert_int_equal(ss_state_open(&d.kept, d.state, err, sizeof(err)), 0);
	assert_int_equal(ss_history_create(&d.history, d.kept), 0);
	assert_int_equal(ss_cfg_load(d.file, &m, &e), 0);
	memset(&d.box, 0, sizeof(d.box));
	assert_int_equal(ss_publish_create(&d.publish, &(struct ss_publish_conf){ &d.box, 1, NULL, ss_build_destroy }), 0);
	assert_int_equal(ss_apply_create(&d.apply, &(struct ss_apply_conf){ d.file, m, NULL, d.publish, d.history }), 0);
	assert_int_equal(ss_apply_first(d.apply, &e), 0);
	assert_int_equal(ss_history_number(d.history), 1);
}

static void close_desk(void)
{
	char command[128];

	ss_apply_free(d.apply);
	ss_publish_free(d.publish);
	ss_history_free(d.history);
	ss_state_close(d.kept);
	snprintf(command, sizeof(command), "rm -r %s", d.dir);
	assert_int_equal(system(command), 0);
}

/* 0, or why it is refused; what would change in *changes when asked for. */
static const char *install(const char *file, uint32_t number, bool dry, char *changes, size_t room)
{
	static char why[2048];
	struct ss_apply_want want = { .path = file, .number = number, .dry_run = dry, .by = "uid 7" };
	struct ss_model_errors e = { 0 };
	struct ss_apply_done done;
	struct ss_json j;
	char *text;

	ss_json_open(&j);
	int err = ss_apply_install(d.apply, &want, &j, &done, &e);
	text = ss_json_close(&j);
	if (changes)
		snprintf(changes, room, "%s", text);
	free(text);
	assert_int_equal(err < 0, e.n > 0);
	assert_int_equal(done.generation > 0, err == 0 && !dry);
	snprintf(why, sizeof(why), "%s", e.n ? e.text[0] : "");
	ss_model_errors_free(&e);
	return err == 0 ? NULL : why;
}

static void a_file_takes_the_place(void **state)
{
	char changes[1024], first[2048];
	const char *why;
	struct ss_model_errors e = { 0 };
	uint64_t g;

	open_desk();
	strcpy(first, get_text(d.file));
	put_text("other.cfg", config("two", ""));
	assert_null(install(d.other, 0, true, changes, sizeof(changes)));
	assert_non_null(strstr(changes, "\"route\""));
	assert_string_equal(get_text(d.file), first); /* a dry run */
	assert_int_equal(ss_history_number(d.history), 1);

	assert_null(install(d.other, 0, false, changes, sizeof(changes)));
	assert_string_equal(get_text(d.file), config("two", ""));
	assert_string_equal(ss_publish_current(d.publish)->hash, ss_apply_model(d.apply)->hash);
	assert_string_equal(ss_apply_model(d.apply)->file, d.file);
	assert_int_equal(ss_history_number(d.history), 2);
	g = ss_publish_current(d.publish)->generation;

	/* What a SIGHUP reads then is what is in force: no new entry. */
	assert_int_equal(ss_apply_reload(d.apply, "signal", &g, &e), 0);
	assert_int_equal(ss_history_number(d.history), 2);

	/* Refused by the reader, by the builder, because there is no such thing: nothing changes. */
	put_text("other.cfg", config("three\"; x = \"", ""));
	why = install(d.other, 0, false, NULL, 0);
	assert_non_null(strstr(why, "other.cfg:3: "));
	refuse = true;
	put_text("other.cfg", config("three", ""));
	assert_non_null(install(d.other, 0, false, NULL, 0));
	refuse = false;
	assert_non_null(strstr(install("/tmp/no/such.cfg", 0, false, NULL, 0), "cannot be read"));
	assert_non_null(strstr(install(NULL, 77, false, NULL, 0), "has no entry 77"));
	assert_string_equal(get_text(d.file), config("two", ""));
	assert_int_equal(ss_history_number(d.history), 2);
	assert_int_equal(ss_publish_current(d.publish)->generation, g);

	/* Back, with the comment. */
	assert_null(install(NULL, 1, false, changes, sizeof(changes)));
	assert_non_null(strstr(changes, "\"route\""));
	assert_string_equal(get_text(d.file), first);
	assert_true(ss_history_number(d.history) > 2);
	close_desk();
}

/* What stood in the file and was never read is kept before it is replaced. */
static void nothing_is_lost(void **state)
{
	char changes[64], why[256], *text;

	open_desk();
	put_text("in-force.cfg", "half an edit {");
	put_text("other.cfg", config("two", ""));
	assert_null(install(d.other, 0, false, changes, sizeof(changes)));
	text = ss_history_text(d.history, 2, why, sizeof(why));
	assert_string_equal(text, "half an edit {");
	free(text);
	assert_int_equal(ss_history_number(d.history), 3);
	assert_non_null(install(NULL, 2, false, NULL, 0)); /* it is no configuration */
	assert_string_equal(get_text(d.file), config("two", ""));
	close_desk();
}

static void included_files_become_part(void **state)
{
	char folder[64], path_[128], flat[4096];
	const char *why;

	open_desk();
	put_text("part.cfg", "drain_timeout = \"30s\"; # part\n@include \"deep.cfg\"");
	put_text("deep.cfg", "node = \"sidestep\";");
	put_text("other.cfg", config("two", "  @include \"part.cfg\" # all of it\n"));
	assert_null(install(d.other, 0, false, NULL, 0));
	snprintf(flat, sizeof(flat), "%sdrain_timeout = \"30s\"; # part\nnode = \"sidestep\";\n # all of it\n", config("two", ""));
	assert_string_equal(get_text(d.file), flat);

	/* A directive within a comment is none: what would be kept says something else, or the same. */
	put_text("part.cfg", "*/ x = 1; /*");
	put_text("other.cfg", config("four", "/*\n@include \"part.cfg\"\n*/\n"));
	why = install(d.other, 0, false, NULL, 0);
	assert_non_null(strstr(why, "cannot be kept"));

	/* A relative name that means another file in the other folder. */
	snprintf(folder, sizeof(folder), "%s/sub", d.dir);
	assert_int_equal(mkdir(folder, 0700), 0);
	put_text("sub/certs.pem", "x");
	put_text("certs.pem", "x");
	put_text("sub/other.cfg", config("five", "trust = ( { name = \"t\"; bundle = \"certs.pem\"; } );\n"));
	snprintf(path_, sizeof(path_), "%s/sub/other.cfg", d.dir);
	why = install(path_, 0, false, NULL, 0);
	assert_non_null(why);
	assert_non_null(strstr(why, "relative names mean other files"));
	assert_string_equal(get_text(d.file), flat);
	close_desk();
}

static void without_history_nothing_is_replaced(void **state)
{
	struct ss_history *h;

	open_desk();
	h = d.history;
	ss_apply_free(d.apply);
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	assert_int_equal(ss_cfg_load(d.file, &m, &e), 0);
	assert_int_equal(ss_apply_create(&d.apply, &(struct ss_apply_conf){ d.file, m, NULL, d.publish, NULL }), 0);
	put_text("other.cfg", config("two", ""));
	assert_non_null(strstr(install(d.other, 0, false, NULL, 0), "state_dir"));
	assert_string_equal(get_text(d.file), config("one", "# mine\n"));
	d.history = h;
	close_desk();
}

static int make(void **state)
{
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int clean(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(reload_swaps_or_changes_nothing),
					cmocka_unit_test(a_file_takes_the_place),
					cmocka_unit_test(nothing_is_lost),
					cmocka_unit_test(included_files_become_part),
					cmocka_unit_test(without_history_nothing_is_replaced) };
	return cmocka_run_group_tests(t, make, clean);
}
