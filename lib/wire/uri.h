/*
 * uri.h - request targets: their form, their authority, their path in one spelling (RFC 3986, 9110 4).
 *
 * Takes:   bytes of a request target, :path or :authority.
 * Gives:   spans into them, or a normalised copy in the caller's memory; or a refusal.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  SS_ERR_BAD_STREAM: not valid. SS_ERR_LIMIT: out has no room.
 */
#ifndef SS_URI_H
#define SS_URI_H

#include "base/span.h"

/* How a path is normalised besides what is always done. */
#define SS_URI_MERGE_SLASHES 0x1         /* "//" becomes "/" */
#define SS_URI_ESCAPED_SLASH_REFUSE 0x2  /* %2F, %5C are refused; else they are kept as they are */
#define SS_URI_ESCAPED_SLASH_DECODE 0x4  /* %2F, %5C become "/" before dot segments are removed */

enum ss_uri_form {
	SS_URI_ORIGIN,    /* /path?query */
	SS_URI_ABSOLUTE,  /* http://host/path */
	SS_URI_AUTHORITY, /* host:port, CONNECT only */
	SS_URI_ASTERISK,  /* *, OPTIONS only */
};

struct ss_uri {
	enum ss_uri_form form;
	struct ss_span scheme;    /* absolute form only, else empty */
	struct ss_span authority; /* absolute and authority forms */
	struct ss_span path; /* with query; "/" for an absolute form without path, "*" for the asterisk */
};

/* Takes a request line's target apart and checks every byte. method chooses CONNECT's and OPTIONS' forms. */
int ss_uri_target(struct ss_span target, struct ss_span method, struct ss_uri *u);
/* host[:port], IPv6 in brackets, no userinfo. host is without brackets; port 0 when absent. */
int ss_uri_authority(struct ss_span a, struct ss_span *host, uint16_t *port);
/*
 * A path (and query) in its normal spelling: escapes of unreserved bytes decoded, other escapes in
 * upper case, dot segments removed (also when escaped), the query checked but untouched. "*" stays.
 * NUL and control bytes, plain or escaped, raw non-ASCII bytes, a bad escape, "#", and a path that
 * climbs over the root are refused. *norm is path itself when nothing had to change, else bytes in out.
 */
int ss_uri_path(struct ss_span path, uint32_t flags, struct ss_out *out, struct ss_span *norm);

#endif
