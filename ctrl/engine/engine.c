/*
 * engine.c - OpenSSL's ENGINE API, here and nowhere else. It is deprecated since OpenSSL 3.0, and gone in 4.0: a
 * provider takes this file's place, behind the same door.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/async.h>
#include <openssl/engine.h>
#include <openssl/err.h>

#include "base/err.h"

#define HEARTBEAT_NS SS_NS_PER_SEC

struct ss_engine {
	struct ss_offload offload;
	ENGINE *e;
	bool ready;          /* a functional reference is held */
	int poll, heartbeat; /* numbers of its commands; 0: it has none */
	uint64_t beat_at;
};

/* begin has no argument that could carry it: one process has one engine. */
static size_t jobs_per_thread;

static int refuse(const struct ss_engine_conf *conf, char *err, size_t err_n, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	snprintf(err, err_n, "tls.engine \"%s\": %s (%s)", conf->id, what, why ? why : "no reason given");
	ERR_clear_error();
	return SS_ERR_CONFIG;
}

static ENGINE *load(const struct ss_engine_conf *conf)
{
	ENGINE *e;

	OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL);
	if (!conf->path)
		return ENGINE_by_id(conf->id);
	e = ENGINE_by_id("dynamic");
	if (e && ENGINE_ctrl_cmd_string(e, "SO_PATH", conf->path, 0) == 1 &&
	    ENGINE_ctrl_cmd_string(e, "ID", conf->id, 0) == 1 && ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0) == 1)
		return e;
	ENGINE_free(e);
	return NULL;
}

static int command_number(ENGINE *e, const char *name)
{
	int n = ENGINE_ctrl(e, ENGINE_CTRL_GET_CMD_FROM_NAME, 0, (void *)(uintptr_t)name, NULL);

	ERR_clear_error();
	return n > 0 ? n : 0;
}

static int send(ENGINE *e, const struct ss_engine_conf *conf, const char *command, char *err, size_t err_n)
{
	char name[256], what[320];
	char *value;

	snprintf(name, sizeof(name), "%s", command);
	value = strchr(name, '=');
	if (value)
		*value++ = '\0';
	if (ENGINE_ctrl_cmd_string(e, name, value, 0) == 1)
		return 0;
	snprintf(what, sizeof(what), "refuses the command %s", command);
	return refuse(conf, err, err_n, what);
}

/*
 * What asynchronous handshakes want of an engine, where it knows the word: that it is polled by us, not by threads of
 * its own; that it does itself what its device cannot. Before ENGINE_init, as qatengine asks for.
 */
static int send_commands(ENGINE *e, const struct ss_engine_conf *conf, char *err, size_t err_n)
{
	static const char *const usual[] = { "ENABLE_EXTERNAL_POLLING", "ENABLE_SW_FALLBACK" };
	int code = 0;

	for (size_t i = 0; i < SS_ARRAY_LEN(usual) && code == 0; i++)
		if (command_number(e, usual[i]))
			code = send(e, conf, usual[i], err, err_n);
	for (uint32_t i = 0; i < conf->n_commands && code == 0; i++)
		code = send(e, conf, conf->commands[i], err, err_n);
	return code;
}

static void tell(ENGINE *e, int command)
{
	int status = 0;

	if (command && ENGINE_ctrl(e, command, 0, &status, NULL) != 1)
		ERR_clear_error();
}

static void poll_engine(void *arg)
{
	const struct ss_engine *e = arg;

	tell(e->e, e->poll);
}

static void begin(void)
{
	/* A refusal is seen again, and by name, when a job is wanted. */
	if (ASYNC_init_thread(jobs_per_thread, 0) != 1)
		ERR_clear_error();
}

static int prepare(struct ss_engine *e, const struct ss_engine_conf *conf, char *err, size_t err_n)
{
	int code = send_commands(e->e, conf, err, err_n);

	if (code < 0)
		return code;
	if (ENGINE_init(e->e) != 1)
		return refuse(conf, err, err_n, "does not start");
	e->ready = true;
	if (ENGINE_set_default(e->e, ENGINE_METHOD_RSA | ENGINE_METHOD_EC | ENGINE_METHOD_PKEY_METHS |
					     ENGINE_METHOD_PKEY_ASN1_METHS) != 1)
		return refuse(conf, err, err_n, "cannot be made the default");
	e->poll = command_number(e->e, "POLL");
	e->heartbeat = command_number(e->e, "HEARTBEAT_POLL");
	return 0;
}

int ss_engine_open(struct ss_engine **out, const struct ss_engine_conf *conf, char *err, size_t err_n)
{
	struct ss_engine *e = calloc(1, sizeof(*e));
	int code;

	*out = NULL;
	if (!e)
		return SS_ERR_NO_MEM;
	ERR_clear_error();
	e->e = load(conf);
	code = e->e ? prepare(e, conf, err, err_n) :
		      refuse(conf, err, err_n, conf->path ? conf->path : "cannot be loaded");
	if (code < 0) {
		ss_engine_close(e);
		return code;
	}
	jobs_per_thread = conf->jobs;
	e->offload.begin = begin;
	e->offload.poll = poll_engine;
	e->offload.engine = e;
	*out = e;
	return 0;
}

static void unregister(struct ss_engine *e)
{
	ENGINE_unregister_RSA(e->e);
	ENGINE_unregister_EC(e->e);
	ENGINE_unregister_pkey_meths(e->e);
	ENGINE_unregister_pkey_asn1_meths(e->e);
}

void ss_engine_close(struct ss_engine *e)
{
	if (!e)
		return;
	if (e->e)
		unregister(e);
	if (e->ready)
		ENGINE_finish(e->e);
	ENGINE_free(e->e);
	free(e);
}

struct ss_offload *ss_engine_offload(struct ss_engine *e)
{
	return e ? &e->offload : NULL;
}

bool ss_engine_watch(struct ss_engine *e, uint64_t now)
{
	if (!e || ss_offload_is_off(&e->offload))
		return false;
	if (e->heartbeat && now >= e->beat_at) {
		e->beat_at = now + HEARTBEAT_NS;
		tell(e->e, e->heartbeat);
	}
	if (atomic_load_explicit(&e->offload.in_row, memory_order_relaxed) < SS_OFFLOAD_FAILURES)
		return false;
	unregister(e);
	atomic_store(&e->offload.off, true);
	return true;
}
