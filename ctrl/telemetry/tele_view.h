/*
 * tele_view.h - who looks on while requests end: one after the other (a tap), or in tables over an interval (top).
 *
 * Takes:   what to look for; the records that tele.h's poll takes out of the workers' rings.
 * Gives:   lines of JSON, one per record or per table.
 * Owns:    its text: at most SS_TELE_VIEW_TEXT bytes that nobody has taken yet.
 * Thread:  control. Workers know nothing of it; with nobody looking, each record is one test more.
 * Errors:  what has no room, or comes faster than lines are written, is left out and counted: {"dropped": N} says so.
 */
#ifndef SS_TELE_VIEW_H
#define SS_TELE_VIEW_H

#include "telemetry/tele.h"

#define SS_TELE_VIEWS 8 /* at once */
#define SS_TELE_VIEW_TEXT (1u << 18)

enum ss_tele_view_kind {
	SS_TELE_TAP,
	SS_TELE_TOP_SERVICES,    /* by cluster */
	SS_TELE_TOP_ENDPOINTS,   /* by cluster and the endpoint's address */
	SS_TELE_TOP_CONNECTIONS, /* by listener and the client's address and port */
};

/* Texts are copied. NULL and 0: any. */
struct ss_tele_view_conf {
	enum ss_tele_view_kind kind;
	const char *authority, *path_prefix, *cluster, *route, *method;
	const char *identity;             /* "spiffe://mesh/ns/a/" and "*" behind: what begins so */
	uint16_t status_from, status_to;
	uint64_t min_ns;
	uint64_t max;                     /* lines, and it is over; not counted: {"dropped"} */
	uint64_t interval_ns;             /* of a table */
};

struct ss_tele_view;

/* SS_ERR_FULL: too many look; SS_ERR_NO_MEM. */
int ss_tele_view_open(struct ss_tele_view **out, struct ss_tele *t, const struct ss_tele_view_conf *conf);
void ss_tele_view_close(struct ss_tele_view *v);
/* Whole lines that wait, until the next poll; taken says that they need not any more. */
struct ss_span ss_tele_view_text(const struct ss_tele_view *v);
void ss_tele_view_taken(struct ss_tele_view *v);
/* No more lines will come. */
bool ss_tele_view_over(const struct ss_tele_view *v);

#endif
