/*
 * node.h - the whole appliance on the control side: everything but the command line and the EAL.
 *
 * Takes:   a checked model and the file that it came from.
 * Gives:   a node that serves until it is told to end.
 * Owns:    workers, ports, configuration, the operator's socket, metrics and logs: all parts, made and ended
 *          in order.
 * Thread:  control. Every function blocks.
 * Errors:  a sentence at create; errors of the configuration are printed or logged, all of them.
 */
#ifndef SS_NODE_H
#define SS_NODE_H

#include "model/model.h"

#define SS_NODE_VERSION "0.1.0"

struct ss_node;

/* Takes m always, and admin_fd, the claim on the operator's socket (ss_admin_claim). The EAL must run. */
int ss_node_create(struct ss_node **out, const char *file, struct ss_model *m, int admin_fd, char *err, size_t err_n);
/* Serves until a signal or the operator ends it. 0; or SS_ERR_LIMIT when something was still held at the
 * end (it has been logged), SS_ERR_NO_MEM when it could not begin. */
int ss_node_serve(struct ss_node *n);
void ss_node_free(struct ss_node *n);

/* Reads and compiles, certificates and expressions included, and prints everything that is wrong to
 * standard error. show: and, when all is well, every key as it would be in force, as JSON. Starts nothing.
 * 0, SS_ERR_CONFIG, SS_ERR_NO_MEM. */
int ss_node_check(const char *file, bool show);

#endif
