/*
 * jwt_int.h - jwt.c finds and remembers, jwt_parse.c reads and judges, jwt_sign.c computes.
 */
#ifndef SS_JWT_INT_H
#define SS_JWT_INT_H

#include "jwt/token.h"

#define JWT_NODES 128u
#define JWT_SIGNATURE_MAX 1024u /* RSA of 8,192 bits */
#define JWT_PRINCIPAL_MAX 1024u

struct jwt_parts {
	struct ss_span signed_text; /* header "." payload, as they came */
	struct ss_span header, payload, signature;
};

/* A token that was verified, and what it says. */
struct jwt_entry {
	uint64_t provider; /* its hash; 0: empty place */
	uint64_t hash, used;
	uint64_t not_after, not_before; /* seconds, skew included */
	uint32_t n;
	uint16_t n_nodes;
	struct ss_claims claims;
	struct ss_jscan_node nodes[JWT_NODES];
	uint8_t principal[JWT_PRINCIPAL_MAX];
	uint8_t payload[SS_JWT_PAYLOAD_MAX];
	uint8_t token[SS_JWT_MAX];
};

/* jwt_parse.c: three parts of base64url. */
bool ss_jwt_split(struct ss_span token, struct jwt_parts *out);
/* The header's algorithm and key name (in buf). False: not ours. */
bool ss_jwt_header(struct ss_span text, uint8_t *buf, uint32_t room, enum ss_jwt_alg *alg,
		   struct ss_span *kid);
/* Decodes and scans the payload into the entry. */
bool ss_jwt_payload(struct ss_span text, struct jwt_entry *e);
/* Issuer, audience and dates; fills in the entry's bounds and principal. SS_DROP_NONE when they are right. */
enum ss_drop ss_jwt_judge(const struct ss_jwt_provider *p, struct jwt_entry *e, uint64_t now_s);
enum ss_drop ss_jwt_dates(const struct jwt_entry *e, uint64_t now_s);

/* jwt_sign.c: is it this key's signature? */
bool ss_jwt_signed(const struct ss_jwt_key *k, uint16_t worker, struct ss_span text,
		   struct ss_span signature);

#endif
