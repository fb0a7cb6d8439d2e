/*
 * reload_bench.c - the control thread's part of a reload, piece by piece: 1,000 services (two in a smoke test and under callgrind), each
 * a virtual host of 5 routes and a cluster of 20 endpoints, read from a file, compiled, freed. "change" differs from the
 * snapshot before in one service.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "build/build.h"
#include "cfg/cfg.h"
#include "perf/micro/micro.h"
#include "perf/micro/model_world.h"

#define SERVICES 1000u
#define FEW 2u
#define ENDPOINTS 20u

static const char top[] =
	"ports = ( { name = \"p\"; device = \"net_null0\"; addresses = [ \"10.0.0.2/24\" ]; } );\n"
	"memory = { endpoints = 22000; clusters = 1100; };\n";

struct reload {
	struct model_world world;
	struct ss_model *model; /* of world.snap */
	char path[2][32];       /* the file, and the file with a change */
	uint64_t generation;
};

static void put_cluster(FILE *f, uint32_t i, uint32_t changed)
{
	fprintf(f, "  { name = \"service-%u\"; protocol = \"http1\"; endpoints = (\n", i);
	for (uint32_t k = 0; k < ENDPOINTS; k++)
		fprintf(f, "    { address = \"10.0.0.11\"; port = %u; weight = %u; }%s\n", 20000 + k,
			i == changed ? 2u : 1u, k + 1 < ENDPOINTS ? "," : " );");
	fprintf(f, "  }");
}

static void put_host(FILE *f, uint32_t i)
{
	static const char *const matches[] = {"prefix = \"/health\";", "prefix = \"/api/\"; methods = [ \"POST\" ];",
					      "prefix = \"/api/\";", "prefix = \"/images/\";", "prefix = \"/\";"};
	static const char *const names[] = {"health", "writes", "api", "images", "rest"};

	fprintf(f, "  { name = \"service-%u\"; domains = [ \"service-%u.example\" ]; routes = (\n", i, i);
	for (uint32_t k = 0; k < SS_ARRAY_LEN(names); k++)
		fprintf(f, "    { name = \"%s\"; match = { %s }; cluster = \"service-%u\"; }%s\n", names[k], matches[k],
			i, k + 1 < SS_ARRAY_LEN(names) ? "," : " );");
	fprintf(f, "  }");
}

static void write_file(char path[32], uint32_t services, uint32_t changed)
{
	FILE *f;

	snprintf(path, 32, "/tmp/micro-reload-XXXXXX");
	f = fdopen(mkstemp(path), "w");
	if (!f)
		abort();
	fprintf(f, "%sclusters = (\n", top);
	for (uint32_t i = 0; i < services; i++) {
		put_cluster(f, i, changed);
		fprintf(f, i + 1 < services ? ",\n" : " );\nvirtual_hosts = (\n");
	}
	for (uint32_t i = 0; i < services; i++) {
		put_host(f, i);
		fprintf(f, i + 1 < services ? ",\n" : " );\n");
	}
	fprintf(f, "listeners = ( { name = \"in\"; address = \"10.0.0.2\"; port = 80; virtual_hosts = [\n");
	for (uint32_t i = 0; i < services; i++)
		fprintf(f, "  \"service-%u\"%s", i, i + 1 < services ? ",\n" : " ]; } );\n");
	if (fclose(f))
		abort();
}

static struct ss_model *read_model(const char *path)
{
	struct ss_model_errors e = {0};
	struct ss_model *m;

	if (ss_cfg_load(path, &m, &e) < 0)
		model_world_fail(&e);
	return m;
}

static void read_only(void *at, uint32_t n)
{
	struct reload *r = at;

	for (uint32_t i = 0; i < n; i++)
		ss_model_free(read_model(r->path[0]));
}

/* A build takes the place of the one before: as in a reload, two stand at once. */
static void build(struct reload *r, struct ss_model *m)
{
	struct ss_model_errors e = {0};
	struct ss_snapshot *old = r->world.snap;

	if (ss_build_snapshot(r->world.build, m, ++r->generation, &r->world.snap, &e) < 0)
		model_world_fail(&e);
	ss_build_destroy(old);
}

static void build_only(void *at, uint32_t n)
{
	struct reload *r = at;

	for (uint32_t i = 0; i < n; i++)
		build(r, r->model);
}

static void whole(void *at, uint32_t n)
{
	struct reload *r = at;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_model *m = read_model(r->path[(r->generation + 1) % 2]);
		build(r, m);
		ss_model_free(r->model);
		r->model = m;
	}
}

void micro_items(struct micro *m)
{
	struct reload r = {.generation = 1};
	uint32_t services = micro_patient(m) ? SERVICES : FEW;

	if (!micro_wants(m, "reload."))
		return;
	write_file(r.path[0], services, UINT32_MAX);
	write_file(r.path[1], services, services / 2);
	r.model = read_model(r.path[0]);
	model_world_open(&r.world, read_model(r.path[0]), 8 * SERVICES);
	micro_run(m, "reload.read", read_only, &r);
	micro_run(m, "reload.build", build_only, &r);
	micro_run(m, "reload.change", whole, &r);
	ss_model_free(r.model);
	model_world_close(&r.world);
	unlink(r.path[0]);
	unlink(r.path[1]);
}
