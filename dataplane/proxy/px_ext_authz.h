/*
 * px_ext_authz.h - a check at an external authorizer, and what came of it: px_ext_authz.c leads it, px_ext_head.c
 * writes what goes there and reads what comes back.
 */
#ifndef SS_PX_EXT_AUTHZ_H
#define SS_PX_EXT_AUTHZ_H

#include "contract/ext_authz.h"
#include "proxy/px_int.h"

/* Authorizers that one request may be through, and bytes of an answer's body. */
#define PX_ASKED_MAX 4u
#define PX_VERDICT_MAX 16384u

/* What authorizers have said about a request, and the one that is being asked; in the downstream stream's arena. */
struct px_asked {
	struct px_check *check; /* under way; NULL: none */
	uint64_t begun;         /* the request came: since then the hops above wait */
	uint8_t n_passed;
	struct ss_authz_passed passed[PX_ASKED_MAX];
	struct ss_header_ops up, down; /* on the request that goes on; on the response to it */
	uint32_t would_deny;           /* name id of the rule that denied in a dry run; 0: none */
	/* Of the one that is being asked. */
	uint32_t provider, cluster, rule, slot; /* name ids; of ss_policies */
	uint16_t on_error;
	bool fail_open, dry_run;
};

/* A check on its way. */
struct px_check {
	struct px_exchange *x;
	struct px_leg leg; /* the stream's owner */
	struct ss_http_stream *up;
	struct ss_up_wait wait;
	struct ss_list again; /* p->dead_checks */
	struct ss_bufq body;  /* of the answer */
	uint64_t sent_at;
	bool has_head, retried, over;
};

enum px_verdict_kind { PX_NO_VERDICT = 0, PX_ALLOWED, PX_DENIED };

struct px_verdict {
	uint8_t what;                  /* enum px_verdict_kind */
	struct ss_header_ops up, down; /* allowed: with those of the authorizers before; in the arena */
	struct ss_hdrs head;           /* denied: status and fields for the client; good as long as the check */
	struct ss_bufq body;           /* denied: the caller's */
};

/* px_ext_head.c */
/* Starts the request; 0, SS_ERR_NO_MEM, or as ss_http_request. */
int px_check_send(struct px_check *c, const struct ss_snapshot *snap, const struct ss_ext_authz *e, uint64_t now);
/* What has come, as a verdict; whole: all of it. e may be NULL: nothing but the verdict counts then. */
void px_check_read(struct px_check *c, const struct ss_ext_authz *e, bool whole, struct px_verdict *v);
/* Appends copies of `more` to ops. 0 or SS_ERR_NO_MEM. */
int px_more_ops(struct ss_arena *a, struct ss_header_ops *ops, const struct ss_header_ops *more);

#endif
