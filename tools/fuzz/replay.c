/*
 * replay.c - runs a fuzz target over a folder of seeds, so that every corpus is an ordinary test.
 *
 * Takes:   a folder (its files are inputs) or nothing.
 * Gives:   exit status 0 when every input was survived. The empty input is always tried.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 1;
	}
	static uint8_t data[1 << 20];
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* An exact-size heap copy, so that ASan sees a read past the end. */
	uint8_t *copy = malloc(n ? n : 1);
	for (size_t i = 0; i < n; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0, n = 0;
	uint8_t none = 0;

	LLVMFuzzerTestOneInput(&none, 0);
	if (argc > 1) {
		DIR *d = opendir(argv[1]);
		if (d) {
			for (struct dirent *e; (e = readdir(d));) {
				char path[4096];
				if (e->d_name[0] == '.')
					continue;
				snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
				bad |= replay_file(path);
				n++;
			}
			closedir(d);
		}
	}
	printf("replayed %d seeds\n", n);
	return bad;
}
