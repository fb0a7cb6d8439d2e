#include "contract/counters.h"

#include "contract/lower.h"

static const struct {
	char name[SS_LOWER_MAX];
	char kind;
	const char *help;
} counters[] = {
#define SS_COUNTER_X(name, kind, help) { SS_LOWER(#name), #kind[0], help },
	SS_COUNTER_LIST(SS_COUNTER_X)
#undef SS_COUNTER_X
};

#define SS_COUNTER_X(name, kind, help) \
	_Static_assert(sizeof(#name) <= SS_LOWER_MAX, "counter name too long: " #name);
SS_COUNTER_LIST(SS_COUNTER_X)
#undef SS_COUNTER_X

const char *ss_counter_name(enum ss_counter k)
{
	return counters[k].name;
}

char ss_counter_kind(enum ss_counter k)
{
	return counters[k].kind;
}

const char *ss_counter_help(enum ss_counter k)
{
	return counters[k].help;
}
