/*
 * watch.h - tells that files may have other contents now.
 *
 * Takes:   paths; the loop.
 * Gives:   one call when one or several of them were written, replaced (also by a rename, also of a link on the
 *          way to them), removed or made readable.
 * Owns:    an inotify descriptor, its watches, a timer.
 * Thread:  control.
 * Errors:  where inotify cannot watch a folder (limits, network file systems), its files are looked at each
 *          SS_WATCH_LOOK_NS, as all others are.
 *
 * Folders are watched, not files: a rename onto a path leaves a watch of the file on what it was. Nothing waits for
 * "the end of a change": a file counts when its writer closes it or a name is moved, and what comes at once is one
 * call. Files that belong together should be moved together (one link, renamed), or the reader must bear that they do
 * not fit for a moment.
 */
#ifndef SS_WATCH_H
#define SS_WATCH_H

#include "loop/loop.h"

#define SS_WATCH_LOOK_NS SS_NS_PER_SEC

struct ss_watch;

/* without_events: only looks, each SS_WATCH_LOOK_NS. SS_ERR_NO_MEM. */
int ss_watch_create(struct ss_watch **out, struct ss_loop *loop, bool without_events, ss_loop_fn changed, void *arg);
void ss_watch_free(struct ss_watch *w);
/* These, in place of those before; paths are copied. A change between a read before this call and the call is told,
 * too: call it, then read. SS_ERR_NO_MEM: those before stay. */
int ss_watch_files(struct ss_watch *w, const char *const *paths, uint32_t n);
/* Folders that are watched by events; the others are looked at. */
uint32_t ss_watch_folders(const struct ss_watch *w);

#endif
