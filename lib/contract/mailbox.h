/*
 * mailbox.h - words between control and one worker.
 *
 * Takes:   small messages by value.
 * Gives:   the same, in order, at the worker's next housekeeping; answers the other way.
 * Owns:    two single-producer single-consumer rings and the worker's wake-up descriptor.
 * Thread:  control sends and reads answers; the worker takes and answers. Never blocks.
 * Errors:  SS_ERR_FULL when the ring is full.
 */
#ifndef SS_MAILBOX_H
#define SS_MAILBOX_H

#include "base/base.h"

enum ss_mail_kind {
	SS_MAIL_NONE = 0,
	SS_MAIL_DRAIN = 1, /* stop accepting, GOAWAY, finish; a: deadline in ns (0: none) */
	SS_MAIL_STOP = 2,  /* leave the loop after closing everything */
	SS_MAIL_DRAINED = 3, /* worker -> control: no connection is left */
	SS_MAIL_ADOPTED = 4, /* worker -> control: a: generation now in use */
	SS_MAIL_LISTEN_FAILED = 5, /* worker -> control: a: listener name id */
};

struct ss_mail {
	uint32_t kind;
	uint64_t a, b;
};

struct ss_mailbox;

struct ss_mailbox *ss_mailbox_create(void);
void ss_mailbox_free(struct ss_mailbox *m);
/* Control to worker; wakes the worker when it sleeps. */
int ss_mailbox_send(struct ss_mailbox *m, struct ss_mail mail);
bool ss_mailbox_take(struct ss_mailbox *m, struct ss_mail *out);
/* Worker to control. */
int ss_mailbox_answer(struct ss_mailbox *m, struct ss_mail mail);
bool ss_mailbox_take_answer(struct ss_mailbox *m, struct ss_mail *out);
/* The eventfd that wakes this worker; other workers use it too, after a hand-over. */
int ss_mailbox_fd(const struct ss_mailbox *m);
/* One write to the eventfd; call only when the sleeper said it sleeps. */
void ss_mailbox_wake(struct ss_mailbox *m);

#endif
