/*
 * certs_folder_sim.h - for tests: a folder of certificates. The program's argument is tools/ca, which makes them.
 */
#ifndef SS_CERTS_FOLDER_SIM_H
#define SS_CERTS_FOLDER_SIM_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

static char dir[] = "/tmp/ss-certs-XXXXXX";
static char tool[512];

/* A file's path; the last 16 are kept. */
static SS_UNUSED char *in_dir(const char *name)
{
	static char paths[16][128];
	static int i;

	i = (i + 1) % 16;
	snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, name);
	return paths[i];
}

/* A command inside the folder; one that fails ends the program. */
static SS_UNUSED void run(const char *command)
{
	char all[1024];

	snprintf(all, sizeof(all), "cd %s && %s", dir, command);
	if (system(all) != 0) {
		fprintf(stderr, "failed: %s\n", all);
		exit(1);
	}
}

/* tools/ca in the folder. */
static SS_UNUSED void ca(const char *words)
{
	char command[768];

	snprintf(command, sizeof(command), "%s . %s", tool, words);
	run(command);
}

static SS_UNUSED void make_dir(int argc, char **argv)
{
	if (argc < 2 || !mkdtemp(dir) || !realpath(argv[1], tool))
		exit(1);
}

static SS_UNUSED void remove_dir(void)
{
	run("rm -r \"$PWD\"");
}

#endif
