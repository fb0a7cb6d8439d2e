/*
 * redirect.h - compiled redirects, and what becomes of a path and a host on their way upstream.
 *
 * Takes:   what ctrl/build/build_rewrite.c compiled.
 * Gives:   immutable parts.
 * Owns:    nothing: the snapshot's memory, PCRE2's code.
 * Thread:  immutable once published, but what match[i] points to is written by worker i.
 */
#ifndef SS_REDIRECT_H
#define SS_REDIRECT_H

#include "base/base.h"
#include "base/span.h"

enum ss_new_path {
	SS_PATH_KEPT = 0,
	SS_PATH_FULL = 1,        /* all of it; the query stays */
	SS_PATH_PREFIX_NEW = 2,  /* what the route's match took */
	SS_PATH_REGEX_NEW = 3,   /* every part that an expression matches */
};

/* A piece of a substitution: text, or what group n matched (0: all). */
struct ss_subst {
	struct ss_span text;
	int8_t group; /* -1: text */
};

/* PCRE2 code, bounded by match and depth limits of its own; one block of match data for each worker. */
struct ss_rewrite_regex {
	const void *code;        /* pcre2_code */
	void *const *match;      /* pcre2_match_data * by worker */
	const void *bounds;      /* pcre2_match_context */
	uint16_t n_parts;
	const struct ss_subst *parts;
};

struct ss_rewrite {
	uint8_t kind; /* enum ss_new_path */
	struct ss_span path;
	const struct ss_rewrite_regex *regex; /* SS_PATH_REGEX_NEW */
	struct ss_span host;        /* n 0: kept */
	struct ss_span host_header; /* lower case: the host is this header's value, where there is one */
	bool auto_host;             /* the host is the name of the endpoint that is picked, where it has one */
};

struct ss_redirect {
	uint16_t status;
	uint16_t port;  /* 0: what was asked, or none when the scheme changes */
	uint8_t kind;   /* enum ss_new_path */
	bool strip_query;
	struct ss_span scheme, host, path; /* scheme, host n 0: as asked */
	const struct ss_rewrite_regex *regex; /* SS_PATH_REGEX_NEW */
};

#endif
