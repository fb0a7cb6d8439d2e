/*
 * cfg_int.h - the shape of the file as tables, and the one reader that walks them.
 *
 * A table describes a group: its keys, their types, units, defaults and bounds. The reader checks,
 * converts and stores; what a table cannot say is said by a `check` that runs after the group was
 * read. Groups are read in the order of the tables, not of the file: what is referred to comes first,
 * so that a reference is resolved, and refused with its line, where it is read.
 */
#ifndef SS_CFG_INT_H
#define SS_CFG_INT_H

#include <libconfig.h>

#include "cfg/cfg.h"

enum ss_cfg_profile { SS_CFG_PROFILE_DEFAULT, SS_CFG_PROFILE_ENVOY, SS_CFG_PROFILE_ISTIO, SS_CFG_PROFILES };
#define SS_CFG_PROFILE_MAX 64
#define SS_CFG_BEGUN_MAX 64

struct ss_cfg_key;
struct ss_cfg_table;

/* One load under way. */
struct ss_cfg {
	struct ss_model *m;
	struct ss_model_errors *errors;
	const char *dir;      /* of the file: "" or ends in "/" */
	bool no_memory;
	const char *file;     /* the last source file's name as libconfig holds it, and our copy */
	const char *file_copy;
	char why[256];        /* the reason a value was refused */
	/* An element of a list as its defaults leave it, by table: thousands of elements begin alike. */
	uint32_t n_begun;
	struct {
		const struct ss_cfg_table *table;
		const void *obj;
	} begun[SS_CFG_BEGUN_MAX];
	uint32_t n_profiled;  /* keys whose default is the profile's */
	struct {
		const struct ss_cfg_key *key;
		const char *def;
	} profiled[SS_CFG_PROFILE_MAX];
};

enum ss_cfg_type {
	SS_CFG_BOOL,
	SS_CFG_U16,
	SS_CFG_U32,
	SS_CFG_HUNDREDTHS, /* 12.5 -> 1250, uint32_t */
	SS_CFG_DURATION,   /* "250ms" -> ns, uint64_t */
	SS_CFG_SIZE,       /* "64KiB" -> bytes, uint32_t */
	SS_CFG_TEXT,       /* char * */
	SS_CFG_FILE,       /* char *: relative to the configuration file; "-" stays */
	SS_CFG_WORD,       /* one of `words` -> uint32_t, an enum, or a bool */
	SS_CFG_IP,         /* struct ss_ip */
	SS_CFG_REF,        /* char *: name that `find` must know */
	SS_CFG_METHODS,    /* list of method names -> uint16_t bits */
	SS_CFG_TEXTS,      /* list of texts -> char **, count at at_n */
	SS_CFG_REFS,       /* the same, each known to `find` */
	SS_CFG_TRUE,       /* only `true` makes sense; stores nothing */
	SS_CFG_GROUP,      /* `table` at `at`; at_n: offset of a bool that says it was there */
	SS_CFG_LIST,       /* list of `table` -> array at `at`, count at at_n */
	SS_CFG_OWN,        /* `read` does it */
};

struct ss_cfg_word {
	const char *word; /* NULL ends the list */
	uint32_t value;
};

struct ss_cfg_table;
struct ss_cfg_key {
	const char *name;
	enum ss_cfg_type type;
	uint32_t at, at_n; /* offsets in the group's object */
	bool required;
	const char *def;   /* default, as the file would say it; NULL: none */
	uint64_t min, max; /* when max is not 0 */
	const struct ss_cfg_word *words;
	const struct ss_cfg_table *table;
	const char *what;  /* SS_CFG_REF: what is referred to; SS_CFG_OWN: the type's name */
	uint32_t (*find)(const struct ss_model *m, const char *name);
	void (*read)(struct ss_cfg *c, config_setting_t *s, void *obj);
	/* SS_CFG_OWN with a default: stores it; NULL, or why not. */
	const char *(*value)(struct ss_cfg *c, const char *text, void *dest);
	/* Instead of the type's way. */
	void (*show)(struct ss_json *j, const struct ss_cfg_key *k, const void *obj);
	uint32_t bytes; /* SS_CFG_OWN: size of the value, for comparison; SS_CFG_WORD: 1 when it is a bool */
};

struct ss_cfg_table {
	const char *what;       /* "listener" */
	uint32_t size;          /* of a list's element */
	bool src;               /* the object begins with struct ss_model_src */
	bool named;             /* and then char *name, unique in its list */
	const char *shorthand;  /* an element that is a text means this key */
	void (*check)(struct ss_cfg *c, config_setting_t *g, void *obj);
	uint32_t n_keys;
	const struct ss_cfg_key *keys;
};

#define SS_CFG_KEYS(k) .n_keys = SS_ARRAY_LEN(k), .keys = (k)

/* cfg_table.c: reads group g into obj (zeroed by the caller), defaults first. */
void ss_cfg_group(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t, void *obj);
/* Adds an error at the setting's file and line; key, when given, is a key inside the group s. */
void ss_cfg_error(struct ss_cfg *c, const config_setting_t *s, const char *key, const char *fmt, ...)
	SS_PRINTF(4, 5);
void ss_cfg_src(struct ss_cfg *c, const config_setting_t *s, struct ss_model_src *out);
/* Zeroed, the model's; NULL sets no_memory. */
void *ss_cfg_alloc(struct ss_cfg *c, size_t n);
char *ss_cfg_text(struct ss_cfg *c, const char *text);
/* The member of that name, n bytes long, or NULL; g need not be a group. */
config_setting_t *ss_cfg_member(config_setting_t *g, const char *name, size_t n);
/* How many of the keys (a NULL-ended list) does group g have? */
uint32_t ss_cfg_count(config_setting_t *g, const char *const *keys);
/* A list or array of texts, or NULL with an error; *n its length. */
char **ss_cfg_texts(struct ss_cfg *c, config_setting_t *s, uint32_t *n);

