/*
 * px_int.h - an exchange, and what the files of this room do for each other.
 *
 * px_run.c walks the news; px_exchange.c takes an exchange through its steps; px_limit.c rate limits; px_fault.c
 * faults on purpose; px_ext_authz.c asks external authorizers, px_ext_head.c says in which words; px_mirror.c copies for mirrors; px_retry.c what follows a failed attempt; px_hop.c what hops
 * tell each other; px_time.c waits and timeouts; px_pump.c bodies; px_headers.c heads; px_format.c variables in them; px_borrow.c what they have
 * of the snapshot; px_reply.c our own answers; px_log.c the record at the end.
 */
#ifndef SS_PX_INT_H
#define SS_PX_INT_H

#include "base/rng.h"
#include "buf/buf.h"
#include "contract/xfcc.h"
#include "contract/counters.h"
#include "jwt/token.h"
#include "mem/pool.h"
#include "proxy/proxy.h"
#include "timer/wheel.h"
#include "wire/number.h"

/* An exchange without a route (our own answer) and without a byte moving ends after this. */
#define PX_IDLE_NS (300 * SS_NS_PER_SEC)

/* Verified tokens that a worker remembers: about 10 KiB each, touched when used. */
#define PX_TOKENS 128u

enum px_state {
	PX_WAITING = 0, /* for a connection */
	PX_RUNNING,     /* joined to an upstream stream */
	PX_DELAYED,     /* no endpoint; goes on with `step` at `wake` */
	PX_ANSWERED,    /* no upstream (any more): what was queued downstream goes out */
	PX_DONE,        /* over; buried at the end of the turn */
};

/* What follows a wait: a row each in px_time.c. The snapshot may be another one by then. */
enum px_step {
	PX_STEP_SEND = 0, /* px_acquire: the head is built, an endpoint is wanted */
	PX_STEP_RETRY,    /* px_retry_start: the same for another attempt */
	PX_STEP_FIRST,    /* px_forward: the same for the first time, mirrors too */
	PX_STEP_ABORT,    /* px_fault_abort: the answer of an injected fault */
	PX_STEP_UNANSWERED, /* px_ask_late: an external authorizer has had its time */
};

struct px_asked;
struct px_check;

/* What a stream's owner pointer points to. */
struct px_leg {
	struct px_exchange *x; /* NULL in a mirror's */
	bool up, mirror;
	bool check; /* of struct px_check */
	bool hedge; /* the late try of an exchange that has another one */
};

/* Whose place in line, whose timer. */
enum px_wait { PX_WAIT_EXCHANGE = 0, PX_WAIT_MIRROR, PX_WAIT_CHECK };
enum px_timer { PX_TIMER_EXCHANGE = 0, PX_TIMER_MIRROR };

/* A fault as drawn for one request. */
struct px_fault {
	uint64_t delay_ns;
	bool ends; /* with this answer */
	uint16_t status, grpc;
};

