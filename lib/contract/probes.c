#include "contract/probes.h"

const char *ss_health_why_text(uint32_t why)
{
	static const char *const words[] = {
#define SS_HEALTH_WHY_X(name, text) text,
		SS_HEALTH_WHY_LIST(SS_HEALTH_WHY_X)
#undef SS_HEALTH_WHY_X
	};

	return why < SS_ARRAY_LEN(words) ? words[why] : "";
}
