/*
 * ctl_view.h - "top" and "tap" for people: a table each interval, a line for each request.
 *
 * Takes:   one line of the answer, as a tree.
 * Gives:   lines on standard output; on a terminal, a table in the place of the one before.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_VIEW_H
#define SS_CTL_VIEW_H

#include "tools/ctl/ctl_json.h"

/* By which column, and how many rows. */
struct ctl_view {
	const char *sort; /* "rate", "errors", "p99" or "name"; NULL: rate */
	uint32_t rows;    /* 0: as many as the terminal has, or all */
	bool clear;
};

bool ctl_view_sorts(const char *word);
void ctl_show_top(const struct ctl_json *v, const struct ctl_view *how);
void ctl_show_tap(const struct ctl_json *v, const struct ctl_view *how);

#endif
