#include "base/err.h"

const char *ss_err_text(int err)
{
	if (err >= 0)
		return "ok";
	switch (err) {
#define SS_ERR_X(name, class, text) \
	case name:                  \
		return text;
		SS_ERR_LIST(SS_ERR_X)
#undef SS_ERR_X
	default:
		return "unknown error";
	}
}
