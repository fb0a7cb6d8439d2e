#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "build/build_files.h"

static void unit_drop(struct ss_build_unit *u)
{
	if (!u || --u->refs)
		return;
	for (uint32_t i = 0; i < u->n; i++) {
		if (u->file[i].bytes)
			OPENSSL_cleanse(u->file[i].bytes, u->file[i].size);
		free(u->file[i].bytes);
		free(u->file[i].path);
	}
	free((char *)(uintptr_t)u->state.name);
	free((char *)(uintptr_t)u->state.refused);
	free(u);
}

/* One file as it is at this moment. What grows meanwhile is read to its new end: the parser will tell. */
static int slurp(int fd, struct ss_build_file *f)
{
	size_t room = 0;

	for (;;) {
		if (f->size == room) {
			if (room >= SS_BUILD_FILE_MAX)
				return EFBIG;
			room = room ? room * 2 : 8192;
			/* Not realloc: it would leave a key behind. */
			uint8_t *grown = malloc(room);
			if (!grown)
				return ENOMEM;
			if (f->bytes) {
				memcpy(grown, f->bytes, f->size);
				OPENSSL_cleanse(f->bytes, f->size);
				free(f->bytes);
			}
			f->bytes = grown;
		}
		ssize_t n = read(fd, f->bytes + f->size, room - f->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		f->size += (size_t)n;
	}
}

static bool add_file(struct ss_build_unit *u, const char *path)
{
	struct ss_build_file *f = &u->file[u->n];
	int fd;

	if (!path)
		return true;
	assert(u->n < SS_BUILD_UNIT_FILES);
	f->path = strdup(path);
	if (!f->path)
		return false;
	u->n++;
	/* Not a pipe that would make the control thread wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	f->error = fd < 0 ? errno : slurp(fd, f);
	if (fd >= 0)
		close(fd);
	return f->error != ENOMEM;
}

static struct ss_build_unit *unit_new(bool trust, const char *name)
{
	struct ss_build_unit *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->refs = 1;
	u->state.trust = trust;
	u->state.name = strdup(name);
	if (u->state.name)
		return u;
	unit_drop(u);
	return NULL;
}

static bool same(const struct ss_build_unit *a, const struct ss_build_unit *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct ss_build_file *x = &a->file[i], *y = &b->file[i];

		if (x->error != y->error || x->size != y->size || strcmp(x->path, y->path) != 0 ||
		    (x->size && memcmp(x->bytes, y->bytes, x->size) != 0))
			return false;
	}
	return true;
}

/* The unit of before when nothing of it has changed. Takes u. */
static struct ss_build_unit *or_before(struct ss_build_unit *u, const struct ss_build_files *before)
{
	struct ss_build_unit *old = before ? ss_build_files_find(before, u->state.trust, u->state.name) : NULL;

	if (!old || !same(u, old))
		return u;
	unit_drop(u);
	old->refs++;
	return old;
}

struct ss_build_files *ss_build_files_read(const struct ss_model *m, const struct ss_build_files *before)
{
	uint32_t n = m->n_secrets + m->n_trusts;
	struct ss_build_files *f = calloc(1, sizeof(*f) + n * sizeof(f->unit[0]));

	for (uint32_t i = 0; f && i < n; i++) {
		const struct ss_model_secret *s = &m->secrets[i];
		const struct ss_model_trust *t = i < m->n_secrets ? NULL : &m->trusts[i - m->n_secrets];
		struct ss_build_unit *u = unit_new(t != NULL, t ? t->name : s->name);
		bool ok = u != NULL;

		if (ok && t)
			ok = add_file(u, t->bundle) && add_file(u, t->crl);
		else if (ok)
			ok = add_file(u, s->certificate) && add_file(u, s->private_key) && add_file(u, s->staple);
		if (!ok) {
			unit_drop(u);
			ss_build_files_free(f);
			return NULL;
		}
		f->unit[f->n++] = or_before(u, before);
	}
	return f;
}

struct ss_build_files *ss_build_files_copy(const struct ss_build_files *from)
{
	struct ss_build_files *f = calloc(1, sizeof(*f) + from->n * sizeof(f->unit[0]));

	for (uint32_t i = 0; f && i < from->n; i++) {
		f->unit[f->n++] = from->unit[i];
		from->unit[i]->refs++;
	}
	return f;
}

void ss_build_files_free(struct ss_build_files *f)
{
	for (uint32_t i = 0; f && i < f->n; i++)
		unit_drop(f->unit[i]);
	free(f);
}

struct ss_build_unit *ss_build_files_find(const struct ss_build_files *f, bool trust, const char *name)
{
	for (uint32_t i = 0; f && i < f->n; i++)
		if (f->unit[i]->state.trust == trust && strcmp(f->unit[i]->state.name, name) == 0)
			return f->unit[i];
	return NULL;
}

void ss_build_files_put(struct ss_build_files *f, struct ss_build_unit *u)
{
	for (uint32_t i = 0; i < f->n; i++) {
		if (f->unit[i]->state.trust != u->state.trust || strcmp(f->unit[i]->state.name, u->state.name) != 0)
			continue;
		u->refs++;
		unit_drop(f->unit[i]);
		f->unit[i] = u;
		return;
	}
}

void ss_build_files_forget(struct ss_build_unit *u)
{
	free((char *)(uintptr_t)u->state.refused);
	u->state.refused = NULL;
	memset(u->tried, 0, sizeof(u->tried));
}

void ss_build_files_good(struct ss_build_files *f, const struct ss_build_files *before)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct ss_build_unit *u = f->unit[i];
		const struct ss_build_unit *old =
			before ? ss_build_files_find(before, u->state.trust, u->state.name) : NULL;

		u->good = true;
		if (!old || old == u)
			continue;
		u->state.rotations = old->state.rotations + 1;
		u->state.refusals = old->state.refusals;
	}
}

