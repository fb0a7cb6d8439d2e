/* jwt_parse.c - a token's header and payload, and whether they are for us, now (RFC 7519 7.2). */
#include "base/err.h"
#include "jwt/jwt_int.h"
#include "wire/b64url.h"

bool ss_jwt_split(struct ss_span t, struct jwt_parts *out)
{
	const uint8_t *a = t.n ? memchr(t.p, '.', t.n) : NULL, *b, *end = t.p + t.n;

	if (t.n > SS_JWT_MAX || !a || !(b = memchr(a + 1, '.', (size_t)(end - a - 1))) ||
	    memchr(b + 1, '.', (size_t)(end - b - 1)))
		return false;
	out->header = ss_span(t.p, (uint32_t)(a - t.p));
	out->payload = ss_span(a + 1, (uint32_t)(b - a - 1));
	out->signature = ss_span(b + 1, (uint32_t)(end - b - 1));
	out->signed_text = ss_span(t.p, (uint32_t)(b - t.p));
	return out->header.n && out->payload.n && out->signature.n;
}

static bool alg_of(struct ss_span name, enum ss_jwt_alg *alg)
{
	static const char *const names[] = {
#define SS_JWT_X(name) #name,
		SS_JWT_ALGS(SS_JWT_X)
#undef SS_JWT_X
	};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(names); i++) {
		if (ss_span_eq(name, ss_span_str(names[i]))) {
			*alg = (enum ss_jwt_alg)i;
			return true;
		}
	}
	return false;
}

/* RFC 7515 4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
 * recipient, then the JWS is invalid". We support none. Keys that a token brings along (jwk, jku, x5c, x5u)
 * are not looked at. */
bool ss_jwt_header(struct ss_span text, uint8_t *buf, uint32_t room, enum ss_jwt_alg *alg,
		   struct ss_span *kid)
{
	struct ss_jscan_node nodes[32];
	int n = ss_b64url(text, buf, room);
	uint16_t at;

	if (n < 0 || ss_jscan(buf, (uint32_t)n, nodes, SS_ARRAY_LEN(nodes)) < 0 ||
	    ss_jscan_member(nodes, 0, SS_SPAN("crit")))
		return false;
	at = ss_jscan_member(nodes, 0, SS_SPAN("alg"));
	if (!at || nodes[at].type != SS_JSCAN_STRING || !alg_of(nodes[at].text, alg))
		return false;
	at = ss_jscan_member(nodes, 0, SS_SPAN("kid"));
	*kid = at ? nodes[at].text : SS_SPAN_NONE;
	return !at || nodes[at].type == SS_JSCAN_STRING;
}

bool ss_jwt_payload(struct ss_span text, struct jwt_entry *e)
{
	int n = ss_b64url(text, e->payload, sizeof(e->payload));

	if (n < 0)
		return false;
	n = ss_jscan(e->payload, (uint32_t)n, e->nodes, JWT_NODES);
	e->n_nodes = (uint16_t)(n > 0 ? n : 0);
	return n > 0 && e->nodes[0].type == SS_JSCAN_OBJECT;
}

static struct ss_span text_of(const struct jwt_entry *e, struct ss_span name)
{
	uint16_t at = ss_jscan_member(e->nodes, 0, name);

	return at && e->nodes[at].type == SS_JSCAN_STRING ? e->nodes[at].text : SS_SPAN_NONE;
}

static bool known_audience(const struct ss_jwt_provider *p, const struct ss_jscan_node *n)
{
	for (uint16_t i = 0; n->type == SS_JSCAN_STRING && i < p->n_audiences; i++)
		if (ss_span_eq(n->text, p->audiences[i]))
			return true;
	return false;
}

/* RFC 7519 4.1.3: a text or a list of texts; one of them must be ours. */
static bool for_us(const struct ss_jwt_provider *p, const struct jwt_entry *e)
{
	uint16_t at = ss_jscan_member(e->nodes, 0, SS_SPAN("aud"));

	if (!p->n_audiences)
		return true;
	if (!at || e->nodes[at].type != SS_JSCAN_ARRAY)
		return at && known_audience(p, &e->nodes[at]);
	for (uint16_t i = (uint16_t)(at + 1); i < e->nodes[at].next; i = e->nodes[i].next)
		if (known_audience(p, &e->nodes[i]))
			return true;
	return false;
}

/* A date that is there must be one. */
static bool date(const struct jwt_entry *e, struct ss_span name, uint64_t *out)
{
	uint16_t at = ss_jscan_member(e->nodes, 0, name);

	return !at || ss_jscan_seconds(&e->nodes[at], out);
}

static void put_principal(struct jwt_entry *e, struct ss_span iss, struct ss_span sub)
{
	struct ss_out o = ss_out(e->principal, sizeof(e->principal));

	e->claims = (struct ss_claims){.nodes = e->nodes};
	if (!sub.n)
		return;
	ss_out_span(&o, iss);
	ss_out_u8(&o, '/');
	ss_out_span(&o, sub);
	if (!o.over)
		e->claims.principal = ss_span(e->principal, (uint32_t)(o.p - e->principal));
}

enum ss_drop ss_jwt_dates(const struct jwt_entry *e, uint64_t now_s)
{
	return now_s >= e->not_after || now_s < e->not_before ? SS_DROP_TOKEN_EXPIRED : SS_DROP_NONE;
}

enum ss_drop ss_jwt_judge(const struct ss_jwt_provider *p, struct jwt_entry *e, uint64_t now_s)
{
	struct ss_span iss = text_of(e, SS_SPAN("iss"));
	uint64_t exp = UINT64_MAX, nbf = 0, iat = 0;

	if (!ss_span_eq(iss, p->issuer) || !for_us(p, e))
		return SS_DROP_TOKEN_REFUSED;
	if (!date(e, SS_SPAN("exp"), &exp) || !date(e, SS_SPAN("nbf"), &nbf) ||
	    !date(e, SS_SPAN("iat"), &iat))
		return SS_DROP_TOKEN_INVALID;
	e->not_after = exp > UINT64_MAX - p->skew_s ? UINT64_MAX : exp + p->skew_s;
	e->not_before = nbf > p->skew_s ? nbf - p->skew_s : 0;
	put_principal(e, iss, text_of(e, SS_SPAN("sub")));
	return ss_jwt_dates(e, now_s);
}
