/*
 * tls_world_sim.h - a worker's turn around the tls room, over a fake tcp; connections have an application
 * that records what it is told; a plain libssl peer may be at the far end.
 *
 * Takes:   policies, certificates, a seed.
 * Gives:   turns in virtual time.
 * Owns:    everything in it, until world_free, which checks that nothing is held.
 * Thread:  the test's.
 */
#ifndef SS_TLS_WORLD_SIM_H
#define SS_TLS_WORLD_SIM_H

#include "buf/testpool.h"
#include "tls/tls.h"
#include "tls/tls_certs_sim.h"
#include "tls/tls_fakecrew_sim.h"
#include "tls/tls_faketcp_sim.h"

#define WORLD_APPS 16
#define WORLD_DATA (1u << 20)
#define SERVER_COOKIE 7

/* Who does the records of the worlds made from now on: SS_TLS_RECORDS_AUTO at first. */
extern enum ss_tls_records world_records;
/* The keys for a server's tickets in them: none at first. */
extern const struct ss_ticket_ring *world_tickets;
/* Handshake threads of the worlds: 0, but where tls_threads_sim.c is linked in. */
extern uint16_t world_threads;
/* What does keys of their handshakes: nothing at first. */
extern struct ss_offload *world_offload;
/* Connections that may be encrypted in them: 0, all, at first. */
extern uint32_t world_tls_conns;
/* Expanded keys held in them at most: 0, the default, at first. */
extern uint32_t world_keys;
/* New clients a second in the worlds made from now on: 0, any number, at first. */
extern uint32_t world_rate;
/* Whom a test runs with, one after the other; a NULL name ends the list. */
extern const struct world_backend {
	const char *name;
	enum ss_tls_records records;
} world_backends[];

/* The upper room's view of one connection. */
struct app {
	struct ss_tls_conn *c;
	uint32_t events; /* all that came */
	uint8_t *data;   /* WORLD_DATA bytes */
	uint32_t n;
	bool hold;       /* takes nothing */
	bool keep;       /* does not release when FAILED has come */
	enum ss_drop reason;
};

/* A peer that is libssl alone. */
struct far {
	SSL *ssl;
	struct ss_tcp_conn *tcp; /* our end */
	bool done, eof;
	int alert;   /* the last alert it got, -1: none */
	long verify; /* its verdict on our certificate */
	uint8_t data[65536];
	uint32_t n;
};

struct world {
	struct ss_bufpool bufs;
	struct ss_rng rng;
	struct ss_tcp tcp;
	struct ss_tls *tls;
	struct ss_crew *crew; /* NULL: the worker does handshakes itself */
	struct ss_counters counters;
	struct ss_event_ring *events;
	struct ss_listener listener;
	struct ss_tls_server server;
	struct ss_tls_client client;
	struct ss_id_match server_id, client_id;
	struct ss_snapshot snap;
	uint64_t now;
	struct app app[WORLD_APPS];
	struct sim_cert ca, other_ca;
};

/* Authorities "mesh" and "other"; a strict listener that asks for certificates, no identities listed. */
void world_init(struct world *w, const char *name, uint64_t seed);
void world_free(struct world *w);
void world_turn(struct world *w);
void world_turns(struct world *w, unsigned n);
/* The newest application that a listener's connection got; NULL before. */
struct app *world_served(struct world *w);
struct app *world_connect(struct world *w, enum ss_protocol protocol);
/* Connects through the room to its own listener. */
struct app *world_connect_self(struct world *w, enum ss_protocol protocol);
int app_send(struct world *w, struct app *a, const void *p, uint32_t n);
void app_release(struct app *a);
uint64_t world_drops(const struct world *w, enum ss_drop d);
/* The oldest refusal in the event ring, copied; false when there is none. */
bool world_event(struct world *w, struct ss_event *out);

/* A libssl client on our listener, or a libssl server behind our connect. */
void far_client(struct world *w, struct far *f, SSL_CTX *ctx);
void far_server(struct world *w, struct far *f, SSL_CTX *ctx, struct ss_tcp_conn *tcp);
/* Moves bytes, handshakes, reads. */
void far_turn(struct world *w, struct far *f);
void far_run(struct world *w, struct far *f, unsigned turns);
void far_send(struct far *f, const void *p, int n);
void far_free(struct far *f);

#endif
