/*
 * engine.h - the engine that the configuration names for key operations: loaded, told, polled, turned off.
 *
 * Takes:   an engine's id, commands for it.
 * Gives:   what executors of handshakes use (contract/offload.h).
 * Owns:    the engine's references, until close.
 * Thread:  control; what the offload's calls do may run on any executor.
 * Errors:  SS_ERR_CONFIG with a sentence that names the engine; SS_ERR_NO_MEM.
 *
 * It becomes the default for RSA, EC and PKEY alone, never for ciphers, digests or random numbers, before any key
 * is loaded. Turned off, it stays off until the process starts again: keys that were loaded with it may still use
 * it, so the configuration must be built anew.
 */
#ifndef SS_ENGINE_H
#define SS_ENGINE_H

#include <stddef.h>

#include "contract/offload.h"

struct ss_engine;

struct ss_engine_conf {
	const char *id;
	const char *path;            /* its shared object; NULL: where OpenSSL looks (OPENSSL_ENGINES) */
	uint32_t n_commands;
	char *const *commands;       /* "NAME" or "NAME=VALUE", in order, after the usual ones */
	uint32_t jobs;               /* operations that one thread may have in flight */
};

int ss_engine_open(struct ss_engine **out, const struct ss_engine_conf *conf, char *err, size_t err_n);
/* After all that was loaded with it. NULL is allowed. */
void ss_engine_close(struct ss_engine *e);
/* NULL for no engine. */
struct ss_offload *ss_engine_offload(struct ss_engine *e);
/* Every few milliseconds, with the time. True: it was turned off just now. */
bool ss_engine_watch(struct ss_engine *e, uint64_t now);

#endif
