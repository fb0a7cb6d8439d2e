/*
 * tls_shake.h - a handshake, apart from its connection: all that OpenSSL's calls and callbacks may touch.
 *
 * Takes:   a policy, an SSL_CTX of the executor, the peer's bytes.
 * Gives:   bytes for the peer; in the end keys, and who the peer is, or why not.
 * Owns:    the SSL object, copies of what it needs of the snapshot.
 * Thread:  whoever has it: the worker, or, while it is away, one handshake thread. So these files know
 *          neither connections nor mbufs nor counters, and the worker books what a handshake brings back.
 * Errors:  TLS_WENT_FAILED, with a drop's name and words.
 *
 * The SSL's app data is its tls_shake, for as long as the SSL lives.
 */
#ifndef SS_TLS_SHAKE_H
#define SS_TLS_SHAKE_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/base.h"
#include "base/span.h"
#include "contract/drops.h"
#include "contract/offload.h"
#include "contract/snapshot.h"
#include "contract/tickets.h"
#include "contract/tlsconf.h"
#include "crew/crew.h"
#include "tls/tls_aead.h"

#define TLS_DETAIL 200
#define TLS_TRIP_IN 4096
#define TLS_TRIP_OUT 8192

struct ss_tls_conn;
struct tls_chains;

/* What goes with a handshake for one step: more of either is another trip. */
struct tls_trip {
	struct ss_crew_job job; /* the first: the step, for a handshake thread */
	struct ss_list paused;  /* on ss_tls.paused: where a worker does its own */
	struct tls_shake *k;
	uint32_t in_n, in_used;
	uint32_t out_n, out_used;
	uint8_t in[TLS_TRIP_IN], out[TLS_TRIP_OUT];
};

/* How a step ended. */
enum tls_went {
	TLS_WENT_MORE,   /* wants more of the peer's bytes */
	TLS_WENT_AGAIN,  /* its output is full: wants to be called again with more room */
	TLS_WENT_PAUSED, /* waits for the offload: wants to be called again, on the same thread, with the same trip */
	TLS_WENT_DONE,
	TLS_WENT_FAILED, /* drop, text */
};

/* What the peer must be; a copy, because the snapshot may go before the handshake ends. */
struct tls_policy {
	uint16_t n;
	struct ss_id_match id[];
};

/* What executors count for a worker while handshakes of its are away. */
struct tls_waits {
	_Atomic uint32_t paused; /* handshakes that wait for the offload now */
	_Atomic uint32_t late;   /* of all, those that did for longer than SS_OFFLOAD_LATE_NS */
	_Atomic uint32_t lost;   /* those that nobody wanted any more while they did */
};

/* What a session that an origin gave us a ticket for was verified as: the ticket says nothing of it. */
struct tls_kept {
	SSL_SESSION *session;      /* a reference; NULL: none */
	struct ss_trust_mark mark; /* of the origin's chain */
	int64_t chain_until;       /* when the first certificate of it ends, in Unix seconds */
	bool mutual;               /* it asked for our certificate */
};

/* All that its verdict hung on. */
struct tls_session_key {
	uint64_t hash; /* ss_tls_client.hash */
	uint32_t cluster;
	uint8_t protocol;
	struct ss_addr remote;
};

/* Made once for all handshakes of a worker; read only. */
struct tls_tools {
	int (*on_session)(SSL *ssl, SSL_SESSION *s); /* a client's ticket has come; on the worker */
	BIO_METHOD *bio;
	EVP_CIPHER *ticket_cipher;
	const struct ss_ticket_ring *tickets; /* NULL: a server gives none */
	bool secrets; /* records can become ours */
	struct tls_chains **chains; /* by executor, which makes its own */
	struct ss_offload *offload; /* NULL: none is configured */
	struct tls_waits *waits;
};

struct tls_shake {
	/* -- the worker's: nobody else reads them -- */
	struct ss_tls_conn *c; /* NULL: has gone while this was away */
	bool away;
	uint64_t allowed_ns;    /* client: time allowed, once tcp is connected */
	uint64_t generation;    /* of the snapshot, when it began */
	struct tls_session_key key; /* client that keeps sessions: where */
	/* -- the worker writes, the executor reads -- */
	_Atomic bool unwanted; /* nobody waits for it: not worth a step */
	/* -- set when it begins -- */
	const struct tls_tools *tools;
	SSL_CTX *ctx;           /* a reference */
	uint16_t executor;      /* who runs it: the index in ss_tls_server.ctx */
	bool server;
	bool asks;              /* server: for a client's certificate */
	uint8_t protocol;       /* client: enum ss_protocol that it offers */
	bool expects_name;      /* client: the name below must be in the certificate */
	char *name;             /* client: asks for; NULL: for none */
	bool keeps;             /* client: tickets are wanted */
	struct tls_kept kept;   /* client: to resume */
	struct tls_policy *policy; /* NULL: any identity that the bundle verifies */
	const struct ss_trust *trust; /* a reference; NULL: the context's own store of authorities */
	uint8_t xfcc;           /* server: fields of the client's certificate that are told on (contract/xfcc.h) */
	/* -- the executor's -- */
	SSL *ssl;
	struct tls_trip *trip;  /* during a step */
	char *sni;              /* server: the name the client asked for */
	char *identity;         /* of the peer's certificate */
	uint32_t identity_n;
	bool cert_asked;        /* client: the server asked for ours */
	bool offloaded;         /* its context was made for the offload */
	bool late, lost;        /* counted as that */
	uint64_t paused_at;     /* 0: it does not wait */
	uint16_t refusal;       /* enum ss_drop: what the certificate check found */
	const char *why;        /* the same in words; lives for ever */
	struct ss_trust_mark mark; /* of the peer's chain, when it was good */
	int64_t chain_until;    /* when the first certificate of it ends; 0: not known */
	bool chain_known, chain_verified; /* from memory, or signature by signature */
	struct tls_half rd, wr; /* secrets, as they become known */
	/* -- what comes back -- */
	uint8_t went;           /* enum tls_went */
	uint8_t alpn, tls;      /* as in struct ss_peer */
	int64_t until;          /* as in struct ss_peer */
	uint32_t xfcc_n;
	uint8_t *xfcc_line;     /* as in struct ss_peer; NULL: none */
	bool resumed;
	bool waited;            /* for the offload, at least once */
	bool engine_failed;     /* with went: an operation of the offload did */
	bool taken;             /* rd and wr have keys: records are ours */
	uint16_t drop;
	uint16_t text_n;
	char text[TLS_DETAIL];
};

