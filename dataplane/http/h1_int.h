/*
 * h1_int.h - the private parts of an HTTP/1.1 connection and stream.
 */
#ifndef SS_H1_INT_H
#define SS_H1_INT_H

#include "base/base.h"

struct ss_h1_conn {
	uint8_t unused;
};

struct ss_h1_stream {
	uint8_t unused;
};

#endif
