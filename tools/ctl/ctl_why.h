/*
 * ctl_why.h - "why" for people: the request's way through the configuration, one line for each thing that took part.
 *
 * Takes:   the answer's tree.
 * Gives:   lines on standard output.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_WHY_H
#define SS_CTL_WHY_H

#include "tools/ctl/ctl_json.h"

void ctl_show_why(const struct ctl_json *v);

#endif
