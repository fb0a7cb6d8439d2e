/*
 * tlsconf.h - TLS policy of a listener or a cluster, ready for use by workers.
 *
 * Takes:   what ctrl/build made of secrets, trust bundles and policy.
 * Gives:   one SSL_CTX per executor (so that handshakes share no counters), identities to accept.
 * Owns:    nothing here: the snapshot owns the contexts and drops its references when it is freed;
 *          a live connection holds its own reference through its SSL.
 * Thread:  immutable once published; ctx[i] is used by executor i only: handshake thread i, or worker i where
 *          there are no such threads.
 */
#ifndef SS_TLSCONF_H
#define SS_TLSCONF_H

#include "base/base.h"
#include "base/span.h"
#include "contract/trust.h"

/* Who runs handshakes: the handshake threads, or the workers where there are none. */
#define SS_MAX_EXECUTORS SS_MAX_WORKERS

/* Who opens and seals records after a TLS 1.3 handshake. AUTO: libipsec-mb where the machine has what it takes,
 * else OpenSSL's EVP. OPENSSL: its own record layer, as for TLS 1.2. CRYPTODEV: a crypto device. */
enum ss_tls_records {
	SS_TLS_RECORDS_AUTO = 0,
	SS_TLS_RECORDS_IPSEC_MB = 1,
	SS_TLS_RECORDS_EVP = 2,
	SS_TLS_RECORDS_OPENSSL = 3,
	SS_TLS_RECORDS_CRYPTODEV = 4,
};

/* "auto", "ipsec-mb", "evp", "openssl", "cryptodev". */
const char *ss_tls_records_name(enum ss_tls_records r);

enum ss_tls_mode {
	SS_TLS_DISABLE = 0,    /* plaintext only */
	SS_TLS_PERMISSIVE = 1, /* the first byte decides: TLS or plaintext */
	SS_TLS_STRICT = 2,     /* TLS only */
};

enum ss_alpn {
	SS_ALPN_NONE = 0,
	SS_ALPN_H1 = 1, /* "http/1.1" */
	SS_ALPN_H2 = 2, /* "h2" */
};

enum ss_id_match_kind {
	SS_ID_EXACT = 0,  /* the whole URI or DNS name */
	/* The URI starts so, whole path segments only: "spiffe://mesh.local/ns/a" takes itself and
	 * "spiffe://mesh.local/ns/a/sa/b" but not "spiffe://mesh.local/ns/ab". */
	SS_ID_PREFIX = 1,
	SS_ID_DOMAIN = 2, /* any SPIFFE id of this trust domain ("mesh.local") */
	SS_ID_ANY = 3,    /* any verified identity */
	SS_ID_SUFFIX = 4, /* ends so */
	SS_ID_BEGINS = 5, /* begins so, in the middle of a segment, too */
	SS_ID_REGEX = 6,  /* matches an expression: of rules alone, which keep it elsewhere (contract/authz.h) */
};

struct ss_id_match {
	uint8_t kind; /* enum ss_id_match_kind */
	struct ss_span value;
};

/* A listener's side. */
struct ss_tls_server {
	uint8_t mode;             /* enum ss_tls_mode */
	bool client_certificate;  /* mutual TLS: a verified client certificate is required */
	void *ctx[SS_MAX_EXECUTORS]; /* SSL_CTX *; NULL when mode is disable */
	uint16_t n_ids;           /* 0: any identity that the trust bundle verifies */
	const struct ss_id_match *ids;
	const struct ss_trust *trust; /* NULL: the contexts' own store of authorities, and nothing is judged again */
	uint64_t handshake_timeout_ns;
};

/* A cluster's side. The server is always verified: against the bundle, and against ids or sni. */
struct ss_tls_client {
	void *ctx[SS_MAX_EXECUTORS]; /* SSL_CTX * */
	struct ss_span sni;        /* also the DNS name to verify when n_ids is 0; may be empty then not */
	uint16_t n_ids;
	const struct ss_id_match *ids;
	const struct ss_trust *trust; /* as above */
	uint32_t cluster;             /* name id: where this stands in the next generation; 0: nowhere */
	uint64_t handshake_timeout_ns;
	bool resume; /* tickets are kept, and used for the next connection to the same endpoint; wants a hash */
	/* Where an SSL_SESSION * to resume stands, or NULL; read when a handshake begins, which keeps its own
	 * reference. NULL: never. For a load generator. */
	void *const *session;
	/* Over all that decides whom we trust and who we are, PEM bytes included: connections outlive a
	 * reload when it is the same. 0: not known, they do not. */
	uint64_t hash;
};

/* Does one identity (a SPIFFE URI or a DNS name) satisfy one matcher? An empty identity satisfies none.
 * DNS names compare without regard to case (RFC 6125 6.4.1), SPIFFE ids byte for byte. */
bool ss_id_matches(const struct ss_id_match *m, struct ss_span id);
/* Is this a well-formed SPIFFE id ("spiffe://<trust domain>/<path>", SPIFFE-ID 2)? */
bool ss_id_is_spiffe(struct ss_span id);
/* What an exact match is looked up by: URIs as they are, DNS names in lower case. */
#define SS_ID_DNS_MAX 255u /* RFC 1035 2.3.4 */
/* Of a DNS name, in buf (SS_ID_DNS_MAX bytes); empty: it is none, or too long to be one. */
struct ss_span ss_id_dns_key(struct ss_span id, uint8_t *buf);
/* Will the value of a match be found so? */
bool ss_id_has_key(struct ss_span value);
/* The trust domain of something that starts as a SPIFFE id; empty when it does not. Borrowed from id. */
struct ss_span ss_id_trust_domain(struct ss_span id);

#endif
