#include "contract/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

#define SLOTS 64u

/* Head and tail only grow; each has one writer and a cache line of its own. */
struct lane {
	_Atomic uint32_t head SS_CACHE_ALIGNED;
	_Atomic uint32_t tail SS_CACHE_ALIGNED;
	struct ss_mail slot[SLOTS];
};

struct ss_mailbox {
	struct lane down, up; /* to the worker, to control */
	int fd;
};

struct ss_mailbox *ss_mailbox_create(void)
{
	struct ss_mailbox *m = aligned_alloc(SS_CACHE_LINE, sizeof(*m));
	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0) {
		free(m);
		return NULL;
	}
	return m;
}

void ss_mailbox_free(struct ss_mailbox *m)
{
	if (!m)
		return;
	close(m->fd);
	free(m);
}

static int put(struct lane *l, struct ss_mail mail)
{
	uint32_t head = atomic_load_explicit(&l->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&l->tail, memory_order_acquire) == SLOTS)
		return SS_ERR_FULL;
	l->slot[head % SLOTS] = mail;
	atomic_store_explicit(&l->head, head + 1, memory_order_release);
	return 0;
}

static bool take(struct lane *l, struct ss_mail *out)
{
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);
	if (tail == atomic_load_explicit(&l->head, memory_order_acquire))
		return false;
	*out = l->slot[tail % SLOTS];
	atomic_store_explicit(&l->tail, tail + 1, memory_order_release);
	return true;
}

/* Control is never in a hurry: it wakes the worker without asking whether it sleeps. */
int ss_mailbox_send(struct ss_mailbox *m, struct ss_mail mail)
{
	int err = put(&m->down, mail);
	ss_mailbox_wake(m);
	return err;
}

bool ss_mailbox_take(struct ss_mailbox *m, struct ss_mail *out)
{
	return take(&m->down, out);
}

int ss_mailbox_answer(struct ss_mailbox *m, struct ss_mail mail)
{
	return put(&m->up, mail);
}

bool ss_mailbox_take_answer(struct ss_mailbox *m, struct ss_mail *out)
{
	return take(&m->up, out);
}

int ss_mailbox_fd(const struct ss_mailbox *m)
{
	return m->fd;
}

void ss_mailbox_wake(struct ss_mailbox *m)
{
	uint64_t one = 1;
	/* The only failure of an eventfd is a full counter, and then the sleeper wakes anyway. */
	ssize_t n = write(m->fd, &one, sizeof(one));
	(void)n;
}
