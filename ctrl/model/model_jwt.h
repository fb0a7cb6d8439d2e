/*
 * model_jwt.h - desired verification of tokens; part of model.h, which includes it.
 */
#ifndef SS_MODEL_JWT_H
#define SS_MODEL_JWT_H

struct ss_model_claim {
	char *claim, *header;
};

struct ss_model_jwt_provider {
	struct ss_model_src src;
	char *name, *issuer, *jwks;
	uint32_t n_audiences;
	char **audiences;
	char *header, *prefix, *param;
	uint64_t skew_ns;
	bool forward;
	uint32_t n_claims;
	struct ss_model_claim *claims;
};

struct ss_model_jwt {
	struct ss_model_src src;
	bool present;
	enum ss_jwt_need need;
	uint32_t n_providers;
	char **providers; /* names */
};

#endif
