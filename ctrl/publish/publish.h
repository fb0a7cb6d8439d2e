/*
 * publish.h - the only writer of the snapshot pointer.
 *
 * Takes:   snapshots from ctrl/build; workers' SS_MAIL_ADOPTED answers from whoever reads the mailboxes.
 * Gives:   the swap, "every worker uses it", and the memory of old generations back.
 * Owns:    every snapshot given to it, and the box's rte_rcu_qsbr with one reader per worker.
 * Thread:  control. Never blocks: a swap starts a grace period, ss_publish_poll looks whether it is over.
 *
 * A worker is online in the qsbr while it runs turns and reports a quiescent state between them; it is
 * offline while it sleeps. Every swap wakes every worker through its mailbox, so that a sleeper adopts too. A
 * generation is freed when its grace period is over and every worker has said that it uses a later one, another edition of
 * one when its grace period is over.
 */
#ifndef SS_PUBLISH_H
#define SS_PUBLISH_H

#include "contract/mailbox.h"
#include "contract/snapshot.h"

struct ss_publish;

struct ss_publish_conf {
	struct ss_snapshot_box
		*box; /* borrowed; box->qsv is made here, with all workers registered, offline */
	uint32_t n_workers;
	struct ss_mailbox *const *mail; /* one per worker, borrowed; NULL: nobody to wake (tests) */
	void (*destroy)(struct ss_snapshot *s); /* ss_build_destroy */
	bool paced; /* a worker runs on our core: old generations are freed in short pieces */
};

int ss_publish_create(struct ss_publish **out, const struct ss_publish_conf *conf);
/* Frees every snapshot, the current one too, and the qsbr. Only after all workers have ended. */
void ss_publish_free(struct ss_publish *p);

/* Makes s the current generation; always takes it. Its generation must be above the current one's, or its edition. */
void ss_publish_swap(struct ss_publish *p, struct ss_snapshot *s);
/* Worker says it uses this generation now (SS_MAIL_ADOPTED). */
void ss_publish_adopted(struct ss_publish *p, uint32_t worker, uint64_t generation);
/* Has every worker said that it uses this generation or a later one? */
bool ss_publish_acknowledged(const struct ss_publish *p, uint64_t generation);
/* Frees generations that every worker is past. True while an older one is still alive: call again soon. */
bool ss_publish_poll(struct ss_publish *p);
/* Snapshots not yet freed, the current one counted. */
uint32_t ss_publish_live(const struct ss_publish *p);
/* NULL before the first swap. */
const struct ss_snapshot *ss_publish_current(const struct ss_publish *p);

#endif