/* cfg_load.c: the model's hash, of what the file says. */
void ss_cfg_digest(const config_t *file, char hash[17]);

/* cfg_value.c: converts text to the key's type at dest. NULL, or why it is refused (valid until the next
 * call). */
const char *ss_cfg_value(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, void *dest);
/* Bit of a method name, 0 for none; and the name of a bit. */
uint16_t ss_cfg_method(const char *name);
const char *ss_cfg_method_name(uint16_t bit);
/* A duration or size as the file would say it. */
char *ss_cfg_unit_text(enum ss_cfg_type type, uint64_t v, char *buf, size_t n);

/* cfg_view.c: writes the key of a group's object, where it has something to say. */
void ss_cfg_show_one(struct ss_json *j, const struct ss_cfg_key *k, const char *obj);

/* cfg_alias.c: renames what people know from elsewhere, in the whole file. */
void ss_cfg_take_aliases(struct ss_cfg *c, config_setting_t *root);
/* cfg_alias.c: the key at a path as of ss_cfg_keys; NULL when there is none. */
const struct ss_cfg_key *ss_cfg_at(const char *path);
/* cfg_profile.c */
extern const struct ss_cfg_word ss_cfg_profile_words[];
void ss_cfg_set_profile(struct ss_cfg *c, uint32_t profile);
const char *ss_cfg_default(const struct ss_cfg *c, const struct ss_cfg_key *k);

/* The tables, by the file they are in. */
extern const struct ss_cfg_table ss_cfg_root;                                   /* cfg_load.c */
extern const struct ss_cfg_table ss_cfg_overload, ss_cfg_workers, ss_cfg_memory, ss_cfg_tcp; /* cfg_process.c */
extern const struct ss_cfg_table ss_cfg_tls, ss_cfg_port;
extern const struct ss_cfg_table ss_cfg_admin, ss_cfg_metrics, ss_cfg_access_log;
extern const struct ss_cfg_table ss_cfg_secret, ss_cfg_trust, ss_cfg_id, ss_cfg_rule_id; /* cfg_tls.c */
extern const struct ss_cfg_table ss_cfg_listener_tls, ss_cfg_cluster_tls;
extern const struct ss_cfg_table ss_cfg_http, ss_cfg_listener;                   /* cfg_listener.c */
extern const struct ss_cfg_table ss_cfg_authz, ss_cfg_policy, ss_cfg_authz_root; /* cfg_authz.c */
extern const struct ss_cfg_table ss_cfg_ext_authz;                               /* cfg_ext_authz.c */
extern const struct ss_cfg_table ss_cfg_jwt_provider, ss_cfg_jwt;                /* cfg_jwt.c */
extern const struct ss_cfg_word ss_cfg_token_words[];                            /* cfg_jwt.c: routes */
extern const struct ss_cfg_table ss_cfg_audit_log;                               /* cfg_authz.c */
extern const struct ss_cfg_table ss_cfg_cluster, ss_cfg_endpoint_file;          /* cfg_cluster.c */
extern const struct ss_cfg_table ss_cfg_discovery;                              /* cfg_discovery.c */
extern const struct ss_cfg_table ss_cfg_balance, ss_cfg_hash, ss_cfg_locality;  /* cfg_lb.c */
extern const struct ss_cfg_word ss_cfg_policies[];
void ss_cfg_labels(struct ss_cfg *c, config_setting_t *s, struct ss_model_labels *l);
void ss_cfg_show_labels(struct ss_json *j, const char *key, const struct ss_model_labels *l);
extern const struct ss_cfg_table ss_cfg_match, ss_cfg_named_header;             /* cfg_match.c */
extern const struct ss_cfg_table ss_cfg_high_priority, ss_cfg_retry_budget, ss_cfg_breaker; /* cfg_breaker.c */
extern const struct ss_cfg_table ss_cfg_health, ss_cfg_health_log;              /* cfg_health.c */
extern const struct ss_cfg_table ss_cfg_retry;                                  /* cfg_retry.c */
extern const struct ss_cfg_table ss_cfg_host;                                   /* cfg_route.c */
extern const struct ss_cfg_table ss_cfg_fault;                                  /* cfg_faults.c */
extern const struct ss_cfg_table ss_cfg_mirror;                                 /* cfg_mirrors.c */
extern const struct ss_cfg_table ss_cfg_canary;                                 /* cfg_canary.c */
/* After the route: is its canary one of its two clusters? */
void ss_cfg_check_canary(struct ss_cfg *c, config_setting_t *g, const struct ss_model_route *r);
extern const struct ss_cfg_table ss_cfg_limit;                                  /* cfg_limits.c */

extern const struct ss_cfg_table ss_cfg_redirect, ss_cfg_rewrite;                /* cfg_rewrite.c */
extern const struct ss_cfg_table ss_cfg_cors, ss_cfg_maintenance, ss_cfg_sticky; /* cfg_cors.c */

/* cfg_match.c: RFC 9110 5.6.2 */
bool ss_cfg_is_token(const char *s);
/* cfg_match.c: reports a name that no header can have. */
void ss_cfg_header_name(struct ss_cfg *c, config_setting_t *g, const char *name);
/* cfg_route.c: "a.example", "*.example" or "*"? */
bool ss_cfg_is_domain(const char *s);

#endif