struct px_exchange {
	struct ss_proxy *p;
	struct px_leg down_leg, up_leg;
	struct ss_http_stream *down, *up;
	uint64_t names; /* of the head as it came: ss_hdrs_names */
	const struct ss_hdrs *head; /* without its token, with its claims, in the stream's arena; NULL: as it came */
	struct ss_up_wait wait;
	struct ss_timer timer;
	struct ss_list again; /* p->again: a pump that found no packet buffer; then p->dead */
	uint8_t state;        /* enum px_state */
	uint8_t step;         /* enum px_step */
	uint8_t attempts, max_retries;
	uint8_t above;        /* tries that the hops above had made before this one */
	bool from_hop;       /* a hop stands above: it is told what was retried */
	uint8_t below;       /* retries that the hops below say they made */
	uint8_t failed;      /* enum ss_drop: why the try beside the hedge failed */
	struct px_hedge *hedge;
	bool retrying;       /* holds a place under the cluster's retry budget */
	bool told_below;     /* the hop below has retried */
	uint8_t blamed;      /* enum ss_ep_end: what the head, and gRPC's trailers, say of their sender */
	bool told;           /* a hop below has retried, or we refused to: nobody above shall */
	bool timed;          /* the whole request was there once: the route's timeout runs */
	bool head_sent;      /* downstream has got a final head */
	bool request_ended;  /* all of the request was given to the upstream stream */
	bool response_ended; /* all of the response was given to the downstream stream */
	bool keep;           /* kept holds every body byte taken so far */
	bool bad;            /* our answer is a failure of the share that was drawn */
	bool auto_host;      /* each attempt asks for the name of its endpoint */
	bool grpc;
	uint8_t n_cors; /* of response_ops: those that our own answers have too */
	uint16_t status;
	enum ss_drop drop;
	uint32_t resend; /* last bytes of kept that this attempt has not sent yet */
	struct ss_bufq kept;
	/* The decision, copied from the snapshot: none of its pointers outlives a turn. */
	uint64_t generation;
	uint32_t listener, host, route, cluster; /* name ids */
	uint32_t rule, own; /* name ids: the policy's rule that decided, the identity that we showed */
	uint8_t authz;      /* enum ss_event_authz */
	bool audited;
	uint32_t cluster_at; /* where the cluster stood in the snapshot: looked at first */
	uint32_t host_at, route_at; /* the same for the route */
	uint32_t retry_on;          /* set of enum ss_retry_on; 0: never sent again */
	uint32_t keep_max, retry_slot;
	uint64_t timeout_ns, idle_ns, try_ns, try_idle_ns;
	struct ss_header_ops response_ops; /* in the downstream stream's arena, or the snapshot's: */
	const struct ss_header_ops *request_ops; /* its own while it borrows */
	struct ss_list borrowed; /* p->borrowers, p->leaving: px_borrow.c */
	struct ss_hdrs request;            /* as sent upstream; in the arena */
	struct ss_span request_id, trace;
	struct px_mirror *mirrors; /* that still want its body */
	struct px_asked *asked; /* external authorizers; in the same. NULL: none was asked */
	struct ss_canary_counts *canary; /* its share's, of this worker; NULL: no canary on its route. Outlives snapshots */
	struct px_fault *fault; /* that delays it; in the downstream stream's arena. NULL: none */
	uint64_t deadline;    /* for the response's head; SS_NEVER: none */
	uint64_t try_ends;    /* the same for this attempt */
	uint64_t cap;         /* the hop above waits no longer for the head */
	uint64_t ends;        /* the whole exchange */
	uint64_t wake;        /* PX_DELAYED: until when */
	uint64_t last;        /* a byte moved */
	uint64_t sent_at;     /* this attempt's request went out */
	uint64_t upstream_ns; /* to the response's head */
	struct ss_addr upstream;
};

/* A copy of a request on its way to a mirror. */
struct px_mirror {
	struct ss_proxy *p;
	struct px_exchange *x;  /* NULL: it is over, or all of it is here */
	struct px_mirror *next; /* of x */
	struct px_leg leg;      /* the stream's owner */
	struct ss_http_stream *up;
	struct ss_up_wait wait;
	struct ss_timer timer;
	struct ss_list again;  /* p->dead_mirrors */
	struct ss_arena arena; /* the head */
	struct ss_hdrs request;
	struct ss_bufq body; /* copied, not sent yet */
	uint32_t cluster;    /* name id */
	uint32_t taken, max_body;
	uint64_t timeout_ns;
	bool whole; /* nothing of the request is to come */
	bool sent;  /* all of it was given to the stream */
	bool ok, over;
};

/* A late try that lives on beside the next one (px_hedge.c). */
struct px_hedge {
	struct px_leg leg;
	struct ss_http_stream *up;
	struct ss_up_wait wait;
};

struct ss_proxy {
	uint8_t shed; /* ranks that are refused, from the lowest on */
	struct ss_proxy_conf conf;
	struct ss_pool *exchanges, *mirrors, *hedges, *checks;
	struct ss_arena_pools mirror_arenas;
	struct ss_wheel wheel;
	struct ss_rng rng;
	struct ss_list again, dead;
	struct ss_list borrowers; /* exchanges that point into the snapshot of now, */
	struct ss_list leaving;   /* into an older one */
	struct ss_list dead_mirrors, dead_checks;
	uint32_t mirrored; /* bytes of bodies in mirrors */
	struct ss_jwt *jwt;
	uint32_t faults; /* delayed by one, and not over */
};

