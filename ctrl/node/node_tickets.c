/*
 * node_tickets.c - the keys of session tickets: random ones, a new one each lifetime; or those of a file that
 * several appliances share, read again when it changes (also when another file is renamed onto it).
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "node/node_int.h"

#define LOOK_NS SS_NS_PER_SEC

static int read_keys(struct ss_node *n, const char *path, char *err, size_t err_n)
{
	struct ss_ticket_key keys[SS_TICKET_KEYS + 1];
	FILE *f = fopen(path, "rb");
	size_t got = f ? fread(keys, 1, sizeof(keys), f) : 0;
	int code = 0;

	if (!f || ferror(f)) {
		snprintf(err, err_n, "tls.ticket_keys: %s cannot be read: %m", path);
		code = SS_ERR_CONFIG;
	} else if (got == 0 || got % sizeof(keys[0]) || got > SS_TICKET_KEYS * sizeof(keys[0])) {
		snprintf(err, err_n, "tls.ticket_keys: %s: must hold 1 to %u keys of %zu bytes", path, SS_TICKET_KEYS,
			 sizeof(keys[0]));
		code = SS_ERR_CONFIG;
	} else {
		ss_ticket_ring_set(n->tickets, keys, (uint32_t)(got / sizeof(keys[0])));
	}
	if (f)
		fclose(f);
	OPENSSL_cleanse(keys, sizeof(keys));
	return code;
}

static bool changed(struct ss_node *n, const char *path)
{
	struct stat now;

	if (stat(path, &now) < 0)
		return false;
	bool same = now.st_ino == n->ticket_file.st_ino && now.st_size == n->ticket_file.st_size &&
		    now.st_mtim.tv_sec == n->ticket_file.st_mtim.tv_sec &&
		    now.st_mtim.tv_nsec == n->ticket_file.st_mtim.tv_nsec;
	n->ticket_file = now;
	return !same;
}

static void on_look(void *arg)
{
	struct ss_node *n = arg;
	const char *path = ss_apply_model(n->apply)->process.ticket_keys;
	char err[512];

	if (!changed(n, path))
		return;
	if (read_keys(n, path, err, sizeof(err)) < 0)
		ss_log(SS_LOG_ERROR, "ticket keys kept as they were", "reason", err, NULL);
	else
		ss_log(SS_LOG_INFO, "ticket keys read", "file", path, NULL);
}

static void on_turn(void *arg)
{
	struct ss_node *n = arg;
	struct ss_ticket_key fresh;

	/* Without randomness the old ones go on: a log line is what an operator can act on. */
	if (RAND_bytes((unsigned char *)&fresh, sizeof(fresh)) != 1)
		ss_log(SS_LOG_ERROR, "ticket keys kept as they were", "reason", "no random bytes", NULL);
	else
		ss_ticket_ring_turn(n->tickets, &fresh);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
}

int ss_node_make_tickets(struct ss_node *n, const struct ss_model_process *p, char *err, size_t err_n)
{
	if (!p->ticket_lifetime_ns)
		return 0;
	if (ss_ticket_ring_create(&n->tickets) < 0)
		return SS_ERR_NO_MEM;
	if (p->ticket_keys) {
		changed(n, p->ticket_keys);
		return read_keys(n, p->ticket_keys, err, err_n);
	}
	on_turn(n);
	return 0;
}

int ss_node_watch_tickets(struct ss_node *n, const struct ss_model_process *p)
{
	if (!n->tickets || !n->loop)
		return 0;
	if (p->ticket_keys)
		return ss_loop_every(n->loop, LOOK_NS, on_look, n) ? 0 : SS_ERR_NO_MEM;
	return ss_loop_every(n->loop, p->ticket_lifetime_ns, on_turn, n) ? 0 : SS_ERR_NO_MEM;
}
