/*
 * ctl_stages.h - the stage ledger of an interval: shares, time per request and per packet.
 *
 * Takes:   two answers to "stages", or the later one alone: then everything since the start.
 * Gives:   a table for people, or one JSON object (docs/stages.md has its shape).
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_STAGES_H
#define SS_CTL_STAGES_H

#include <stdio.h>

#include "tools/ctl/ctl_json.h"

void ctl_stages_table(const struct ctl_json *before, const struct ctl_json *after, FILE *out);
void ctl_stages_json(const struct ctl_json *before, const struct ctl_json *after, FILE *out);

#endif
