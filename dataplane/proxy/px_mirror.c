/*
 * px_mirror.c - copies of requests, sent and forgotten: what becomes of them, nobody is told and nobody waits
 * for.
 *
 * A mirror is its own small exchange: it has its place in its cluster's line, its timer, its memory. All that
 * it shares with the request is a look at the body as it passes by; whatever goes wrong ends the mirror.
 * Bodies are copied, not shared: a record layer works in the packet buffers. What all mirrors of a worker may
 * hold is bounded (conf.max_mirrors, conf.mirror_bytes), and the streams that they use are theirs
 * (ss_http_conf.spare_streams).
 */
#include "base/err.h"
#include "proxy/px_int.h"

static void count(struct px_mirror *m, enum ss_counter k)
{
	ss_count(m->p->conf.counters, k, 1);
}

/* -- the end -- */

static void unlink_mirror(struct px_mirror *m)
{
	struct px_mirror **at = m->x ? &m->x->mirrors : NULL;

	while (at && *at != m)
		at = &(*at)->next;
	if (at)
		*at = m->next;
	m->x = NULL;
}

static void finish(struct px_mirror *m, enum ss_counter why)
{
	struct ss_proxy *p = m->p;

	if (m->over)
		return;
	m->over = true;
	count(m, why);
	unlink_mirror(m);
	if (m->up)
		ss_http_release(m->up);
	m->up = NULL;
	ss_up_cancel(p->conf.up, &m->wait);
	ss_bufq_free(&m->body);
	p->mirrored -= m->taken;
	ss_arena_reset(&m->arena);
	ss_wheel_cancel(&p->wheel, &m->timer);
	ss_list_remove(&m->again);
	ss_list_push_back(&p->dead_mirrors, &m->again);
}

/* The endpoint's part in it: its cluster learns, as from any other request. */
static void ended(struct px_mirror *m, const struct ss_snapshot *snap, enum ss_ep_end how, enum ss_counter why,
		  uint64_t now)
{
	ss_up_result(m->p->conf.up, ss_snapshot_cluster(snap, m->cluster), &m->wait, how, now);
	finish(m, why);
}

/* -- the beginning -- */

/* Envoy: "-shadow" goes to the name, before the port. An address in brackets stays: it is no name. */
static struct ss_span shadow(struct ss_arena *a, struct ss_span host, bool *ok)
{
	static const char more[] = "-shadow";
	const uint8_t *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
	uint32_t name = colon ? (uint32_t)(colon - host.p) : host.n;
	uint8_t *p;

	if (!host.n || host.p[0] == '[')
		return ss_arena_copy(a, host, ok);
	p = ss_arena_alloc(a, host.n + sizeof(more) - 1);
	if (!p) {
		*ok = false;
		return host;
	}
	memcpy(p, host.p, name);
	memcpy(p + name, more, sizeof(more) - 1);
	memcpy(p + name + sizeof(more) - 1, host.p + name, host.n - name);
	return ss_span(p, host.n + (uint32_t)sizeof(more) - 1);
}

/* The head as it goes upstream, in the mirror's own memory: it may live longer than the request. */
static bool copy_head(struct px_mirror *m, const struct ss_hdrs *from, bool tls, bool as_shadow)
{
	struct ss_hdr *v = ss_arena_alloc(&m->arena, from->n * sizeof(*v) + 1);
	bool ok = v != NULL;

	if (!ok)
		return false;
	ss_hdrs_init(&m->request, v, from->n);
	m->request.method = ss_arena_copy(&m->arena, from->method, &ok);
	m->request.path = ss_arena_copy(&m->arena, from->path, &ok);
	m->request.scheme = tls ? SS_SPAN("https") : SS_SPAN("http");
	m->request.authority = as_shadow ? shadow(&m->arena, from->authority, &ok)
					 : ss_arena_copy(&m->arena, from->authority, &ok);
	for (uint16_t i = 0; ok && i < from->n; i++)
		ss_hdrs_push(&m->request, ss_arena_copy(&m->arena, from->v[i].name, &ok),
			     ss_arena_copy(&m->arena, from->v[i].value, &ok), from->v[i].tok,
			     from->v[i].flags);
	return ok;
}

static void make(struct px_exchange *x, const struct ss_cluster *c, const struct ss_mirror *s)
{
	struct ss_proxy *p = x->p;
	struct px_mirror *m = ss_pool_take(p->mirrors);

	if (!m) {
		ss_count(p->conf.counters, SS_C_MIRRORS_FULL, 1);
		return;
	}
	*m = (struct px_mirror){.p = p,
				.x = x,
				.leg = {.mirror = true},
				.cluster = c->name,
				.max_body = s->max_body,
				.timeout_ns = s->timeout_ns,
				.whole = px_request_empty(x)};
	ss_list_init(&m->wait.node);
	m->wait.whose = PX_WAIT_MIRROR;
	ss_list_init(&m->again);
	ss_timer_init(&m->timer, PX_TIMER_MIRROR);
	ss_bufq_init(&m->body);
	ss_arena_init(&m->arena, &p->mirror_arenas);
	m->next = x->mirrors;
	x->mirrors = m;
	if (!copy_head(m, &x->request, c->tls != NULL, s->shadow))
		finish(m, SS_C_MIRRORS_FULL);
}

