/*
 * tcp_connect.c - active opens: a local port whose answers come back to this worker; SYN-SENT.
 */
#include "tcp/tcp_int.h"

#include "base/err.h"

/* RFC 6056 3.3.3 in spirit: a start that is secret per destination, then the next free port. */
static uint32_t first_port(struct ss_tcp *t, const struct ss_tuple *u, uint32_t range)
{
	uint32_t h = (uint32_t)ss_siphash(&t->key, u, sizeof(*u));
	return (h + t->next_port++) % range;
}

static int pick_port(struct ss_tcp *t, struct ss_tuple *u, uint32_t *hash)
{
	uint32_t range = (uint32_t)(t->conf.port_high - t->conf.port_low + 1);

	u->local_port = 0;
	uint32_t at = first_port(t, u, range);
	for (uint32_t i = 0; i < range; i++, at = at + 1 == range ? 0 : at + 1) {
		u->local_port = (uint16_t)(t->conf.port_low + at);
		if (ss_tcp_steer(u, t->conf.n_workers) != t->conf.worker)
			continue;
		*hash = ss_tcp_hash(t, u);
		if (!ss_tcp_find(t, u, *hash))
			return 0;
	}
	ss_count_drop(t->counters, SS_DROP_TCP_PORTS_FULL);
	return SS_ERR_FULL;
}

int ss_tcp_connect(struct ss_tcp *t, const struct ss_addr *remote, uint64_t now, struct ss_tcp_conn **out)
{
	SS_STAGE_HERE(t->counters, SS_STAGE_TCP_OUT);
	struct ss_tuple u = { .remote = remote->ip, .remote_port = remote->port };
	uint32_t hash;

	t->now = now;
	int err = ss_net_source(t->net, &remote->ip, &u.local);
	if (err)
		return err;
	if (ss_pool_used(t->conns) - t->n_half >= t->conf.max_conns) {
		ss_count_drop(t->counters, SS_DROP_TCP_CONNS_FULL);
		return SS_ERR_NO_MEM;
	}
	err = pick_port(t, &u, &hash);
	if (err)
		return err;
	struct ss_tcp_conn *c = ss_tcp_conn_new(t, &u, hash);
	if (!c)
		return SS_ERR_NO_MEM;
	c->active = c->listed = true;
	c->state = SS_TCP_SYN_SENT;
	c->rtx_first = true;
	ss_tcp_timer_set(c, SS_TCP_T_LIFE, now + t->conf.connect_timeout_ns);
	ss_tcp_conn_dirty(c);
	*out = c;
	return 0;
}

static void answered(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	ss_tcp_syn_options(c, h);
	/* Karn: only a SYN that went out once measures the round trip. */
	if (c->syn_tries == 1)
		ss_tcp_rtt_sample(c, c->t->now - c->rtt_at);
	c->rtt_at = 0;
	c->snd_una = c->snd_nxt = h->ack;
	c->snd_wl2 = h->ack;
	c->rtx_first = false;
	ss_tcp_conn_open(c);
	c->acks_owed = 1;
}

/* Simultaneous open (RFC 9293 3.5, figure 7): our SYN goes out again, now with an ACK. */
static void crossed(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	ss_tcp_syn_options(c, h);
	c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_SYN);
	c->rtx_first = true;
	ss_tcp_conn_dirty(c);
}

/* RFC 9293 3.10.7.3. */
void ss_tcp_syn_sent_in(struct ss_tcp_conn *c, struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;
	bool ack = (h->flags & SS_TCP_ACK) != 0;

	/* "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set ...)". */
	if (ack && (ss_seq_le(h->ack, c->iss) || ss_seq_gt(h->ack, c->snd_max))) {
		ss_count_drop(c->t->counters, SS_DROP_TCP_ACK);
		if (!(h->flags & SS_TCP_RST))
			ss_tcp_send_rst_to(c->t, s);
		return;
	}
	if (h->flags & SS_TCP_RST) {
		/* "If the ACK was acceptable, then signal to the user 'error: connection reset'". */
		if (ack)
			ss_tcp_conn_fail(c, SS_DROP_TCP_RESET);
		return;
	}
	if (!(h->flags & SS_TCP_SYN))
		return;
	if (ack)
		answered(c, h);
	else
		crossed(c, h);
}
