#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "watch/watch.h"

/* Written and closed, a name moved or removed, rights changed. IN_CREATE for links alone: the bytes of a file that
 * is being written come with its close. */
#define EVENTS                                                                                             \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_CREATE | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR)

struct file {
	char *path;
	struct stat seen; /* zeroed: not there */
	int folder[2];    /* watches of where its name and, behind links, its bytes are; -1: none */
};

struct ss_watch {
	struct ss_loop *loop;
	struct ss_loop_event *on_event, *on_look;
	ss_loop_fn changed;
	void *arg;
	int fd; /* -1: no events */
	uint32_t n;
	struct file *file;
};

static void look_at(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		memset(st, 0, sizeof(*st));
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is any file another than when we looked last? */
static bool sweep(struct ss_watch *w)
{
	bool news = false;

	for (uint32_t i = 0; i < w->n; i++) {
		struct stat now;

		look_at(w->file[i].path, &now);
		news = news || !same(&now, &w->file[i].seen);
		w->file[i].seen = now;
	}
	return news;
}

static int watch_folder_of(const struct ss_watch *w, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (w->fd < 0 || !slash || (size_t)(slash - path) >= sizeof(folder))
		return w->fd < 0 || slash ? -1 : inotify_add_watch(w->fd, ".", EVENTS);
	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return inotify_add_watch(w->fd, folder, EVENTS);
}

/* The same folder twice is the same watch. Where a link leads may change at every event. */
static void watch_folders(struct ss_watch *w)
{
	char real[PATH_MAX];

	for (uint32_t i = 0; i < w->n; i++) {
		struct file *f = &w->file[i];

		f->folder[0] = watch_folder_of(w, f->path);
		f->folder[1] = w->fd >= 0 && realpath(f->path, real) ? watch_folder_of(w, real) : -1;
	}
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Must what this event says be believed also when stat sees no difference (the same size within a tick of the
 * file system's clock)? */
static bool names_a_file(const struct ss_watch *w, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW)
		return true;
	for (uint32_t i = 0; ev->len && (ev->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) && i < w->n; i++)
		if (strcmp(base_of(w->file[i].path), ev->name) == 0)
			return true;
	return false;
}

/* A file that was just made is told when it is closed; of a link that is all. Sweep sees both: so the look is left
 * out for what is no link. */
static bool worth_a_look(const struct ss_watch *w, const struct inotify_event *ev)
{
	struct stat st;

	if (!(ev->mask & IN_CREATE))
		return true;
	for (uint32_t i = 0; i < w->n; i++)
		if (ev->len && strcmp(base_of(w->file[i].path), ev->name) == 0)
			return lstat(w->file[i].path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
	return true;
}

static void on_event(void *arg)
{
	_Alignas(struct inotify_event) char buf[16384];
	struct ss_watch *w = arg;
	bool news = false, look = false;
	ssize_t n;

	while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n; p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len) {
			const struct inotify_event *ev = (const struct inotify_event *)p;

			news = names_a_file(w, ev) || news;
			look = look || worth_a_look(w, ev);
		}
	}
	if (look)
		watch_folders(w);
	if ((look && sweep(w)) || news)
		w->changed(w->arg);
}

static void on_look(void *arg)
{
	struct ss_watch *w = arg;

	watch_folders(w); /* one may have come back */
	if (sweep(w))
		w->changed(w->arg);
}

int ss_watch_create(struct ss_watch **out, struct ss_loop *loop, bool without_events, ss_loop_fn changed, void *arg)
{
	struct ss_watch *w = calloc(1, sizeof(*w));

	*out = w;
	if (!w)
		return SS_ERR_NO_MEM;
	w->loop = loop;
	w->changed = changed;
	w->arg = arg;
	w->fd = without_events ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0)
		w->on_event = ss_loop_watch(loop, w->fd, on_event, w);
	w->on_look = ss_loop_every(loop, SS_WATCH_LOOK_NS, on_look, w);
	if (w->on_look && (w->fd < 0 || w->on_event))
		return 0;
	ss_watch_free(w);
	*out = NULL;
	return SS_ERR_NO_MEM;
}

static void files_free(struct file *f, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(f[i].path);
	free(f);
}

void ss_watch_free(struct ss_watch *w)
{
	if (!w)
		return;
	ss_loop_end(w->on_event);
	ss_loop_end(w->on_look);
	if (w->fd >= 0)
		close(w->fd);
	files_free(w->file, w->n);
	free(w);
}

static bool has_watch(const struct ss_watch *w, int watch)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->file[i].folder[0] == watch || w->file[i].folder[1] == watch)
			return true;
	return false;
}

/* Watches of folders that nobody needs any more. */
static void unwatch(const struct ss_watch *w, const struct file *old, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < 2; k++)
			if (old[i].folder[k] >= 0 && !has_watch(w, old[i].folder[k]))
				inotify_rm_watch(w->fd, old[i].folder[k]);
}

int ss_watch_files(struct ss_watch *w, const char *const *paths, uint32_t n)
{
	struct file *file = calloc(n + 1, sizeof(*file)), *old = w->file;
	uint32_t n_old = w->n;

	for (uint32_t i = 0; file && i < n; i++) {
		file[i].path = strdup(paths[i]);
		if (!file[i].path) {
			files_free(file, i);
			return SS_ERR_NO_MEM;
		}
	}
	if (!file)
		return SS_ERR_NO_MEM;
	w->file = file;
	w->n = n;
	watch_folders(w);
	sweep(w);
	if (w->fd >= 0)
		unwatch(w, old, n_old);
	files_free(old, n_old);
	return 0;
}

uint32_t ss_watch_folders(const struct ss_watch *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		bool first = w->file[i].folder[0] >= 0;

		for (uint32_t k = 0; k < i; k++)
			first = first && w->file[k].folder[0] != w->file[i].folder[0];
		n += first;
	}
	return n;
}
