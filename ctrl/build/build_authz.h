/*
 * build_authz.h - how the files that compile authorization divide the work: build_authz.c makes rules,
 * build_authz_index.c what finds them (lib/contract/authz.h).
 */
#ifndef SS_BUILD_AUTHZ_H
#define SS_BUILD_AUTHZ_H

#include "build/build_int.h"

/* Fewer rules than this are looked at one by one. */
#define SS_BUILD_AUTHZ_FEW 8u

int ss_build_authz_index(struct ss_build_job *j, struct ss_authz *a);

#endif
