#include "perf/micro/hop_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cfg/cfg.h"

#define MAX_NAMES 8192

static struct ss_model *read_text(const char *text)
{
	char path[] = "/tmp/micro-hop-XXXXXX";
	struct ss_model_errors e = {0};
	struct ss_model *m = NULL;
	FILE *f = fdopen(mkstemp(path), "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	if (ss_cfg_load(path, &m, &e) < 0)
		model_world_fail(&e);
	unlink(path);
	return m;
}

void hop_world_open(struct model_world *w, const char *text)
{
	model_world_open(w, read_text(text), MAX_NAMES);
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
static const char balanced[] = "load_balancing = \"least_request\"; balancing = { slow_start_window = \"10s\"; };";

static const char limits[] = "rate_limits = ( { name = \"total\"; rate = \"100000000/s\"; burst = 1000000; },\n"
			     "  { name = \"each\"; rate = \"100000000/s\"; burst = 1000000; key = \"source\"; } );\n";

static const char limited[] = "rate_limits = [ \"total\", \"each\" ];\n";

static const char authorized[] =
	"authorization = { rules = (\n"
	"  { name = \"no-admin\"; action = \"deny\"; paths = [ \"/admin/\", \"/internal/\" ]; },\n"
	"  { name = \"readers\"; action = \"allow\"; methods = [ \"HEAD\" ]; paths = [ \"/public/\" ]; },\n"
	"  { name = \"rest\"; action = \"allow\"; methods = [ \"GET\", \"POST\" ]; } ); };";

static const char split[] = "clusters = ( { name = \"a\"; weight = 100; }, { name = \"b\"; weight = 0; } );\n";

static const char canary[] = "canary = { cluster = \"b\"; };\n";

static const char headers[] = "request_headers = { set = ( { name = \"x-hop\"; value = \"one\"; } ); };\n"
			      "response_headers = { remove = [ \"x-powered-by\" ]; };\n";

static const char retries[] = "retry = { max_retries = 3; per_try_timeout = \"1s\"; };\n";

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

static const char *when(unsigned with, enum hop_with what, const char *text)
{
	return with & what ? text : "";
}

const char *hop_world_text(bool up_h2, unsigned with)
{
	enum { ROUTES = 1000 };
	static char text[ROUTES * 160 + 8192], routes[ROUTES * 160 + 2048], cluster[512], listener[1024];
	size_t n = 0;

	snprintf(cluster, sizeof(cluster), cluster_form, up_h2 ? "http2" : "http1", when(with, HOP_BALANCE, balanced));
	for (int i = 0; with & HOP_ROUTES && i < ROUTES; i++)
		n += (size_t)other_route(routes + n, sizeof(routes) - n, i);
	snprintf(routes + n, sizeof(routes) - n, "{ name = \"taken\"; %s %s %s %s }",
		 with & (HOP_SPLIT | HOP_CANARY) ? split : "cluster = \"a\";", when(with, HOP_CANARY, canary), when(with, HOP_HEADERS, headers),
		 when(with, HOP_RETRIES, retries));
	snprintf(listener, sizeof(listener), "%s%s", when(with, HOP_LIMITS, limited),
		 when(with, HOP_AUTHZ, authorized));
	snprintf(text, sizeof(text), form, when(with, HOP_LIMITS, limits), cluster, cluster, routes, listener);
	return text;
}
