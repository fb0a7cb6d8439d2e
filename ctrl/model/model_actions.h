/*
 * model_actions.h - what a route does besides forwarding, as the operator says it.
 *
 * Takes, gives, owns, thread, units: as model.h, which includes this.
 */
#ifndef SS_MODEL_ACTIONS_H
#define SS_MODEL_ACTIONS_H

#include "base/base.h"
#include "contract/redirect.h"

struct ss_model_redirect {
	bool present, strip_query;
	uint16_t status, port;
	char *scheme, *host;
	char *path, *prefix, *regex; /* at most one */
	char *substitution;          /* regex */
};

struct ss_model_rewrite {
	bool present;
	char *path, *prefix, *regex; /* at most one */
	char *substitution;          /* regex */
	char *host, *host_header;    /* at most one, or */
	bool auto_host;
};

enum ss_model_origin_kind { SS_MODEL_ORIGIN_EXACT, SS_MODEL_ORIGIN_PREFIX, SS_MODEL_ORIGIN_REGEX };
struct ss_model_origin {
	enum ss_model_origin_kind kind;
	char *text; /* exact: "*" is every origin */
};

struct ss_model_cors {
	bool present, credentials;
	uint32_t n_origins, n_methods, n_headers, n_expose;
	struct ss_model_origin *origins;
	char **methods, **headers, **expose;
	uint64_t max_age_ns;
};

struct ss_model_maintenance {
	bool present, enabled;
	char *body, *type;
	uint64_t retry_after_ns; /* 0: not said */
};

struct ss_model_sticky {
	bool present;
	char *cookie, *header; /* one of them */
	uint64_t ttl_ns;       /* of the cookie; 0: as long as the browser runs */
	char *path;
	uint32_t same_site; /* enum ss_model_same_site */
};
enum ss_model_same_site { SS_SAME_SITE_LAX, SS_SAME_SITE_STRICT, SS_SAME_SITE_NONE };

#endif
