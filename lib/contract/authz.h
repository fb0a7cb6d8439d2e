/*
 * authz.h - compiled authorization: who may do what, in Istio's order.
 *
 * Takes:   what ctrl/build/build_authz.c compiled.
 * Gives:   immutable rules, and an index that finds the few whose identity or path can fit.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 *
 * A rule holds when it is about the method and all its parts hold (AND); a part holds when one of its values or expressions fits (OR), or,
 * inverted ("not_"), when none does. A rule of the file with several `from` or `to` becomes one rule here for each pair.
 * Rules stand sorted by class, then as in the file, so that the lowest index that holds is the first.
 */
#ifndef SS_AUTHZ_H
#define SS_AUTHZ_H

#include "base/addr.h"
#include "base/base.h"
#include "base/span.h"
#include "contract/tlsconf.h"

enum ss_authz_action { SS_AUTHZ_ALLOW = 0, SS_AUTHZ_DENY = 1, SS_AUTHZ_AUDIT = 2, SS_AUTHZ_CUSTOM = 3 };

/* Order of decision: deny, allow; then what is only watched. Custom ones come first of all, but stand last, where
 * policies without them need not look. */
enum ss_authz_class {
	SS_AUTHZ_C_DENY = 0, SS_AUTHZ_C_ALLOW, SS_AUTHZ_C_DRY_DENY, SS_AUTHZ_C_DRY_ALLOW, SS_AUTHZ_C_AUDIT,
	SS_AUTHZ_C_CUSTOM, SS_AUTHZ_C_DRY_CUSTOM,
	SS_AUTHZ_CLASSES,
};

enum ss_authz_kind {
	SS_AUTHZ_ID,        /* ids */
	SS_AUTHZ_NAMESPACE, /* texts: x of spiffe://domain/ns/x/sa/y */
	SS_AUTHZ_TOKEN,     /* texts: "iss/sub" of the verified JWT */
	SS_AUTHZ_SOURCE_IP, /* nets: the connection's peer */
	SS_AUTHZ_REMOTE_IP, /* nets: the client, by x-forwarded-for as far as it is trusted */
	SS_AUTHZ_LOCAL_IP,  /* nets */
	SS_AUTHZ_PATH,      /* texts */
	SS_AUTHZ_HOST,      /* texts, lower case, without port */
	SS_AUTHZ_PORT,      /* ports: the listener's */
	SS_AUTHZ_SNI,       /* texts */
	SS_AUTHZ_HEADER,    /* texts, key: lower-case name */
	SS_AUTHZ_CLAIM,     /* texts, key: path of names, each followed by a NUL */
	/* What only the index knows. */
	SS_AUTHZ_DOMAIN,    /* the identity's trust domain */
	SS_AUTHZ_REGEX_HIT, /* an expression that matched, by its number */
	SS_AUTHZ_KINDS,
};

enum ss_authz_fit {
	SS_AUTHZ_EXACT = 0, SS_AUTHZ_PREFIX, SS_AUTHZ_SUFFIX,
	SS_AUTHZ_PRESENT, /* there, and not empty */
	SS_AUTHZ_UNDER,   /* paths: "/a" and "/a/" take "/a", "/a/" and "/a/b", never "/ab" */
	SS_AUTHZ_REGEX,   /* the whole value matches; an expression of its part, never among its texts */
	SS_AUTHZ_TEMPLATE, /* the same, written as a path with "{*}" and "{**}" */
};

struct ss_authz_text {
	uint8_t fit; /* enum ss_authz_fit */
	struct ss_span value;
};

struct ss_authz_net {
	struct ss_ip ip;
	uint8_t bits;
};

struct ss_authz_part {
	uint8_t kind; /* enum ss_authz_kind */
	bool invert;
	uint8_t subject;   /* of its expressions, in struct ss_authz_regex */
	uint16_t n, n_regex;
	const uint32_t *regex; /* numbers of expressions */
	struct ss_span key;
	union {
		const struct ss_authz_text *texts;
		const struct ss_id_match *ids;
		const struct ss_authz_net *nets;
		const uint16_t *ports;
	};
};

struct ss_ext_authz;
struct ss_authz_rule {
	uint32_t name;   /* name id */
	uint32_t slot;   /* in struct ss_policies */
	uint8_t action;  /* enum ss_authz_action */
	uint8_t class;   /* enum ss_authz_class */
	bool dry_run;
	uint16_t not_methods; /* ss_method_bit set: it is about all others */
	uint16_t n_parts;
	const struct ss_authz_part *parts;
	const struct ss_ext_authz *provider; /* of a custom rule (contract/ext_authz.h); else NULL */
};

struct hs_database;
struct ss_route_scratch;