void px_mirror_make(struct px_exchange *x, const struct ss_snapshot *snap, const struct ss_mirror_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (ss_rng_below(&x->p->rng, SS_MIRROR_SHARE_SUM) < list->mirror[i].share)
			make(x, &snap->clusters[list->mirror[i].cluster], &list->mirror[i]);
}

/* -- upstream -- */

static void pump(struct px_mirror *m)
{
	while (m->up && !m->sent && !m->over) {
		uint32_t n = ss_min_u32(m->body.len, ss_http_room(m->up));
		bool end = m->whole && n == m->body.len;
		struct ss_bufq q;
		ss_bufq_init(&q);
		if (!n && !end)
			return;
		if (n && ss_bufq_take(&q, &m->body, n, m->p->conf.bufs) < 0) {
			finish(m, SS_C_MIRRORS_FULL);
			return;
		}
		m->sent = end;
		ss_http_send_body(m->up, &q, end);
	}
}

static void launch(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now)
{
	bool end = m->whole && !m->body.len;
	int rc = ss_http_request(m->wait.conn, &m->request, end, now, &m->up);

	ss_up_took(m->p->conf.up, &m->wait);
	if (rc < 0) {
		m->up = NULL;
		finish(m, SS_C_MIRRORS_FAILED);
		return;
	}
	count(m, SS_C_MIRRORS);
	m->sent = end;
	ss_http_set_owner(m->up, &m->leg);
	pump(m);
}

static void acquire(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_cluster *c = ss_snapshot_cluster(snap, m->cluster);
	int rc = c ? ss_up_acquire(m->p->conf.up, c, &m->wait, now) : SS_ERR_REFUSED;

	if (rc == 0)
		launch(m, snap, now);
	else if (rc != SS_ERR_WAIT)
		finish(m, SS_C_MIRRORS_REFUSED);
}

void px_mirror_go(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	struct px_mirror *m, *next;

	for (m = x->mirrors; m; m = next) {
		next = m->next;
		ss_wheel_arm(&m->p->wheel, &m->timer, now + m->timeout_ns);
		acquire(m, snap, now);
	}
}

void px_mirror_served(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now)
{
	if (m->wait.place == SS_UP_SERVED) {
		launch(m, snap, now);
	} else if (m->wait.result == SS_ERR_MORE) {
		ss_up_cancel(m->p->conf.up, &m->wait);
		acquire(m, snap, now);
	} else {
		ended(m, snap, SS_EP_NO_ANSWER, SS_C_MIRRORS_FAILED, now);
	}
}

void px_mirror_news(struct px_mirror *m, const struct ss_snapshot *snap, uint32_t events, uint64_t now)
{
	struct ss_bufq *body;

	if (m->over)
		return;
	body = ss_http_body(m->up);
	if (body->len)
		ss_http_consumed(m->up, body->len);
	ss_bufq_free(body);
	if (events & SS_HTTP_EV_HEAD)
		m->ok = ss_http_head(m->up)->status < 500;
	if (ss_http_ended(m->up)) {
		ended(m, snap, m->ok ? SS_EP_GOOD : SS_EP_ERROR, SS_C_MIRRORS_ANSWERED, now);
	} else if (events & SS_HTTP_EV_RESET) {
		if (ss_http_unprocessed(m->up))
			finish(m, SS_C_MIRRORS_FAILED);
		else
			ended(m, snap, SS_EP_NO_ANSWER, SS_C_MIRRORS_FAILED, now);
	} else if (events & SS_HTTP_EV_ROOM) {
		pump(m);
	}
}

/* It was the endpoint's turn to speak when it had all of the request. */
void px_mirror_expired(struct px_mirror *m, const struct ss_snapshot *snap, uint64_t now)
{
	if (m->over)
		return;
	if (m->up)
		ss_http_reset(m->up, SS_HTTP_CANCEL);
	if (m->up && m->sent)
		ended(m, snap, SS_EP_NO_ANSWER, SS_C_MIRRORS_LATE, now);
	else
		finish(m, SS_C_MIRRORS_LATE);
}

/* -- the request passes by -- */

static void copy(struct px_mirror *m, const struct ss_bufq *q)
{
	struct ss_proxy *p = m->p;

	if (m->taken + q->len > m->max_body) {
		finish(m, SS_C_MIRRORS_TOO_LARGE);
	} else if (p->mirrored + q->len > p->conf.mirror_bytes ||
		   ss_bufq_copy(&m->body, q, 0, q->len, p->conf.bufs) < 0) {
		finish(m, SS_C_MIRRORS_FULL);
	} else {
		m->taken += q->len;
		p->mirrored += q->len;
		pump(m);
	}
}

void px_mirror_body(struct px_exchange *x, const struct ss_bufq *q)
{
	struct px_mirror *m, *next;

	for (m = x->mirrors; m; m = next) {
		next = m->next;
		copy(m, q);
	}
}

void px_mirror_end(struct px_exchange *x)
{
	struct px_mirror *m, *next;

	for (m = x->mirrors; m; m = next) {
		next = m->next;
		m->whole = true;
		pump(m);
	}
}

void px_mirror_leave(struct px_exchange *x)
{
	struct px_mirror *m;

	while ((m = x->mirrors)) {
		if (m->whole && ss_timer_armed(&m->timer))
			unlink_mirror(m);
		else
			finish(m, SS_C_MIRRORS_CUT);
	}
}
