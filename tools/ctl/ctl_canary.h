/*
 * ctl_canary.h - "canary" for people: how each one stands, and the numbers that it stands on.
 *
 * Takes:   the answer's tree.
 * Gives:   lines on standard output.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_CANARY_H
#define SS_CTL_CANARY_H

#include "tools/ctl/ctl_json.h"

void ctl_show_canary(const struct ctl_json *v);

#endif
