/* When a route's requests are sent again. The defaults are those of the seed profile: 3 retries, 1 s, 100 ms. */
#include <string.h>

#include "cfg/cfg_int.h"

#define RETRY(field) offsetof(struct ss_model_retry, field)

static void add_status(struct ss_cfg *c, struct ss_model_retry *r, uint16_t status)
{
	uint16_t *more = ss_cfg_alloc(c, (r->n_status + 1) * sizeof(*more));
	if (!more)
		return;
	if (r->n_status)
		memcpy(more, r->status, r->n_status * sizeof(*more));
	more[r->n_status++] = status;
	r->status = more;
}

/* Istio's retryOn lists status codes among the conditions. 0: not one. */
static uint16_t bare_status(struct ss_span name)
{
	uint32_t v = 0;
	for (uint32_t i = 0; i < name.n; i++)
		v = name.p[i] >= '0' && name.p[i] <= '9' ? v * 10 + name.p[i] - '0' : 1000;
	return name.n == 3 && v >= 200 && v <= 599 ? (uint16_t)v : 0;
}

static bool add_condition(struct ss_cfg *c, struct ss_model_retry *r, struct ss_span name)
{
	uint32_t bit = ss_retry_condition(name);
	uint16_t status = bare_status(name);
	if (status)
		add_status(c, r, status);
	r->on |= status ? SS_RETRY_STATUS_CODES : bit;
	return status || bit || ss_span_eq(name, SS_SPAN("none"));
}

/* "5xx,connect-error", as Envoy's header has it. What is none goes to *bad. False when nothing is named. */
static bool add_conditions(struct ss_cfg *c, struct ss_model_retry *r, const char *text, struct ss_span *bad)
{
	bool some = false;
	for (const char *p = text;; p++) {
		uint32_t n = (uint32_t)strcspn(p, ", ");
		if (n && !add_condition(c, r, ss_span(p, n)))
			*bad = ss_span(p, n);
		some |= n > 0;
		p += n;
		if (!*p)
			return some;
	}
}

/* The same as a list, too. */
static void read_on(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	const char *text = config_setting_get_string(s);
	struct ss_model_retry *r = obj;
	struct ss_span bad = SS_SPAN_NONE;
	uint32_t n = 1;
	char **names = text ? (char **)&text : ss_cfg_texts(c, s, &n);
	bool some = !names; /* then that is told already */
	r->on = 0;
	for (uint32_t i = 0; names && i < n; i++)
		if (names[i])
			some |= add_conditions(c, r, names[i], &bad);
	if (bad.n)
		ss_cfg_error(c, s, NULL, "\"%.*s\" is no condition for a retry", (int)bad.n,
			     (const char *)bad.p);
	if (!some)
		ss_cfg_error(c, s, NULL, "must not be empty; max_retries = 0 turns retries off");
}

/* The default, by profile. */
static const char *value_on(struct ss_cfg *c, const char *text, void *dest)
{
	struct ss_model_retry r = { 0 };
	struct ss_span bad = SS_SPAN_NONE;
	if (!add_conditions(c, &r, text, &bad) || bad.n || r.n_status)
		return "not a list of conditions";
	*(uint32_t *)dest = r.on;
	return NULL;
}

static void show_on(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_retry *r = obj;
	ss_json_list(j, k->name);
	if (!r->on)
		ss_json_text(j, NULL, "none");
	for (uint32_t bit = 1; bit <= r->on; bit <<= 1)
		if (r->on & bit)
			ss_json_text(j, NULL, ss_retry_word(bit));
	ss_json_end_list(j);
}

static void read_status(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_retry *r = obj;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		ss_cfg_error(c, s, NULL, "must be a list of status codes, as [ 502, 503 ]");
		return;
	}
	uint32_t n = (uint32_t)config_setting_length(s);
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		int status = config_setting_get_int(e);
		if (config_setting_type(e) != CONFIG_TYPE_INT || status < 200 || status > 599)
			ss_cfg_error(c, e, NULL, "must be a status code from 200 to 599");
		else
			add_status(c, r, (uint16_t)status);
	}
}

static void show_status(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_retry *r = obj;
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < r->n_status; i++)
		ss_json_u64(j, NULL, r->status[i]);
	ss_json_end_list(j);
}

/* What is listed without its condition would have no effect, and nobody would see why. */
static void check_retry(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const both[] = { "max_retries", "max_attempts", NULL };
	struct ss_model_retry *r = obj;
	if (ss_cfg_count(g, both) == 2)
		ss_cfg_error(c, g, "max_attempts", "is there beside max_retries: one of the two");
	if (r->max_attempts)
		r->max_retries = r->max_attempts - 1;
	if (r->n_status)
		r->on |= SS_RETRY_STATUS_CODES;
	if (r->headers.n)
		r->on |= SS_RETRY_HEADERS;
	if (r->max_ns < r->base_ns)
		ss_cfg_error(c, g, "backoff", "max is shorter than base");
}

static const struct ss_cfg_key backoff_keys[] = {
	{ "base", SS_CFG_DURATION, RETRY(base_ns), .def = "100ms", .max = 60 * SS_NS_PER_SEC },
	{ "max", SS_CFG_DURATION, RETRY(max_ns), .def = "1s", .max = 600 * SS_NS_PER_SEC },
};
static const struct ss_cfg_table backoff = { .what = "group", SS_CFG_KEYS(backoff_keys) };

static const struct ss_cfg_key retry_keys[] = {
	{ "on", SS_CFG_OWN, RETRY(on), .what = "list of words", .def = "5xx,connect-failure,refused-stream",
	  .read = read_on, .value = value_on, .show = show_on },
	{ "max_retries", SS_CFG_U32, RETRY(max_retries), .def = "3", .max = 10 },
	{ "max_attempts", SS_CFG_U32, RETRY(max_attempts), .min = 1, .max = 11 },
	{ "per_try_timeout", SS_CFG_DURATION, RETRY(per_try_ns), .def = "1s", .max = 86400 * SS_NS_PER_SEC },
	{ "per_try_idle_timeout", SS_CFG_DURATION, RETRY(per_try_idle_ns), .def = "0s",
	  .max = 86400 * SS_NS_PER_SEC },
	{ "backoff", SS_CFG_GROUP, 0, .table = &backoff },
	{ "max_retry_after", SS_CFG_DURATION, RETRY(max_after_ns), .def = "5m", .max = 86400 * SS_NS_PER_SEC },
	{ "retriable_status", SS_CFG_OWN, RETRY(status), .what = "list of numbers", .read = read_status,
	  .show = show_status },
	{ "retriable_headers", SS_CFG_LIST, RETRY(headers.v), RETRY(headers.n), .table = &ss_cfg_named_header },
	{ "retriable_request_headers", SS_CFG_LIST, RETRY(request_headers.v), RETRY(request_headers.n),
	  .table = &ss_cfg_named_header },
	{ "non_idempotent", SS_CFG_BOOL, RETRY(non_idempotent), .def = "false" },
	{ "hedge_on_per_try_timeout", SS_CFG_BOOL, RETRY(hedge), .def = "false" },
	{ "body_limit", SS_CFG_SIZE, RETRY(body_max), .def = "64KiB", .max = 1 << 24 },
};
const struct ss_cfg_table ss_cfg_retry = { .what = "group", .check = check_retry, SS_CFG_KEYS(retry_keys) };
