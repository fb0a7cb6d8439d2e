/*
 * ctl_apply.h - what another configuration changes, what became of it, and which there were.
 *
 * Takes:   the answer's tree.
 * Gives:   lines on standard output.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_APPLY_H
#define SS_CTL_APPLY_H

#include "tools/ctl/ctl_json.h"

void ctl_show_diff(const struct ctl_json *v);
void ctl_show_install(const struct ctl_json *v);
void ctl_show_history(const struct ctl_json *v);

#endif