/* All expressions of a policy about one value: hyperscan databases of a few each, scanned when first asked for. */
struct ss_authz_subject {
	uint8_t kind; /* enum ss_authz_kind: one whose values are texts, or SS_AUTHZ_ID */
	struct ss_span key;
	uint32_t n_dbs;
	const struct hs_database **dbs;
};

#define SS_AUTHZ_SUBJECTS 64u /* of one policy: a bit each while a request is looked at */

struct ss_authz_regex {
	uint32_t n, n_subjects; /* expressions; subjects */
	const struct ss_authz_subject *subjects;
	const struct ss_route_scratch *scratch; /* by worker: contract/route_index.h */
};

/* Rules that share a value, a beginning or an end, or that something is there. n 0: an empty place in the table. */
struct ss_authz_slot {
	uint64_t hash;
	struct ss_span name, text; /* name: of a header or a claim */
	uint32_t first, n; /* in ss_authz_index.ids, ascending */
	uint8_t kind, fit; /* EXACT, PREFIX, SUFFIX, PRESENT */
};

/* Bit n: some text is n bytes long (networks: ss_authz_net_bit). */
struct ss_authz_lengths {
	uint32_t longest;
	const uint64_t *bits;
};

/*
 * Each rule stands under the values of the one part by which the fewest others are found, or in `rest`. A request looks
 * its identity, path, fields and so on up, and asks only the rules it finds whether they hold: the cost grows with
 * the rules that share a request's values, not with all. Only parts that say what must not be, and methods, cannot
 * be looked up.
 */
struct ss_authz_index {
	uint32_t mask;                /* places in slots, less one */
	uint8_t fits[SS_AUTHZ_KINDS]; /* bit: some rule stands under such a text of that kind */
	struct ss_authz_lengths prefixes[SS_AUTHZ_KINDS], suffixes[SS_AUTHZ_KINDS];
	uint64_t header_filter;       /* ss_route_name_bit of every name */
	uint64_t scan;                /* bit: a subject whose expressions rules stand under */
	uint32_t n_claims;
	const struct ss_span *claims; /* their paths */
	const struct ss_authz_slot *slots;
	const uint32_t *ids;          /* indexes of rules */
	uint32_t rest_first, rest_n;  /* rules that only a look at each finds, in ids */
};

struct ss_authz {
	bool default_deny; /* what happens where no allow rule stands */
	bool inherit;      /* the policy of the scope around this one counts, too */
	bool any_allow, any_dry_allow, any_custom;
	uint32_t n_rules;
	const struct ss_authz_rule *rules;
	const struct ss_authz_index *index; /* NULL: few rules, look at each */
	const struct ss_authz_regex *regex; /* NULL: no expressions */
};

/* An authorizer that a request has been through. */
struct ss_authz_passed {
	uint32_t provider; /* name id */
	bool dry_run;      /* for a rule that is only tried */
};

#define SS_AUTHZ_HASH_START 0xcbf29ce484222325ull

/* One byte more (FNV-1a); the tables' content is the operator's alone. */
static inline uint64_t ss_authz_hash_byte(uint64_t h, uint8_t c)
{
	return (h ^ c) * 0x100000001b3ull;
}

/* What keeps equal texts of different things apart. */
static inline uint64_t ss_authz_seed(uint8_t kind, uint8_t fit, uint64_t name)
{
	return (name ^ (uint64_t)(kind << 3 | fit)) * 0x9e3779b97f4a7c15ull;
}

static inline uint64_t ss_authz_hash_end(uint64_t h, uint64_t seed)
{
	h ^= seed;
	return h ^ (h >> 29) ^ (h >> 47);
}

/* A whole text, eight bytes at a time. */
static inline uint64_t ss_authz_hash_text(struct ss_span s, uint64_t seed)
{
	uint64_t h = s.n * 0x9e3779b97f4a7c15ull, w;
	uint32_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	for (; i < s.n; i++)
		h = ss_authz_hash_byte(h, s.p[i]);
	return ss_authz_hash_end(h, seed);
}

/* Of a header's name or a claim's path; 0 for neither. */
static inline uint64_t ss_authz_hash_name(struct ss_span name)
{
	return name.n ? ss_authz_hash_text(name, 0) : 0;
}

/* A network is looked up by its bytes: its place among lengths. */
static inline uint32_t ss_authz_net_bit(uint8_t family, uint32_t bits)
{
	return bits + (family == 6 ? 64 : 0);
}
#define SS_AUTHZ_NET_BITS (64u + 128u)

/* The namespace of "spiffe://domain/ns/<x>/sa/<y>"; empty for any other form. Borrowed from id. */
struct ss_span ss_authz_namespace(struct ss_span id);

#endif
