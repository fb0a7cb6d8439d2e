/* state.c - whole files, by rename; what POSIX says of rename() and fsync() is all that it relies on. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "state/state.h"

struct ss_state {
	int fd, lock;
	char *dir;
};

/* ---- the folder ---- */

static bool make_folder(const char *dir)
{
	char parent[PATH_MAX];
	char *slash;

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return true;
	if (errno != ENOENT || strlen(dir) >= sizeof(parent))
		return false;
	memcpy(parent, dir, strlen(dir) + 1);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return false;
	*slash = '\0';
	return (mkdir(parent, 0755) == 0 || errno == EEXIST) && (mkdir(dir, 0700) == 0 || errno == EEXIST);
}

/* Why it is no folder to keep things in, or NULL. */
static const char *claim(struct ss_state *s, const char *dir)
{
	if (!make_folder(dir))
		return "cannot be made";
	s->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		return "cannot be opened";
	s->lock = openat(s->fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return "cannot be written";
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? "another process keeps its state there" : "cannot be locked";
	return NULL;
}

int ss_state_open(struct ss_state **out, const char *dir, char *err, size_t err_n)
{
	struct ss_state *s = calloc(1, sizeof(*s));
	const char *why;

	*out = NULL;
	snprintf(err, err_n, "no memory");
	if (!s || !(s->dir = strdup(dir))) {
		free(s);
		return SS_ERR_NO_MEM;
	}
	s->fd = s->lock = -1;
	errno = 0;
	why = claim(s, dir);
	if (why) {
		bool taken = errno == EWOULDBLOCK;
		snprintf(err, err_n, "state_dir: %s: %s%s%s", dir, why, taken ? "" : ": ", taken ? "" : strerror(errno));
		ss_state_close(s);
		return SS_ERR_CONFIG;
	}
	*out = s;
	return 0;
}

void ss_state_close(struct ss_state *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	if (s->fd >= 0)
		close(s->fd);
	free(s->dir);
	free(s);
}

const char *ss_state_dir(const struct ss_state *s)
{
	return s ? s->dir : NULL;
}

int ss_state_make(struct ss_state *s, const char *folder)
{
	if (!s)
		return SS_ERR_NOT_FOUND;
	return mkdirat(s->fd, folder, 0700) == 0 || errno == EEXIST ? 0 : SS_ERR_CONFIG;
}

/* ---- whole files ---- */

static bool put_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return fsync(fd) == 0;
}

/* The rename is on the disk when the folder is. Some file systems sync none: the rename holds all the same. */
static void sync_folder(int at, const char *name)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(name, '/');
	size_t n = slash ? (size_t)(slash - name) : 1;
	int fd;

	if (n >= sizeof(folder))
		return;
	memcpy(folder, slash ? name : ".", n);
	folder[n] = '\0';
	fd = openat(at, n ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* like: whose mode and owner the file is to have; NULL: mode alone. */
static bool replace(int at, const char *name, unsigned mode, const struct stat *like, const void *p, size_t n)
{
	char other[PATH_MAX];
	int fd, why;
	bool ok;

	if (snprintf(other, sizeof(other), "%s.new", name) >= (int)sizeof(other)) {
		errno = ENAMETOOLONG;
		return false;
	}
	(void)unlinkat(at, other, 0); /* of a process that died in between */
	fd = openat(at, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	/* An owner that we may not give away to stays ours: the mode is what protects. */
	if (like && fchown(fd, like->st_uid, like->st_gid) < 0)
		errno = 0;
	ok = fchmod(fd, like ? like->st_mode & 07777 : mode) == 0 && put_all(fd, p, n);
	why = errno;
	ok = close(fd) == 0 && ok && renameat(at, other, at, name) == 0;
	if (!ok) {
		why = why ? why : errno;
		(void)unlinkat(at, other, 0);
		errno = why;
		return false;
	}
	sync_folder(at, name);
	return true;
}

int ss_state_write(struct ss_state *s, const char *name, const void *p, size_t n)
{
	if (!s)
		return SS_ERR_NOT_FOUND;
	return replace(s->fd, name, 0600, NULL, p, n) ? 0 : SS_ERR_CONFIG;
}

int ss_state_replace(const char *path, unsigned mode, const void *p, size_t n, char *err, size_t err_n)
{
	char whole[PATH_MAX];
	struct stat st;
	bool there = realpath(path, whole) != NULL && stat(whole, &st) == 0;

	if (replace(AT_FDCWD, there ? whole : path, mode, there ? &st : NULL, p, n))
		return 0;
	snprintf(err, err_n, "%s: cannot be replaced: %s", path, strerror(errno));
	return SS_ERR_CONFIG;
}

static char *read_all(int fd, size_t max, size_t *n)
{
	struct stat st;
	char *text;
	size_t got = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	while (text && got < (size_t)st.st_size) {
		ssize_t more = read(fd, text + got, (size_t)st.st_size - got);
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			break;
		got += (size_t)more;
	}
	if (text)
		text[got] = '\0';
	*n = got;
	return text;
}

char *ss_state_read(struct ss_state *s, const char *name, size_t max, size_t *n)
{
	int fd = s ? openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	char *text;

	*n = 0;
	if (fd < 0)
		return NULL;
	text = read_all(fd, max, n);
	close(fd);
	return text;
}

int ss_state_remove(struct ss_state *s, const char *name)
{
	if (!s)
		return SS_ERR_NOT_FOUND;
	return unlinkat(s->fd, name, 0) == 0 || errno == ENOENT ? 0 : SS_ERR_CONFIG;
}
