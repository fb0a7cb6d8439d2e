#include "perf/micro/hop_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cfg/cfg.h"

#define MAX_NAMES 8192

static void fail(struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "%s\n", e->text[i]);
	abort();
}

static struct ss_model *read_text(const char *text)
{
	char path[] = "/tmp/micro-hop-XXXXXX";
	struct ss_model_errors e = {0};
	struct ss_model *m = NULL;
	FILE *f = fdopen(mkstemp(path), "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	if (ss_cfg_load(path, &m, &e) < 0)
		fail(&e);
	unlink(path);
	return m;
}

void hop_world_open(struct hop_world *w, const char *text)
{
	struct ss_model *m = read_text(text);
	const struct ss_model_process *p = &m->process;
	struct ss_model_errors e = {0};

	w->names = ss_names_create(MAX_NAMES);
	if (!w->names || ss_ep_table_create(&w->endpoints, p->max_endpoints, p->max_clusters) < 0 ||
	    ss_limit_table_create(&w->limits, p->max_limits, p->max_limit_keys, 1) < 0 ||
	    ss_build_create(&w->build, &(struct ss_build_conf){w->names, w->endpoints, 1, w->limits}) < 0)
		abort();
	if (ss_build_snapshot(w->build, m, 1, &w->snap, &e) < 0)
		fail(&e);
	ss_model_free(m);
}

void hop_world_close(struct hop_world *w)
{
	ss_build_destroy(w->snap);
	ss_build_free(w->build);
	ss_limit_table_free(w->limits);
	ss_ep_table_free(w->endpoints);
	ss_names_free(w->names);
}

/* -- texts -- */

static const char form[] =
	"ports = ( { name = \"p\"; device = \"net_null0\"; addresses = [ \"10.0.0.2/24\" ]; } );\n"
	"memory = { endpoints = 64; clusters = 8; };\n"
	"%s"
	"clusters = ( { name = \"a\"; %s }, { name = \"b\"; %s } );\n"
	"virtual_hosts = ( { name = \"all\"; domains = [ \"*\" ]; routes = ( %s ); } );\n"
	"listeners = ( { name = \"in\"; address = \"10.0.0.2\"; port = 80; virtual_hosts = [ \"all\" ]; %s } );\n";

static const char cluster_form[] =
	"protocol = \"%s\"; http = { max_streams = 100; }; %s endpoints = ( { address = \"10.0.0.11\"; port = 80; } );";

/* One endpoint: the peer of the bench is one connection. */
static const char rich_cluster[] = "load_balancing = \"least_request\"; balancing = { slow_start_window = \"10s\"; };";

static const char limits[] = "rate_limits = ( { name = \"total\"; rate = \"100000000/s\"; burst = 1000000; },\n"
			     "  { name = \"each\"; rate = \"100000000/s\"; burst = 1000000; key = \"source\"; } );\n";

static const char rich_listener[] =
	"rate_limits = [ \"total\", \"each\" ]; authorization = { rules = (\n"
	"  { name = \"no-admin\"; action = \"deny\"; paths = [ \"/admin/\", \"/internal/\" ]; },\n"
	"  { name = \"readers\"; action = \"allow\"; methods = [ \"HEAD\" ]; paths = [ \"/public/\" ]; },\n"
	"  { name = \"rest\"; action = \"allow\"; methods = [ \"GET\", \"POST\" ]; } ); };";

static const char rich_route[] =
	"{ name = \"taken\"; clusters = ( { name = \"a\"; weight = 100; }, { name = \"b\"; weight = 0; } );\n"
	"  request_headers = { set = ( { name = \"x-hop\"; value = \"one\"; } ); };\n"
	"  response_headers = { remove = [ \"x-powered-by\" ]; };\n"
	"  retry = { max_retries = 3; per_try_timeout = \"1s\"; }; }";

/* What a route before the taken one is about: every second one has the request's own paths. */
static int other_route(char *p, size_t n, int i)
{
	static const char *const matches[] = {
		"prefix = \"/other/%d/\";",
		"headers = ( { name = \"x-version\"; exact = \"v%d\"; } );",
		"query = ( { name = \"variant\"; exact = \"v%d\"; } );",
		"path = \"/exact/%d\"; methods = [ \"PUT\", \"PATCH\" ];",
	};
	char match[128];

	snprintf(match, sizeof(match), matches[i % 4], i);
	return snprintf(p, n, "{ name = \"r%d\"; match = { %s }; cluster = \"a\"; },\n", i, match);
}

const char *hop_world_text(bool up_h2, bool rich)
{
	enum { ROUTES = 1000 };
	static char text[ROUTES * 160 + 8192], routes[ROUTES * 160 + 2048], cluster[512];
	size_t n = 0;

	snprintf(cluster, sizeof(cluster), cluster_form, up_h2 ? "http2" : "http1", rich ? rich_cluster : "");
	for (int i = 0; rich && i < ROUTES; i++)
		n += (size_t)other_route(routes + n, sizeof(routes) - n, i);
	snprintf(routes + n, sizeof(routes) - n, "%s", rich ? rich_route : "{ name = \"taken\"; cluster = \"a\"; }");
	snprintf(text, sizeof(text), form, rich ? limits : "", cluster, cluster, routes, rich ? rich_listener : "");
	return text;
}
