/*
 * px_jwt.c - a request's token before its route is known: verified, taken out, its claims written into
 * headers that no client can write (jwt/jwt_head.c). What a route requires of it is asked afterwards.
 */
#include "proxy/px_int.h"

int px_token(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_listener *l,
	     struct ss_jwt_found *out, uint64_t now)
{
	int64_t offset = snap->wall ? atomic_load_explicit(&snap->wall->offset_ns, memory_order_relaxed) : 0;
	uint64_t now_s = snap->wall ? (uint64_t)((int64_t)now + offset) / SS_NS_PER_SEC : UINT64_MAX;

	ss_jwt_check(x->p->jwt, l->jwt, ss_http_head(x->down), now_s, out);
	return ss_jwt_head(l->jwt, out, ss_http_head(x->down), ss_http_arena(x->down), &x->head);
}

enum ss_drop px_token_wanting(const struct ss_listener *l, const struct ss_route *r,
			      const struct ss_jwt_found *t)
{
	return r ? ss_jwt_wanting(l->jwt, r->token, t) : SS_DROP_NONE;
}
