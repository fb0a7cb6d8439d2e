/*
 * err.h - the one error enum, its classes and its names.
 *
 * Takes:   nothing.
 * Gives:   negative numbers whose class says who has to act.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  0 or more is success everywhere; what is below is an enum ss_err.
 *
 * A caller switches on the class (ss_err_class), not on the code: the class tells
 * what ends - nothing, a packet, a stream, a connection, a configuration, the program.
 */
#ifndef SS_ERR_H
#define SS_ERR_H

#define SS_ERR_CLASS_SIZE 100

enum ss_err_class {
	SS_CLASS_OK = 0,
	SS_CLASS_MORE = 1,   /* not an error: more bytes, or a later turn, are needed */
	SS_CLASS_PACKET = 2, /* drop this packet, keep the connection */
	SS_CLASS_STREAM = 3, /* end this stream, keep its connection */
	SS_CLASS_CONN = 4,   /* end this connection */
	SS_CLASS_CONFIG = 5, /* refuse this configuration, keep the running one */
	SS_CLASS_FATAL = 6,  /* stop the program */
};

/* X(name, class, text): the text is for people and is part of logs and tools. */
#define SS_ERR_LIST(X)                                                   \
	X(SS_ERR_MORE, SS_CLASS_MORE, "more bytes needed")               \
	X(SS_ERR_WAIT, SS_CLASS_MORE, "answer comes later as news")      \
	X(SS_ERR_FULL, SS_CLASS_MORE, "no room now")                     \
	X(SS_ERR_BAD_PACKET, SS_CLASS_PACKET, "malformed packet")        \
	X(SS_ERR_BAD_CSUM, SS_CLASS_PACKET, "wrong checksum")            \
	X(SS_ERR_NOT_FOUND, SS_CLASS_STREAM, "not found")                \
	X(SS_ERR_NO_MEM, SS_CLASS_STREAM, "pool exhausted")              \
	X(SS_ERR_LIMIT, SS_CLASS_STREAM, "limit exceeded")               \
	X(SS_ERR_BAD_STREAM, SS_CLASS_STREAM, "stream protocol error")   \
	X(SS_ERR_TIMEOUT, SS_CLASS_STREAM, "timed out")                  \
	X(SS_ERR_REFUSED, SS_CLASS_STREAM, "refused")                    \
	X(SS_ERR_BAD_CONN, SS_CLASS_CONN, "connection protocol error")   \
	X(SS_ERR_BAD_HPACK, SS_CLASS_CONN, "header compression error")   \
	X(SS_ERR_BAD_TLS, SS_CLASS_CONN, "TLS error")                    \
	X(SS_ERR_CLOSED, SS_CLASS_CONN, "connection is closed")          \
	X(SS_ERR_CONFIG, SS_CLASS_CONFIG, "configuration refused")       \
	X(SS_ERR_FATAL, SS_CLASS_FATAL, "cannot go on")

/* Position in the list; gives each code a number that is unique within its class. */
enum ss_err_index {
#define SS_ERR_X(name, class, text) name##_INDEX,
	SS_ERR_LIST(SS_ERR_X)
#undef SS_ERR_X
};

enum ss_err {
#define SS_ERR_X(name, class, text) name = -((class) * SS_ERR_CLASS_SIZE + name##_INDEX),
	SS_ERR_LIST(SS_ERR_X)
#undef SS_ERR_X
};

static inline enum ss_err_class ss_err_class(int err)
{
	return err >= 0 ? SS_CLASS_OK : (enum ss_err_class)(-err / SS_ERR_CLASS_SIZE);
}

/* The text of a code; "unknown error" for a number that is none. */
const char *ss_err_text(int err);

#endif
