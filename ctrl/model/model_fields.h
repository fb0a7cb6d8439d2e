/* model_fields.h - a match of a header, a parameter or a cookie, as the operator wrote it (contract/fields.h). */
#ifndef SS_MODEL_FIELDS_H
#define SS_MODEL_FIELDS_H

#include "contract/fields.h"

struct ss_model_header_match {
	char *name, *value;
	enum ss_header_match kind;
	bool invert;
	int64_t start, end; /* SS_HM_RANGE */
};

/* Headers alone. */
struct ss_model_field_set {
	uint32_t n;
	struct ss_model_header_match *v;
};

#endif
