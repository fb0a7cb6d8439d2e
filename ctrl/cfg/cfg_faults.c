/* Faults of a route. */
#include "cfg/cfg_int.h"

#define FAULT(field) offsetof(struct ss_model_fault, field)

/* A group's table says offsets in the whole fault; what it cannot say is said here. */
static void one_of(struct ss_cfg *c, config_setting_t *g, const char *const *keys, const char *list)
{
	if (ss_cfg_count(g, keys) != 1)
		ss_cfg_error(c, g, NULL, "needs one of %s", list);
}

static void check_delay(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const kinds[] = { "fixed", "exponential", "header", NULL };
	one_of(c, g, kinds, "fixed, exponential, header");
}

static void check_abort(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const kinds[] = { "status", "grpc_status", "header", NULL };
	one_of(c, g, kinds, "status, grpc_status, header");
}

static void read_by_header(struct ss_cfg *c, config_setting_t *s, bool *out)
{
	if (config_setting_type(s) != CONFIG_TYPE_BOOL || !config_setting_get_bool(s))
		ss_cfg_error(c, s, NULL, "only true makes sense here");
	*out = true;
}

static void read_delay_header(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_fault *f = obj;
	read_by_header(c, s, &f->delay.by_header);
}

static void read_abort_header(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_fault *f = obj;
	read_by_header(c, s, &f->abort.by_header);
}

static void show_delay_header(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_fault *f = obj;
	if (f->delay.by_header)
		ss_json_bool(j, k->name, true);
}

static void show_abort_header(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_fault *f = obj;
	if (f->abort.by_header)
		ss_json_bool(j, k->name, true);
}

static void show_duration(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	char buf[40];
	uint64_t ns = *(const uint64_t *)(const void *)((const char *)obj + k->at);
	if (ns)
		ss_json_text(j, k->name, ss_cfg_unit_text(SS_CFG_DURATION, ns, buf, sizeof(buf)));
}

static void show_status(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_fault *f = obj;
	if (f->abort.status)
		ss_json_u64(j, k->name, f->abort.status);
}

static void read_grpc_status(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_fault *f = obj;
	int type = config_setting_type(s);
	long long v = config_setting_get_int64(s);
	bool number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	if (!number || v < 1 || v > 16)
		ss_cfg_error(c, s, NULL, "must be a status of gRPC, 1 to 16");
	f->abort.grpc_status = (uint32_t)v;
}

static void show_grpc_status(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_fault *f = obj;
	if (f->abort.grpc_status)
		ss_json_u64(j, k->name, f->abort.grpc_status);
}

#define MOST (600 * SS_NS_PER_SEC)
static const struct ss_cfg_key delay_keys[] = {
	{ "percent", SS_CFG_HUNDREDTHS, FAULT(delay.share), .required = true, .max = SS_FAULT_SHARE_SUM },
	{ "fixed", SS_CFG_DURATION, FAULT(delay.fixed_ns), .min = SS_NS_PER_MS, .max = MOST, .show = show_duration },
	{ "exponential", SS_CFG_DURATION, FAULT(delay.mean_ns), .min = SS_NS_PER_MS, .max = MOST,
	  .show = show_duration },
	{ "header", SS_CFG_OWN, .what = "true", .read = read_delay_header, .show = show_delay_header },
	{ "max", SS_CFG_DURATION, FAULT(delay.max_ns), .def = "10s", .min = SS_NS_PER_MS, .max = MOST },
};
static const struct ss_cfg_table delay = { .what = "group", .check = check_delay, SS_CFG_KEYS(delay_keys) };

static const struct ss_cfg_key abort_keys[] = {
	{ "percent", SS_CFG_HUNDREDTHS, FAULT(abort.share), .required = true, .max = SS_FAULT_SHARE_SUM },
	{ "status", SS_CFG_U32, FAULT(abort.status), .min = 200, .max = 599, .show = show_status },
	{ "grpc_status", SS_CFG_OWN, .what = "number", .read = read_grpc_status, .show = show_grpc_status },
	{ "header", SS_CFG_OWN, .what = "true", .read = read_abort_header, .show = show_abort_header },
};
static const struct ss_cfg_table abort_table = { .what = "group", .check = check_abort, SS_CFG_KEYS(abort_keys) };

static void check_fault(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_fault *f = obj;
	if (!f->delay.present && !f->abort.present)
		ss_cfg_error(c, g, NULL, "needs delay or abort");
}

static const struct ss_cfg_key fault_keys[] = {
	{ "delay", SS_CFG_GROUP, 0, FAULT(delay.present), .table = &delay },
	{ "abort", SS_CFG_GROUP, 0, FAULT(abort.present), .table = &abort_table },
	{ "headers", SS_CFG_LIST, FAULT(headers.v), FAULT(headers.n), .table = &ss_cfg_named_header },
	{ "max_active", SS_CFG_U32, FAULT(max_active), .def = "0" },
};
const struct ss_cfg_table ss_cfg_fault = { .what = "group", .src = true, .check = check_fault,
					   SS_CFG_KEYS(fault_keys) };
