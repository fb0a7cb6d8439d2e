/*
 * tls_aead.h - authenticated encryption of bytes where they lie, in mbufs: one table of who can do it.
 *
 * Takes:   keys, nonces, parts of mbuf chains.
 * Gives:   the same bytes sealed or opened in place, and their tag.
 * Owns:    a backend's library state; expanded keys, of which it holds a bounded number: those of who has rested
 *          for a while, and of who has rested longest when there is no place, are given up and wiped, and made again
 *          (0.1 us) when their connection works again.
 * Thread:  one worker.
 * Errors:  a tag that does not fit is SS_ERR_BAD_TLS; the bytes are then worthless.
 *
 * A backend fills a table. All do the work within the call, a device (tls_aead_device.c) by waiting for it.
 */
#ifndef SS_TLS_AEAD_H
#define SS_TLS_AEAD_H

#include <rte_mbuf.h>

#include "base/list.h"

enum tls_alg { TLS_AES_128_GCM, TLS_AES_256_GCM, TLS_CHACHA20_POLY1305, TLS_ALGS };

#define TLS_IV 12u
#define TLS_TAG 16u
#define TLS_KEY_MAX 32u
#define TLS_SECRET_MAX 48u

/* n bytes (1 or more) from byte off (inside m) on, maybe over several mbufs. */
struct tls_part {
	struct rte_mbuf *m;
	uint32_t off, n;
};

struct tls_job {
	const uint8_t *nonce; /* TLS_IV bytes */
	const uint8_t *aad;
	uint32_t aad_n;
	struct tls_part part;
	uint8_t *tag; /* seal: written; open: compared. TLS_TAG bytes */
};

/* What a backend may need besides the library: a device, and which of its queues is this worker's. */
struct ss_tls_device;
struct ss_counters;
struct tls_aead_place {
	struct ss_tls_device *device; /* NULL: none */
	uint16_t queue;
	struct ss_counters *counters; /* NULL: nobody counts */
};

struct tls_aead_ops {
	const char *name;
	size_t xkey; /* bytes of an expanded key, or of what stands for it */
	/* One worker's library state; NULL where the machine lacks what it needs. */
	void *(*create)(const struct tls_aead_place *at);
	void (*destroy)(void *lib);
	bool (*takes)(enum tls_alg alg);
	/* x: xkey bytes at a cache line's start, zeroed before the first use, then reused for other keys. 0 or SS_ERR_NO_MEM. */
	int (*expand)(void *lib, enum tls_alg alg, bool sealing, const uint8_t *key, void *x);
	/* Frees what x holds; forget only makes the key in it unreadable. */
	void (*release)(void *x);
	void (*forget)(void *x);
	/* 0, or SS_ERR_BAD_TLS. */
	int (*seal)(void *lib, enum tls_alg alg, void *x, const struct tls_job *job);
	int (*open)(void *lib, enum tls_alg alg, void *x, const struct tls_job *job);
};

extern const struct tls_aead_ops ss_tls_evp_ops; /* OpenSSL's EVP: takes everything */
extern const struct tls_aead_ops ss_tls_device_ops; /* a crypto device: AES-GCM */
#ifdef SS_HAVE_IPSEC_MB
extern const struct tls_aead_ops ss_tls_mb_ops; /* libipsec-mb: AES-GCM */
#endif

struct tls_slot;

/* One direction of a connection. */
struct tls_half {
	uint64_t seq;
	uint8_t alg;      /* enum tls_alg */
	uint8_t secret_n; /* 0: no keys yet */
	bool sealing;
	bool expanded;    /* this key was, once */
	uint8_t secret[TLS_SECRET_MAX]; /* TLS 1.3: the traffic secret, for the next generation of keys */
	uint8_t key[TLS_KEY_MAX], iv[TLS_IV];
	struct tls_slot *slot; /* the expanded key, while it is held */
};

/* A backend at work. */
struct tls_aead {
	const struct tls_aead_ops *ops;
	void *lib;
	struct ss_counters *counters;
	struct ss_list lru;  /* slots lent, the one used last at the back; mark is among them */
	struct ss_list mark; /* who stands before it was not used since ss_tls_aead_sweep put it there */
	struct ss_list free;
	uint32_t n, held;
	size_t stride;  /* bytes from one slot to the next */
	uint8_t *slots; /* n of them */
};

/* slots: expanded keys held at most. 0, SS_ERR_NO_MEM, SS_ERR_NOT_FOUND (this machine cannot). */
int ss_tls_aead_create(struct tls_aead **out, const struct tls_aead_ops *ops, const struct tls_aead_place *at,
		       uint32_t slots);
void ss_tls_aead_free(struct tls_aead *a);
/* 0; SS_ERR_NO_MEM (nothing has changed), SS_ERR_BAD_TLS (the library failed: the bytes are worthless). The
 * nonce is the job's; seq is the caller's to move on. */
int ss_tls_aead_seal(struct tls_aead *a, struct tls_half *h, const struct tls_job *job);
/* 0, SS_ERR_BAD_TLS, SS_ERR_NO_MEM (nothing has changed). */
int ss_tls_aead_open(struct tls_aead *a, struct tls_half *h, const struct tls_job *job);
/*
 * Gives up what was not used between two passes, a few at a time. True when a pass is over: the next may begin a while
 * later; else call soon again.
 */
bool ss_tls_aead_sweep(struct tls_aead *a);
/* Gives the expanded key up; key stays. */
void ss_tls_aead_rest(struct tls_aead *a, struct tls_half *h);
/* Gives the expanded key up and clears all of h. */
void ss_tls_aead_forget(struct tls_aead *a, struct tls_half *h);

#endif