/* px_exchange.c */
void px_begin(struct ss_proxy *p, const struct ss_snapshot *snap, struct ss_http_stream *down, uint64_t now);
/* From the token on to an answer or an endpoint; again when an external authorizer has let it through. */
void px_decide(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l, uint64_t now);
/* Mirrors, then an endpoint. */
void px_forward(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
void px_acquire(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
void px_served(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
void px_down_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now);
void px_up_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now);
/* Moves what has come of the response; ends the upstream side with its last byte. */
void px_push_response(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* Lets the upstream stream go; an unfinished one is cancelled. Says nothing about the endpoint. */
void px_drop_upstream(struct px_exchange *x);
/* Logs, lets everything go. */
void px_finish(struct px_exchange *x, uint64_t now);
const struct ss_cluster *px_cluster(const struct px_exchange *x, const struct ss_snapshot *snap);

/* px_retry.c */
/* This attempt failed before a response's head: another one, or our own answer. blame: the endpoint's fault.
 */
void px_failed(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_drop why, bool unprocessed,
	       bool blame, uint64_t now);
/* A response's head has come: true when it is dropped and the request sent again. */
bool px_retry_head(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* After the back-off. */
void px_retry_start(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* The retry, if it is one, counts no longer against the budget: its head is here, or it is over. */
void px_retry_over(struct px_exchange *x);
const struct ss_retry *px_retry_policy(const struct px_exchange *x, const struct ss_snapshot *snap);
/* May this late try get another one beside it? Takes a place under the budget. */
bool px_retry_hedge(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* Another attempt, after a wait. */
void px_retry_go(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t wait, uint64_t now);
/* RFC 9110 9.2.2. */
bool px_idempotent(struct ss_span method);
/* Does this head speak against the endpoint that sent it? */
enum ss_ep_end px_blames(const struct px_exchange *x, const struct ss_hdrs *h);
/* A head that goes downstream, or its trailers: gRPC says in either how it went. */
void px_hear_grpc(struct px_exchange *x, const struct ss_hdrs *h);

/* px_hedge.c */
/* The try is late: true when it lives on aside and the exchange may start another one. */
bool px_hedge_begin(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
void px_hedge_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now);
/* The try beside the hedge is over: true when the hedge is waited for instead of an answer. */
bool px_hedge_awaited(struct px_exchange *x, enum ss_drop why);
void px_hedge_drop(struct px_exchange *x);

/* px_hop.c: what hops tell each other about tries and time. */
/* The request's limits: what its route says, what the client and the hop above say. */
void px_read_limits(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now);
/* How a request stands among others when not all can be served (RFC 9218); strangers are all alike. */
enum px_rank { PX_RANK_LOW = 0, PX_RANK_DEFAULT, PX_RANK_HIGH };
enum px_rank px_rank_of(const struct px_exchange *x, bool edge);
uint64_t px_deadline(const struct px_exchange *x, uint64_t now);
/* px_xfcc.c: adds x-forwarded-client-cert to `to`, which has room, if it is to be sent. 0 or SS_ERR_NO_MEM. */
int px_client_cert(enum ss_xfcc_mode mode, const struct ss_peer *peer, const struct ss_hdrs *from, struct ss_arena *a,
		   struct ss_hdrs *to);

#define PX_HOP_FIELDS 3
struct px_hop_text {
	char count[SS_NUMBER_TEXT], wait[SS_NUMBER_TEXT], grpc[SS_NUMBER_TEXT];
};
/* Adds to a head the fields of one attempt, at most PX_HOP_FIELDS; their bytes are in t. */
void px_add_hop(const struct px_exchange *x, struct ss_hdrs *h, struct px_hop_text *t, uint64_t now);
/* What the hop below says on a response's head. */
void px_hear_hop(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_hdrs *h);
/* What the endpoint says there of its own health. */
void px_hear_health(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_hdrs *h, uint64_t now);
/* Refused because a cluster has enough to do, which a retry would only add to. */
bool px_overload(enum ss_drop why);
/* What our answer says to the hop above: at most two fields. */
void px_say_hop(const struct px_exchange *x, struct ss_hdrs *h, enum ss_drop why, char text[SS_NUMBER_TEXT]);

/* px_time.c */
void px_arm(struct px_exchange *x);
/*
 * Waits without an endpoint until `until`, then goes on with `next`. The request's body waits in the
 * downstream stream meanwhile; the route's timeout runs on and may end it before.
 */
void px_delay(struct px_exchange *x, uint64_t until, enum px_step next);
void px_expired(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);

/* px_pump.c */
void px_pump_up(struct px_exchange *x, uint64_t now);
void px_pump_down(struct px_exchange *x, uint64_t now);
/* The endpoint has the whole request: its time to answer begins. */
void px_request_sent(struct px_exchange *x, uint64_t now);
/* Nothing of the request's body remains to be sent. */
bool px_request_empty(const struct px_exchange *x);

/* px_headers.c: 0 or SS_ERR_NO_MEM. */
/* SS_ERR_LIMIT too: a rewrite took too many steps. */
int px_request_head(struct px_exchange *x, const struct ss_listener *l, const struct ss_route_decision *d);
/* The head that goes downstream, in x's arena. */
int px_response_head(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to);
/* Trailers without what belongs to one hop. */
int px_trailers(struct px_exchange *x, const struct ss_hdrs *from, struct ss_hdrs *to);
/* names: those of h, or more. */
int px_apply_ops(struct ss_hdrs *h, const struct ss_header_ops *ops, uint64_t names);
/* X-Forwarded-For: what came (keep), then the peer; h has room for it. */
void px_forwarded_for(struct ss_hdrs *h, const struct ss_hdrs *from, struct ss_arena *a, const struct ss_peer *peer,
		      bool keep, bool *ok);

/* px_format.c: the operations with the values that this request makes of them, in the arena; NULL: no memory. */
const struct ss_header_ops *px_format_ops(const struct px_exchange *x, const struct ss_header_ops *from);

/* px_borrow.c */
/* It points into the snapshot with its header operations, and may until it is over. */
void px_borrow(struct px_exchange *x);
/* Copies for some of those that point into an older one. */
void px_settle_some(struct ss_proxy *p, uint64_t now);

/* px_hash.c: what sticky balancing goes by; makes the cookie that is lacking. After the response's operations. */
int px_hash(struct px_exchange *x, const struct ss_route *r, const struct ss_cluster *c);

/* px_cors.c */
#define PX_CORS_MAX 4
/* What this exchange's response says besides: x->response_ops. 0 or SS_ERR_NO_MEM. */
int px_response_ops(struct px_exchange *x, const struct ss_route_decision *d);
/* The part of it that says who may read the response. h has room for PX_CORS_MAX more. */
void px_add_cors(const struct px_exchange *x, struct ss_hdrs *h);
void px_preflight(struct px_exchange *x, const struct ss_route_decision *d, uint64_t now);

/* px_redirect.c */
void px_redirect(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now);
void px_closed(struct px_exchange *x, const struct ss_maintenance *m, uint64_t now);

/* px_reply.c */
/* Head and body of an answer of ours; both are borrowed for the call. */
void px_send(struct px_exchange *x, struct ss_hdrs *h, struct ss_span body, uint64_t now);
/* Our own answer, or a reset when a head has gone out already. Counts `why`. */
void px_reply(struct px_exchange *x, enum ss_drop why, uint64_t now);
/* The same with more fields, PX_MORE_MAX at most; borrowed. */
#define PX_MORE_MAX 6
void px_reply_more(struct px_exchange *x, enum ss_drop why, const struct ss_hdr *more, uint16_t n_more,
		   uint64_t now);
/* The same with a status of the caller's: HTTP's, and gRPC's for its requests. */
void px_reply_as(struct px_exchange *x, enum ss_drop why, uint16_t status, uint16_t grpc, uint64_t now);
/* An answer with a head of somebody else's, which has room for PX_WITH_MAX more fields; body: its bytes are taken. */
#define PX_WITH_MAX (5 + PX_CORS_MAX)
void px_reply_with(struct px_exchange *x, enum ss_drop why, struct ss_hdrs *h, struct ss_bufq *body, uint64_t now);
uint16_t px_grpc_of_status(uint16_t status);
uint16_t px_status_of_grpc(uint16_t grpc);
void px_direct(struct px_exchange *x, const struct ss_route *r, uint64_t now);
/* Counts a response's class; remembers its status. */
void px_count_status(struct px_exchange *x, uint16_t status);

/* px_fault.c */
/* Draws. Is it answered by an abort? A delay is remembered in x->fault for px_fault_wait. */
bool px_faulted(struct px_exchange *x, const struct ss_listener *l, const struct ss_fault *f, uint64_t now);
/* The delay; after it, the abort or an endpoint. */
void px_fault_wait(struct px_exchange *x, uint64_t now);
void px_fault_abort(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);

/* px_limit.c */
/* Has a rate limit refused it? Then it is answered. Else the response may get X-RateLimit-* (x->response_ops). */
bool px_limited(struct px_exchange *x, const struct ss_listener *l, const struct ss_route *r, uint64_t now);
/* The request's head, as routes and endpoints are to see it. */
static inline const struct ss_hdrs *px_head(const struct px_exchange *x)
{
	return x->head ? x->head : ss_http_head(x->down);
}

/* A field of the head as it came, or NULL. */
static inline const struct ss_hdr *px_field(const struct px_exchange *x, enum ss_hdr_token tok)
{
	return x->names & SS_HDR_BIT(tok) ? ss_hdrs_find(ss_http_head(x->down), tok) : NULL;
}

/* px_jwt.c */
/* Verifies the token, and makes x->head. 0 or SS_ERR_NO_MEM. */
int px_token(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l, struct ss_jwt_found *out,
	     uint64_t now);
/* Why the route does not take a request with this token; SS_DROP_NONE: it does. r may be NULL. */
enum ss_drop px_token_wanting(const struct ss_listener *l, const struct ss_route *r, const struct ss_jwt_found *t);

/* px_authz.c: what the policies said, counted, and remembered for the log. */
void px_authorized(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
		   const struct ss_route_decision *d);

/* px_mirror.c */
/* Draws, and copies the head that goes upstream. They stand still until px_mirror_go. */
void px_mirror_make(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_mirror_list *list);
void px_mirror_go(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* Bytes of the request for the first time on their way (stay the caller's); all of it is; it is over. */
void px_mirror_body(struct px_exchange *x, const struct ss_bufq *q);
void px_mirror_end(struct px_exchange *x);
void px_mirror_leave(struct px_exchange *x);
void px_mirror_served(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now);
void px_mirror_news(struct px_mirror *m, const struct ss_snapshot *snap, uint32_t events, uint64_t now);
void px_mirror_expired(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now);

/* px_ext_authz.c */
/* Asks d->custom's authorizer; afterwards the request is answered, or decided again. */
void px_ask(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
	    const struct ss_route_decision *d, uint64_t now);
void px_ask_late(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now);
/* The exchange ends; x->asked is there. */
void px_ask_leave(struct px_exchange *x);
/* What authorizers have added: to px_head, and to x->response_ops. 0 or SS_ERR_NO_MEM. x->asked is there. */
int px_ask_head(struct px_exchange *x);
int px_ask_response(struct px_exchange *x);
void px_check_served(struct px_check *c, const struct ss_snapshot *snap, uint64_t now);
void px_check_news(struct px_check *c, const struct ss_snapshot *snap, uint32_t events, uint64_t now);

/* Refused for its token: a denial for the log. */
void px_unauthenticated(struct px_exchange *x, const struct ss_listener *l);

/* px_log.c */
void px_log(struct px_exchange *x, uint64_t now);

#endif
