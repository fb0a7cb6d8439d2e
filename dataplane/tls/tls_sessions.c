/*
 * tls_sessions.c - sessions that origins gave tickets for, kept by a worker for its next connections to them.
 *
 * Each is used once (RFC 8446 C.4): it is taken out when a handshake begins with it, and the new connection brings the
 * next. It is found by all that its verdict hung on: the cluster's hash (our certificate, whom we trust and let in, the
 * name), the endpoint, the protocol. What of it may end by itself is looked at when it is used (tls_resume.c). Those of
 * a configuration that is no longer in force are forgotten, some a turn.
 */
#include "base/siphash.h"
#include "tls/tls_int.h"

#define SETS 64
#define WAYS 4
/* Two connections at once to one endpoint want one each; more of them are opened in full. */
#define EACH 2
#define PER_TURN 8

struct slot {
	uint64_t used; /* 0: empty */
	struct tls_session_key key;
	struct tls_kept kept;
};

struct tls_sessions {
	uint64_t uses;
	uint32_t left, at; /* to be looked at under a new configuration; from where */
	struct slot slot[SETS][WAYS];
};

static bool same(const struct tls_session_key *a, const struct tls_session_key *b)
{
	return a->hash == b->hash && a->cluster == b->cluster && a->protocol == b->protocol &&
	       ss_addr_eq(&a->remote, &b->remote);
}

static struct slot *set_of(struct tls_sessions *s, const struct tls_session_key *key)
{
	const struct ss_sipkey sip = { { key->hash, (uint64_t)key->cluster << 32 | key->remote.port } };

	return s->slot[ss_siphash(&sip, &key->remote.ip, sizeof(key->remote.ip)) % SETS];
}

static void empty(struct slot *s)
{
	SSL_SESSION_free(s->kept.session);
	memset(s, 0, sizeof(*s));
}

int ss_tls_sessions_create(struct tls_sessions **out)
{
	*out = OPENSSL_zalloc(sizeof(**out));
	return *out ? 0 : SS_ERR_NO_MEM;
}

void ss_tls_sessions_free(struct tls_sessions *s)
{
	for (int i = 0; s && i < SETS * WAYS; i++)
		empty(&s->slot[i / WAYS][i % WAYS]);
	OPENSSL_free(s);
}

bool ss_tls_sessions_take(struct tls_sessions *s, const struct tls_session_key *key, struct tls_kept *out)
{
	struct slot *set = set_of(s, key), *newest = NULL;

	for (int i = 0; i < WAYS; i++)
		if (set[i].used && same(&set[i].key, key) && (!newest || set[i].used > newest->used))
			newest = &set[i];
	if (!newest)
		return false;
	*out = newest->kept;
	memset(newest, 0, sizeof(*newest));
	return true;
}

void ss_tls_sessions_put(struct tls_sessions *s, const struct tls_session_key *key, const struct tls_kept *kept)
{
	struct slot *set = set_of(s, key), *oldest = set, *own = NULL;
	int n = 0;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].used < oldest->used)
			oldest = &set[i];
		if (!set[i].used || !same(&set[i].key, key))
			continue;
		n++;
		if (!own || set[i].used < own->used)
			own = &set[i];
	}
	if (n >= EACH)
		oldest = own;
	empty(oldest);
	*oldest = (struct slot){ ++s->uses, *key, *kept };
}

void ss_tls_sessions_again(struct tls_sessions *s)
{
	s->left = SETS * WAYS;
}

void ss_tls_sessions_turn(struct tls_sessions *s, const struct ss_snapshot *snap)
{
	for (uint32_t i = 0; s->left && i < PER_TURN; i++, s->left--, s->at++) {
		struct slot *one = &s->slot[s->at / WAYS % SETS][s->at % WAYS];
		const struct ss_cluster *cl = one->used ? ss_snapshot_cluster(snap, one->key.cluster) : NULL;

		if (one->used && !(cl && cl->tls && cl->tls->resume && cl->tls->hash == one->key.hash))
			empty(one);
	}
}