/* -- tls_step.c -- */
/* Goes as far as the trip's bytes lead. */
void ss_tls_step(struct tls_shake *k, struct tls_trip *trip);
/* The same as a job. */
void ss_tls_run(struct ss_crew_job *job);
/* The handshake k has paused, or is over: counts, and tells the offload. tls_offload.c */
void ss_tls_waited(struct tls_shake *k);
/* Says why an OpenSSL call failed: drop and text, from its error queue and from the certificate check. */
void ss_tls_explain(struct tls_shake *k, enum ss_drop drop);
/* Ends the SSL object. */
void ss_tls_ssl_end(struct tls_shake *k);
/* Frees k and all that it has. */
void ss_tls_shake_free(struct tls_shake *k);

/* -- tls_secrets.c -- */
/* Before the handshake: watches it for the secrets, when records can become ours. */
void ss_tls_watch(struct tls_shake *k);
/* After it: keys of our own, and the end of the SSL object when nobody needs it any more. */
void ss_tls_take_over(struct tls_shake *k);

/* -- tls_bio.c -- */
BIO_METHOD *ss_tls_bio_create(void);
/* Joins k's SSL to the trip it is on; after the handshake to the connection. 0 or SS_ERR_NO_MEM. */
int ss_tls_bio_attach(struct tls_shake *k);

/* -- tls_tickets.c -- */
bool ss_tls_tickets_wanted(const SSL *ssl);

/* -- tls_svid.c -- */
/* Why a certificate is not let in; the text lives for ever. */
struct tls_fault {
	enum ss_drop drop;
	const char *why;
	int error; /* X509_V_ERR_*: which alert leaves */
};
/* The names in a certificate, as spans into it. */
struct tls_names {
	GENERAL_NAMES *all;      /* NULL: none */
	struct ss_span uri, dns; /* the first of each */
	unsigned n_uri, n_dns;
	bool spiffe;             /* a URI that begins as a SPIFFE id */
};
void ss_tls_names_read(X509 *cert, struct tls_names *out);
void ss_tls_names_free(struct tls_names *n);
/* Who it says it is: its SPIFFE id, else its first DNS name. */
struct ss_span ss_tls_names_identity(const struct tls_names *n);
/* Is the name at place i of all a DNS name? */
bool ss_tls_names_dns(const struct tls_names *n, int i, struct ss_span *out);
/* NULL, or what makes a certificate with a SPIFFE id no X.509-SVID. */
const struct tls_fault *ss_tls_svid_fault(X509 *cert, const struct tls_names *n);
/* The same for one above the leaf. */
const struct tls_fault *ss_tls_signer_fault(X509 *cert, struct ss_span domain);

/* -- tls_chain.c -- */
void ss_tls_chains_free(struct tls_chains *c);
/* For SSL_CTX_set_cert_verify_callback. */
int ss_tls_chain_verify(X509_STORE_CTX *store, void *arg);

/* -- tls_peer.c -- */
int ss_tls_policy_copy(struct tls_policy **out, const struct ss_id_match *ids, uint16_t n);
/* NULL, or why a certificate whose chain is good is not let in. */
const struct tls_fault *ss_tls_judge(const struct tls_shake *k, const struct tls_names *n);
/* Who it is. */
void ss_tls_identify(struct tls_shake *k, struct ss_span id);
/* What OpenSSL's verification found, as ours. */
struct tls_fault ss_tls_fault_of(int error);
/* After the handshake: alpn, tls, identity. */
void ss_tls_peer_learn(struct tls_shake *k);

/* -- tls_xfcc.c -- */
/* After the handshake: xfcc_line. */
void ss_tls_xfcc_learn(struct tls_shake *k);
struct tls_xfcc {
	X509 *cert, *own;            /* the client's; ours, or NULL */
	const STACK_OF(X509) *above; /* what the client sent above its own; NULL: not known */
};
/* Its line: the length, at most room. */
uint32_t ss_tls_xfcc_line(const struct tls_xfcc *x, uint8_t fields, uint8_t *to, uint32_t room);

/* -- tls_until.c -- */
/* After the handshake: until. */
void ss_tls_until_learn(struct tls_shake *k);

/* -- tls_resume.c -- */
/* A server's handshake begins: it may resume, and gives tickets, where there are keys. */
void ss_tls_resume_offer(struct tls_shake *k);
/* A client's handshake begins: with its session if that is still good, and such that it gets tickets. */
bool ss_tls_resume_ask(struct tls_shake *k);
/* The handshake that is over resumed a session: the peer is the one of its certificate. */
void ss_tls_resumed(struct tls_shake *k);

#endif
