/*
 * names.h - names of listeners, hosts, routes, clusters and endpoints as small numbers.
 *
 * Takes:   names from control, when it builds a snapshot.
 * Gives:   ids that stay valid for the life of the process, so that an exchange or a log record
 *          can name its route long after the snapshot is gone.
 * Owns:    the strings.
 * Thread:  intern: control only. Workers carry ids and never resolve them.
 * Errors:  id 0 is "-", and also what a full table answers.
 */
#ifndef SS_NAMES_H
#define SS_NAMES_H

#include "base/base.h"

struct ss_names;

struct ss_names *ss_names_create(uint32_t capacity);
void ss_names_free(struct ss_names *t);
uint32_t ss_names_intern(struct ss_names *t, const char *name);
/* Borrowed for ever; "-" for an unknown id. */
const char *ss_names_text(const struct ss_names *t, uint32_t id);

#endif
