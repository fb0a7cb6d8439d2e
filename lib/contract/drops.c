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
