/*
 * px_borrow.c - header operations are used where they lie in the snapshot, not copied for every request: most are
 * over before a reload comes. When one comes, those that are not over get their copies, a bounded number each
 * turn, and the worker says that it uses the new generation only then. Control keeps the old one until it is told.
 */
#include "base/err.h"
#include "proxy/px_int.h"

/* Copies in one turn: a quarter microsecond each. */
#define SETTLE_MAX 64u

void px_borrow(struct px_exchange *x)
{
	ss_list_push_once(&x->p->borrowers, &x->borrowed);
}

static struct ss_span own(struct ss_arena *a, struct ss_span s, struct ss_span theirs, bool *ok)
{
	return s.n && s.p == theirs.p ? ss_arena_copy(a, s, ok) : s;
}

/* What the route's operations have put into the head that goes upstream. */
static bool own_request(struct px_exchange *x, struct ss_arena *a)
{
	const struct ss_header_ops *ops = x->request_ops;
	struct ss_hdrs *h = &x->request;
	bool ok = true;

	for (uint16_t k = 0; ops && k < ops->n; k++) {
		const struct ss_header_op *o = &ops->op[k];
		h->authority = own(a, h->authority, o->value, &ok);
		for (uint16_t i = 0; i < h->n; i++) {
			h->v[i].name = own(a, h->v[i].name, o->name, &ok);
			h->v[i].value = own(a, h->v[i].value, o->value, &ok);
		}
	}
	return ok;
}

static bool own_response(struct px_exchange *x, struct ss_arena *a)
{
	const struct ss_header_ops from = x->response_ops;
	struct ss_header_op *op = from.n ? ss_arena_alloc(a, from.n * sizeof(*op)) : NULL;
	bool ok = !from.n || op;

	for (uint16_t i = 0; ok && i < from.n; i++) {
		op[i] = from.op[i];
		op[i].name = ss_arena_copy(a, from.op[i].name, &ok);
		op[i].value = ss_arena_copy(a, from.op[i].value, &ok);
	}
	if (ok)
		x->response_ops.op = op;
	return ok;
}

static void forget(struct px_exchange *x)
{
	x->request_ops = NULL;
	x->response_ops = (struct ss_header_ops){0};
	x->n_cors = 0;
}

static void settle(struct px_exchange *x, uint64_t now)
{
	struct ss_arena *a = ss_http_arena(x->down);

	/* Neither head is sent again. */
	if (x->head_sent) {
		x->request.n = 0;
		forget(x);
		return;
	}
	if (own_request(x, a) && own_response(x, a)) {
		x->request_ops = NULL;
		return;
	}
	forget(x);
	px_drop_upstream(x);
	px_reply(x, SS_DROP_STREAMS_FULL, now);
}

void px_settle_some(struct ss_proxy *p, uint64_t now)
{
	struct ss_list *n;

	for (uint32_t i = 0; i < SETTLE_MAX && (n = ss_list_pop(&p->leaving)); i++)
		settle(ss_list_entry(n, struct px_exchange, borrowed), now);
}

void ss_proxy_adopt(struct ss_proxy *p, uint64_t now)
{
	ss_list_splice(&p->leaving, &p->borrowers);
	px_settle_some(p, now);
}

bool ss_proxy_settled(const struct ss_proxy *p)
{
	return ss_list_empty(&p->leaving);
}
