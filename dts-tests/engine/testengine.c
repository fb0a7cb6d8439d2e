/*
 * testengine.c - an ENGINE for tests: OpenSSL's own RSA and EC, in jobs that pause, take time, fail or never end.
 *
 * What it does, and what it has done, stands in a file of 64-bit words that the test maps, too (TESTENGINE_WORDS in
 * the environment, or the command WORDS); so a test changes its mind while the program runs.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "tls/tls_engine_sim.h"

enum {
	CMD_WORDS = ENGINE_CMD_BASE,
	CMD_EXTERNAL,
	CMD_FALLBACK,
	CMD_POLL,
	CMD_HEARTBEAT,
	CMD_REFUSE,
};

static const ENGINE_CMD_DEFN commands[] = {
	{ CMD_WORDS, "WORDS", "file of words", ENGINE_CMD_FLAG_STRING },
	{ CMD_EXTERNAL, "ENABLE_EXTERNAL_POLLING", "as qatengine's", ENGINE_CMD_FLAG_NO_INPUT },
	{ CMD_FALLBACK, "ENABLE_SW_FALLBACK", "as qatengine's", ENGINE_CMD_FLAG_NO_INPUT },
	{ CMD_POLL, "POLL", "as qatengine's", ENGINE_CMD_FLAG_NO_INPUT },
	{ CMD_HEARTBEAT, "HEARTBEAT_POLL", "as qatengine's", ENGINE_CMD_FLAG_NO_INPUT },
	{ CMD_REFUSE, "REFUSE", "always fails", ENGINE_CMD_FLAG_NO_INPUT },
	{ 0, NULL, NULL, 0 },
};

static uint64_t none[TESTENGINE_WORD_COUNT];
static uint64_t *words = none;
static RSA_METHOD *rsa;
static EC_KEY_METHOD *ec;
static int (*rsa_priv_enc)(int, const unsigned char *, unsigned char *, RSA *, int);
static int (*ec_sign)(int, const unsigned char *, int, unsigned char *, unsigned int *, const BIGNUM *,
		      const BIGNUM *, EC_KEY *);

static uint64_t word(enum testengine_word w)
{
	return __atomic_load_n(&words[w], __ATOMIC_RELAXED);
}

static uint64_t add(enum testengine_word w, uint64_t n)
{
	return __atomic_add_fetch(&words[w], n, __ATOMIC_RELAXED);
}

static int map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED :
			   mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return 0;
	words = p;
	words[TESTENGINE_COMMANDS] += none[TESTENGINE_COMMANDS]; /* those that came before this one */
	return 1;
}

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void pause_job(void)
{
	add(TESTENGINE_PAUSED, 1);
	ASYNC_pause_job();
}

/* False: this operation fails. */
static int wait_as_told(void)
{
	uint64_t n = add(TESTENGINE_OPS, 1), pauses = word(TESTENGINE_PAUSE), every = word(TESTENGINE_FAIL_EVERY);
	uint64_t until = clock_us() + word(TESTENGINE_DELAY_US);
	int job = ASYNC_get_current_job() != NULL;

	add(TESTENGINE_IN_FLIGHT, 1);
	if (!job)
		add(TESTENGINE_SYNC, 1);
	while (job && pauses--)
		pause_job();
	while (clock_us() < until && job)
		pause_job();
	while (word(TESTENGINE_NEVER) && job)
		pause_job();
	add(TESTENGINE_IN_FLIGHT, (uint64_t)-1);
	if (every && n % every == 0) {
		add(TESTENGINE_FAILED, 1);
		ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL);
		return 0;
	}
	return 1;
}

static int sign_rsa(int n, const unsigned char *from, unsigned char *to, RSA *key, int padding)
{
	add(TESTENGINE_RSA, 1);
	return wait_as_told() ? rsa_priv_enc(n, from, to, key, padding) : -1;
}

static int sign_ec(int type, const unsigned char *dgst, int n, unsigned char *sig, unsigned int *siglen,
		   const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	add(TESTENGINE_EC, 1);
	return wait_as_told() ? ec_sign(type, dgst, n, sig, siglen, kinv, r, key) : 0;
}

static int control(ENGINE *e, int cmd, long i, void *p, void (*f)(void))
{
	switch (cmd) {
	case CMD_WORDS:
		return map(p);
	case CMD_EXTERNAL:
	case CMD_FALLBACK:
		add(TESTENGINE_COMMANDS, 1);
		return 1;
	case CMD_POLL:
		add(TESTENGINE_POLLS, 1);
		*(int *)p = 1;
		return 1;
	case CMD_HEARTBEAT:
		add(TESTENGINE_BEATS, 1);
		return 1;
	default:
		ERR_raise(ERR_LIB_USER, ERR_R_DISABLED);
		return 0;
	}
}

static int destroy(ENGINE *e)
{
	RSA_meth_free(rsa);
	EC_KEY_METHOD_free(ec);
	rsa = NULL;
	ec = NULL;
	return 1;
}

static int bind_test(ENGINE *e, const char *id)
{
	int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);
	ECDSA_SIG *(*sig)(const unsigned char *, int, const BIGNUM *, const BIGNUM *, EC_KEY *);
	const char *path = getenv("TESTENGINE_WORDS");

	rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
	ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	if (!rsa || !ec || (path && !map(path)))
		return 0;
	rsa_priv_enc = RSA_meth_get_priv_enc(rsa);
	RSA_meth_set_priv_enc(rsa, sign_rsa);
	EC_KEY_METHOD_get_sign(ec, &ec_sign, &setup, &sig);
	EC_KEY_METHOD_set_sign(ec, sign_ec, setup, sig);
	return ENGINE_set_id(e, "testengine") && ENGINE_set_name(e, "for tests") && ENGINE_set_RSA(e, rsa) &&
	       ENGINE_set_EC(e, ec) && ENGINE_set_destroy_function(e, destroy) &&
	       ENGINE_set_cmd_defns(e, commands) && ENGINE_set_ctrl_function(e, control);
}

/* What the loader calls. */
IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(bind_test)
