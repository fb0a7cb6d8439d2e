#include "ctrl/route_dice.h"

#define PICK(r, a) (a)[ss_rng_below(r, SS_ARRAY_LEN(a))]

static const char *const texts[] = {"/",   "/a", "/a/",  "/a/b",   "/a/bb",
				    "/ab", "/b", "/b/a", "/a/b/c", "/aa/b"};
static const char *const patterns[] = {"/a.*",    "/[ab]/b",  "(/a|/b)+",  "/a/b+",    ".*b",
				       "/(a|ab)", "/a/?b?",   "/a|/b",     "^/ab?",    "/a/b/c?",
				       "/[|]|/a", "/a/(b|c)", "/\\a?b|/a", "/b{1,2}a*"};
static const char *const names[] = {"x-a", "x-b", "x-c"};
static const char *const values[] = {"1", "2", "12", "", "21"};
static const char *const ids[] = {"any", "spiffe://a/x", "spiffe://a/*", "domain:b", "WEB.example", "web.example"};
static const char *const peers[] = {"", "spiffe://a/x", "spiffe://a/y", "spiffe://b/x", "web.Example", "web.example"};
static const char *const sni_patterns[] = {"a.example", "*.a.example", "b.example"};
static const char *const snis[] = {"", "a.example", "B.example", "x.a.example"};
static const char *const value_patterns[] = {"1", "[12]+", "2.*", ".*2", "1?"};

static void random_match(struct ss_rng *r, struct ss_model_header_match *m)
{
	enum ss_header_match kind =
		ss_rng_chance(r, 1, 2) ? SS_HM_EXACT : (enum ss_header_match)ss_rng_below(r, 6);

	*m = (struct ss_model_header_match){
		world_text(PICK(r, names)),
		world_text(kind == SS_HM_REGEX ? PICK(r, value_patterns) : PICK(r, values)),
		kind,
		ss_rng_chance(r, 1, 4),
		(int64_t)ss_rng_below(r, 4) - 1,
		(int64_t)ss_rng_below(r, 25)};
}

static void random_source(struct ss_rng *r, struct ss_model_route *m)
{
	if (ss_rng_chance(r, 1, 2))
		m->ids[m->n_ids++] = world_id(PICK(r, ids));
	if (ss_rng_chance(r, 1, 2))
		m->snis[m->n_snis++] = world_text(PICK(r, sni_patterns));
	if (ss_rng_chance(r, 1, 3))
		m->ports[m->n_ports++] = 80 + ss_rng_below(r, 2);
}

void dice_route(struct ss_rng *r, struct ss_model_host *h, uint32_t i, uint32_t few)
{
	char name[20];

	snprintf(name, sizeof(name), "%u", i);
	struct ss_model_route *m = route_add(h, name, i);
	m->path_kind = (enum ss_path_match)ss_rng_below(r, 5);
	if (m->path_kind == SS_PATH_ANY && !ss_rng_chance(r, 1, 4))
		m->path_kind = SS_PATH_EXACT;
	if (m->path_kind == SS_PATH_REGEX)
		m->path = world_text(patterns[ss_rng_below(r, ss_min_u32(few, SS_ARRAY_LEN(patterns)))]);
	else if (m->path_kind != SS_PATH_ANY)
		m->path = world_text(texts[ss_rng_below(r, few)]);
	if (ss_rng_chance(r, 1, 3))
		m->methods = (uint16_t)(1 + ss_rng_below(r, 1023));
	for (uint32_t n = ss_rng_below(r, 3); n; n--)
		random_match(r, &m->headers[m->n_headers++]);
	if (ss_rng_chance(r, 1, 3))
		random_match(r, &m->query[m->n_query++]);
	if (ss_rng_chance(r, 1, 3))
		random_match(r, &m->cookies[m->n_cookies++]);
	if (ss_rng_chance(r, 1, 5))
		random_source(r, m);
}

_Static_assert(SS_ARRAY_LEN(texts) == DICE_TEXTS, "few is about them");

static void random_pairs(struct ss_rng *r, char *to, const char *between)
{
	*to = '\0';
	for (uint32_t n = ss_rng_below(r, 4); n; n--) {
		sprintf(to + strlen(to), "%s%s", *to ? between : "", PICK(r, names));
		if (ss_rng_chance(r, 4, 5))
			sprintf(to + strlen(to), "=%s", PICK(r, values));
	}
}

void dice_request(struct ss_rng *r, struct dice_asked *q)
{
	static const char *const methods[] = {"GET",    "HEAD",    "POST",  "PUT",
					      "DELETE", "OPTIONS", "PATCH", "X"};
	static const char *const more[] = {"", "", "b", "/b", "a", "/", "/c"};

	snprintf(q->path, sizeof(q->path), "%s%s", PICK(r, texts), PICK(r, more));
	random_pairs(r, q->query, "&");
	random_pairs(r, q->cookies, "; ");
	snprintf(q->target, sizeof(q->target), "%s%s%s", q->path, *q->query ? "?" : "", q->query);
	ss_hdrs_init(&q->h, q->v, 8);
	q->h.method = ss_span_str(PICK(r, methods));
	q->h.authority = SS_SPAN("any.example");
	q->h.path = ss_span_str(q->target);
	for (uint32_t n = ss_rng_below(r, 4); n; n--)
		ss_hdrs_add(&q->h, ss_span_str(PICK(r, names)), ss_span_str(PICK(r, values)), 0);
	ss_hdrs_add(&q->h, SS_SPAN("cookie"), ss_span_str(q->cookies), 0);
	q->who = (struct asker){ss_span_str(PICK(r, peers)), ss_span_str(PICK(r, snis)),
				(uint16_t)(80 + ss_rng_below(r, 2))};
}
