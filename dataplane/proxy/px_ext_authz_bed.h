/* px_ext_authz_bed.h - for tests: a request that an authorizer decides on; the test is both origins. */
#ifndef SS_PX_EXT_AUTHZ_BED_H
#define SS_PX_EXT_AUTHZ_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contract/ext_authz.h"
#include "proxy/px_two_bed.h"

/* In constants SS_SPAN is not one. */
#define LIT(s)                                      \
	{                                           \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}

static struct ss_ext_authz providers[2];
static struct ss_authz_rule rules[3];
static struct ss_authz policy;
static SS_UNUSED const struct ss_authz_text ask_names[] = {{SS_AUTHZ_EXACT, LIT("x-ask")},
							   {SS_AUTHZ_PREFIX, LIT("x-p-")}};
static SS_UNUSED const struct ss_authz_text up_names[] = {{SS_AUTHZ_EXACT, LIT("x-user")},
							  {SS_AUTHZ_PREFIX, LIT("content-")}};
static SS_UNUSED const struct ss_authz_text allowed_names[] = {{SS_AUTHZ_EXACT, LIT("set-cookie")}};
static SS_UNUSED const struct ss_authz_text denied_names[] = {{SS_AUTHZ_EXACT, LIT("x-why")}};
static SS_UNUSED const struct ss_ext_authz_field add[] = {{LIT("x-from"), LIT("mesh")}};

/* One custom rule that holds for all; the request's cluster has one endpoint, the authorizer's another. */
static SS_UNUSED struct world *guarded(uint32_t max_checks)
{
	struct world *w = start();
	struct ss_proxy_conf pc = w->px->conf;

	ss_proxy_free(w->px);
	pc.max_checks = max_checks;
	assert_int_equal(ss_proxy_create(&w->px, &pc, w->now), 0);
	second_cluster(w);
	both[1].outlier.max_ejection_percent = 0;
	ss_up_adopt(w->up, &w->snap, w->now);
	providers[0] = (struct ss_ext_authz){
		.name = 70, .cluster = 1, .status_on_error = 403, .timeout_ns = 200 * MS};
	providers[1] = providers[0];
	providers[1].name = 71;
	rules[0] = (struct ss_authz_rule){
		.name = 80, .action = SS_AUTHZ_CUSTOM, .class = SS_AUTHZ_C_CUSTOM, .provider = &providers[0]};
	policy = (struct ss_authz){.rules = rules, .n_rules = 1, .any_custom = true};
	w->listener.authz = &policy;
	w->snap.ext_authz = providers;
	w->snap.n_ext_authz = 2;
	w->route.retry = NULL;
	return w;
}

/* The newest request at the origin, or at the authorizer; their connections are opened when they are wanted.
 */
static SS_UNUSED struct ss_http_stream *at(struct world *w, const struct ss_addr *a)
{
	struct ss_http_conn *c;

	turn(w);
	c = conn_to(w, a);
	if (c && !c->open && !c->gone) {
		fake_open(c, 100);
		turn(w);
	}
	return newest_on(c);
}

static SS_UNUSED struct ss_http_stream *origin(struct world *w)
{
	return at(w, &w->eps[0].addr);
}

static SS_UNUSED struct ss_http_stream *authorizer(struct world *w)
{
	return at(w, &aside.addr);
}

static SS_UNUSED void answered(struct world *w, struct ss_http_stream *d)
{
	answer(w, origin(w), 200, "origin");
	delivered(w, d);
	body_is(d, "origin");
}

static SS_UNUSED struct ss_event logged(struct world *w, uint16_t status, const char *flag)
{
	struct ss_event e = next_event(w);

	assert_int_equal(e.status, status);
	assert_string_equal(ss_drop_flag(e.drop), flag);
	return e;
}

#endif
