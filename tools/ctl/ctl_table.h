/*
 * ctl_table.h - answers as tables for people.
 *
 * Takes:   the answer's tree.
 * Gives:   lines on standard output.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_CTL_TABLE_H
#define SS_CTL_TABLE_H

#include "tools/ctl/ctl_json.h"

void ctl_show_status(const struct ctl_json *v);
void ctl_show_stats(const struct ctl_json *v);
void ctl_show_clusters(const struct ctl_json *v);
void ctl_show_endpoints(const struct ctl_json *v);
void ctl_show_pairs(const struct ctl_json *v);
void ctl_show_limits(const struct ctl_json *v);
void ctl_show_secrets(const struct ctl_json *v);
void ctl_show_config(const struct ctl_json *v);
void ctl_show_flows(const struct ctl_json *v);
void ctl_show_reload(const struct ctl_json *v);
void ctl_show_drain(const struct ctl_json *v);

#endif
