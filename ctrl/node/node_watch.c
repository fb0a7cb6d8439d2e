/*
 * node_watch.c - files of secrets and trusts are watched; other ones are used at once, as far as they are good.
 *
 * A file that was refused may become good without changing: a certificate's first day comes. So as long as one is
 * refused, all are looked at again now and then.
 */
#include <stdlib.h>
#include <string.h>

#include "node/node_int.h"
#include "watch/watch.h"

#define AGAIN_NS (5 * SS_NS_PER_SEC)

/* How long the other half of a change may take: a key is moved after its certificate, or a file is still being written. */
#define QUIET_NS (250 * SS_NS_PER_MS)

static void judge(void *arg)
{
	struct ss_node *n = arg;

	ss_loop_end(n->quiet);
	n->quiet = NULL;
	ss_apply_refresh(n->apply, true);
}

static void refresh(void *arg)
{
	struct ss_node *n = arg;

	if (ss_apply_refresh(n->apply, false) || n->quiet)
		return;
	n->quiet = ss_loop_every(n->loop, QUIET_NS, judge, n);
	if (!n->quiet)
		judge(n);
}

static void on_again(void *arg)
{
	struct ss_node *n = arg;
	struct ss_secret_state s;

	for (uint32_t i = 0; ss_build_secret(n->build, i, &s); i++) {
		if (!s.refused)
			continue;
		judge(n);
		return;
	}
}

void ss_node_watch_model(struct ss_node *n)
{
	const struct ss_model *m = ss_apply_model(n->apply);
	const char **paths;
	uint32_t count = 0;

	if (!n->watch || strcmp(m->hash, n->watched) == 0)
		return;
	while (ss_build_secret_path(n->build, count))
		count++;
	paths = calloc(count + 1, sizeof(*paths));
	for (uint32_t i = 0; paths && i < count; i++)
		paths[i] = ss_build_secret_path(n->build, i);
	/* Without memory: the next turn again. */
	if (paths && ss_watch_files(n->watch, paths, count) == 0) {
		memcpy(n->watched, m->hash, sizeof(n->watched));
		refresh(n); /* what changed before the watch was there */
	}
	free(paths);
}

int ss_node_watch_secrets(struct ss_node *n)
{
	if (ss_watch_create(&n->watch, n->loop, false, refresh, n) < 0 || !ss_loop_every(n->loop, AGAIN_NS, on_again, n))
		return SS_ERR_NO_MEM;
	ss_node_watch_model(n);
	return 0;
}
