/*
 * px_xfcc.c - X-Forwarded-Client-Cert by the listener's mode. What came from the client is believed only as far as
 * the mode says; what we say of the client was made when its handshake was over.
 */
#include "contract/xfcc.h"
#include "proxy/px_int.h"

static uint32_t put(uint8_t *to, uint32_t n, struct ss_span s)
{
	if (!s.n)
		return n;
	if (n)
		to[n++] = ',';
	memcpy(to + n, s.p, s.n);
	return n + s.n;
}

/* What came is one list, in however many fields (RFC 9110 5.3). */
int px_client_cert(enum ss_xfcc_mode mode, const struct ss_peer *peer, const struct ss_hdrs *from, struct ss_arena *a,
		   struct ss_hdrs *to)
{
	bool mutual = peer->tls == 2;
	bool came = mode == SS_XFCC_ALWAYS_FORWARD_ONLY ||
		    (mutual && (mode == SS_XFCC_FORWARD_ONLY || mode == SS_XFCC_APPEND_FORWARD));
	bool tells = mutual && (mode == SS_XFCC_APPEND_FORWARD || mode == SS_XFCC_SANITIZE_SET);
	struct ss_span own = tells ? ss_peer_xfcc(peer) : SS_SPAN_NONE;
	uint32_t room = own.n, n = 0;
	uint8_t *p;

	for (uint16_t i = 0; came && i < from->n; i++)
		if (from->v[i].tok == SS_H_X_FORWARDED_CLIENT_CERT)
			room += from->v[i].value.n + 1;
	if (room == 0)
		return 0;
	p = ss_arena_alloc(a, room);
	if (!p)
		return SS_ERR_NO_MEM;
	for (uint16_t i = 0; came && i < from->n; i++)
		if (from->v[i].tok == SS_H_X_FORWARDED_CLIENT_CERT)
			n = put(p, n, from->v[i].value);
	n = put(p, n, own);
	if (n)
		ss_hdrs_push(to, ss_hdr_token_name(SS_H_X_FORWARDED_CLIENT_CERT), ss_span(p, n),
			     SS_H_X_FORWARDED_CLIENT_CERT, 0);
	return 0;
}