static void digest(const struct ss_build_unit *u, uint8_t out[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memset(out, 0, 32);
	if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {
		for (uint32_t i = 0; i < u->n; i++) {
			EVP_DigestUpdate(md, &u->file[i].error, sizeof(u->file[i].error));
			EVP_DigestUpdate(md, &u->file[i].size, sizeof(u->file[i].size));
			if (u->file[i].size)
				EVP_DigestUpdate(md, u->file[i].bytes, u->file[i].size);
		}
		EVP_DigestFinal_ex(md, out, NULL);
	}
	EVP_MD_CTX_free(md);
}

bool ss_build_files_refuse(struct ss_build_unit *u, const struct ss_build_unit *read, const char *why)
{
	uint8_t now[32];

	digest(read, now);
	if (u->state.refused && memcmp(now, u->tried, sizeof(now)) == 0 && strcmp(u->state.refused, why) == 0)
		return false;
	ss_build_files_forget(u);
	memcpy(u->tried, now, sizeof(now));
	u->state.refused = strdup(why);
	u->state.refusals++;
	return true;
}

void ss_build_files_use(struct ss_build_job *j, bool trust, const char *name)
{
	j->unit = ss_build_files_find(j->files, trust, name);
}

BIO *ss_build_open(struct ss_build_job *j, const struct ss_model_src *src, const char *key, const char *path)
{
	BIO *b = NULL;
	int error = ENOENT;

	for (uint32_t i = 0; j->unit && i < j->unit->n; i++) {
		const struct ss_build_file *f = &j->unit->file[i];

		if (strcmp(f->path, path) != 0)
			continue;
		error = f->error;
		if (!error) /* not an empty one: a BIO wants an address */
			b = BIO_new_mem_buf(f->size ? (const void *)f->bytes : "", (int)f->size);
		break;
	}
	if (!j->unit) {
		errno = 0;
		b = BIO_new_file(path, "r");
		error = errno;
	}
	if (!b) {
		ss_model_error(j->errors, src, key, "cannot read %s: %s", path, strerror(error));
		ERR_clear_error();
	}
	return b;
}
