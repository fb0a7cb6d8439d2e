#include "contract/drops.h"

#include "contract/lower.h"

static const struct {
	char name[SS_LOWER_MAX];
	char kind;
	const char *flag, *text;
} drops[] = {
	{ "none", 'p', "-", "" },
#define SS_DROP_X(name, kind, flag, text) { SS_LOWER(#name), #kind[0], flag, text },
	SS_DROP_LIST(SS_DROP_X)
#undef SS_DROP_X
};

#define SS_DROP_X(name, kind, flag, text) \
	_Static_assert(sizeof(#name) <= SS_LOWER_MAX, "drop name too long: " #name);
SS_DROP_LIST(SS_DROP_X)
#undef SS_DROP_X

static const struct ss_drop_answer answers[SS_DROP_COUNT] = {
	[SS_DROP_NO_ROUTE_MATCH] = { 404, 12 },
	[SS_DROP_DENIED] = { 403, 7 },
	[SS_DROP_EXT_AUTHZ_DENIED] = { 403, 7 },
	[SS_DROP_EXT_AUTHZ_FAILED] = { 403, 7 },
	[SS_DROP_REWRITE_LIMIT] = { 500, 13 },
	[SS_DROP_MAINTENANCE] = { 503, 14 },
	[SS_DROP_TOKEN_MISSING] = { 401, 16 },
	[SS_DROP_TOKEN_INVALID] = { 401, 16 },
	[SS_DROP_TOKEN_EXPIRED] = { 401, 16 },
	[SS_DROP_TOKEN_REFUSED] = { 401, 16 },
	/* RESOURCE_EXHAUSTED: clients retry UNAVAILABLE, which is Envoy's default here, and that feeds the overload. */
	[SS_DROP_RATE_LIMITED] = { 429, 8 },
	[SS_DROP_NO_CLUSTER] = { 503, 14 },
	[SS_DROP_NO_HEALTHY] = { 503, 14 },
	[SS_DROP_NO_SUBSET] = { 503, 14 },
	[SS_DROP_CONNECT_FAILED] = { 503, 14 },
	[SS_DROP_UPSTREAM_TLS] = { 503, 14 },
	[SS_DROP_UPSTREAM_OVERFLOW] = { 503, 14 },
	[SS_DROP_PENDING_DELAY] = { 503, 14 },
	[SS_DROP_BREAKER_OPEN] = { 503, 14 },
	[SS_DROP_RETRY_BUDGET] = { 503, 14 },
	[SS_DROP_OVERLOADED] = { 503, 14 },
	[SS_DROP_UPSTREAM_RESET] = { 502, 14 },
	[SS_DROP_UPSTREAM_STREAM_RESET] = { 502, 14 },
	[SS_DROP_UPSTREAM_PROTOCOL] = { 502, 14 },
	[SS_DROP_TIMEOUT_TOTAL] = { 504, 4 },
	[SS_DROP_TIMEOUT_TRY] = { 504, 4 },
	[SS_DROP_TIMEOUT_DURATION] = { 504, 4 },
	[SS_DROP_TIMEOUT_IDLE] = { 408, 14 },
	[SS_DROP_DRAINING] = { 503, 14 },
	[SS_DROP_STREAMS_FULL] = { 503, 14 },
	[SS_DROP_TUNNEL] = { 501, 12 },
};

struct ss_drop_answer ss_drop_answer(enum ss_drop d)
{
	return answers[d].status ? answers[d] : (struct ss_drop_answer){ 502, 14 };
}

const char *ss_drop_name(enum ss_drop d)
{
	return drops[d].name;
}

const char *ss_drop_flag(enum ss_drop d)
{
	return drops[d].flag;
}

const char *ss_drop_text(enum ss_drop d)
{
	return drops[d].text;
}

char ss_drop_kind(enum ss_drop d)
{
	return drops[d].kind;
}
