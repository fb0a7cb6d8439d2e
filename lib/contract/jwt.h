/*
 * jwt.h - who issues tokens, with which keys, where they stand, and what becomes of them: compiled.
 *
 * Takes:   what ctrl/build/build_jwt.c made of jwt_providers and their key files.
 * Gives:   immutable providers to dataplane/jwt.
 * Owns:    nothing: the snapshot's memory and OpenSSL objects.
 * Thread:  immutable once published, but a key's contexts [worker] are that worker's alone.
 * Units:   seconds, as in tokens.
 */
#ifndef SS_JWT_CONTRACT_H
#define SS_JWT_CONTRACT_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/span.h"

/* RFC 7518 3.1, RFC 8037. "none" and the symmetric ones are not there: they cannot be asked for. */
#define SS_JWT_ALGS(X) \
	X(RS256) X(RS384) X(RS512) X(PS256) X(ES256) X(ES384) X(ES512) X(EdDSA)
enum ss_jwt_alg {
#define SS_JWT_X(name) SS_JWT_##name,
	SS_JWT_ALGS(SS_JWT_X)
#undef SS_JWT_X
	SS_JWT_ALG_COUNT
};

/* The most bytes of a token, and of what its payload decodes to. */
#define SS_JWT_MAX 4096u
#define SS_JWT_PAYLOAD_MAX 3072u

/* One key for one algorithm: an RSA key that names none stands here several times. */
struct ss_jwt_key {
	struct ss_span kid; /* empty: it has none */
	uint8_t alg;        /* enum ss_jwt_alg: no other is ever tried with it */
	/* By worker, made ready by control, so that no two share a reference count: EVP_MD_CTX *, with the digest (EdDSA: with
	 * the key); EVP_PKEY_CTX * to verify digests with (EdDSA: NULL). */
	void *md[SS_MAX_WORKERS + 1], *pkey[SS_MAX_WORKERS + 1]; /* the last one's neighbour: control's */
};

struct ss_jwt_claim {
	struct ss_span path;   /* names, each with its NUL */
	struct ss_span header; /* lower case */
};

struct ss_jwt_provider {
	uint32_t name; /* name id */
	struct ss_span issuer;
	uint16_t n_audiences, n_keys, n_claims;
	const struct ss_span *audiences; /* none: every audience */
	const struct ss_jwt_key *keys;
	const struct ss_jwt_claim *claims; /* written into headers that no client can write */
	struct ss_span header, prefix; /* where it stands: header lower case, before it the prefix */
	struct ss_span param;          /* and the query's parameter; empty: none */
	uint64_t skew_s;
	bool forward;  /* the token goes on to the endpoint */
	uint64_t hash; /* over all of this, keys included: what was verified with another is verified again */
};

enum ss_jwt_need {
	SS_JWT_NEED_LISTENER = 0, /* routes: as the listener says */
	SS_JWT_NEED_REQUIRED = 1,
	SS_JWT_NEED_ALLOW_MISSING = 2, /* none is well, a wrong one is not */
	SS_JWT_NEED_NONE = 3,
};

/* A listener's. */
struct ss_jwt_policy {
	uint8_t need; /* enum ss_jwt_need */
	uint16_t n_providers;
	const struct ss_jwt_provider *const *providers;
};

/* Time of day for workers, whose clock is monotonic: control adds this to it, some hundred times a second. */
struct ss_wall {
	_Atomic int64_t offset_ns;
};

#endif
