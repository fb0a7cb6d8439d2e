/*
 * drops.h - every reason for which a packet, connection or request is refused.
 *
 * Takes:   nothing.
 * Gives:   one list that makes the enum, the counter, the metric label and the documentation line.
 * Owns:    nothing.
 * Thread:  any.
 *
 * X(NAME, kind, flag, text): kind says what was lost: p packet, c connection, r request.
 * flag is the access log's response flag for requests ("-" where none).
 * Adding a reason here is all that is needed; docs/metrics.md is checked against the list.
 */
#ifndef SS_DROPS_H
#define SS_DROPS_H

#define SS_DROP_LIST(X)                                                                  \
	X(ETH_SHORT, p, "-", "frame shorter than its Ethernet header")                   \
	X(ETH_NOT_US, p, "-", "frame for another station")                               \
	X(ETH_VLAN, p, "-", "frame with a VLAN tag that the interface does not have")    \
	X(ETH_TYPE, p, "-", "unknown EtherType")                                         \
	X(ARP_CONFLICT, p, "-", "another station claims an address of ours")            \
	X(ARP_BAD, p, "-", "malformed ARP packet")                                       \
	X(IP_BAD, p, "-", "malformed IP header")                                         \
	X(IP_CSUM, p, "-", "wrong IP header checksum")                                   \
	X(IP_SOURCE, p, "-", "source address that no other host may have")               \
	X(IP_NOT_US, p, "-", "packet for an address we do not own")                      \
	X(IP_FRAGMENT, p, "-", "IP fragment (not reassembled)")                          \
	X(IP_PROTO, p, "-", "IP protocol we do not speak")                               \
	X(ICMP_BAD, p, "-", "malformed ICMP message")                                    \
	X(ICMP_RATE, p, "-", "ICMP answer over the rate limit")                          \
	X(TCP_BAD, p, "-", "malformed TCP header")                                       \
	X(TCP_CSUM, p, "-", "wrong TCP checksum")                                        \
	X(TCP_NO_CONN, p, "-", "segment for no connection (answered with RST)")          \
	X(TCP_SEQ, p, "-", "segment outside the receive window (RFC 9293 3.10.7.4)")     \
	X(TCP_PAWS, p, "-", "timestamp older than the last one (RFC 7323 5)")            \
	X(TCP_ACK, p, "-", "acknowledges what was never sent (RFC 5961 5)")              \
	X(TCP_CHALLENGE, p, "-", "RST or SYN answered by a challenge ACK (RFC 5961)")    \
	X(TCP_REASM_FULL, p, "-", "no room for out-of-order bytes")                      \
	X(NEIGH_FULL, p, "-", "neighbour table full or too many packets waiting")        \
	X(NEIGH_DEAD, p, "-", "next hop does not answer ARP")                            \
	X(NO_ROUTE, p, "-", "no route to the destination")                               \
	X(PORT_TX_FULL, p, "-", "transmit queue full")                                   \
	X(PORT_TX_LONG, p, "-", "packet longer than a transmit buffer of the port")      \
	X(HANDOVER_FULL, p, "-", "ring to another worker full")                          \
	X(MBUF_EMPTY, p, "-", "packet buffer pool empty")                                \
	X(TCP_LISTEN_FULL, c, "-", "listener at its connection limit")                   \
	X(TCP_CONNS_FULL, c, "-", "connection pool empty")                               \
	X(TCP_SYN_FLOOD, c, "-", "half-open connections over the limit")                 \
	X(TCP_PORTS_FULL, c, "-", "no free local port for a connect")                    \
	X(TCP_TIMEOUT, c, "-", "peer stopped acknowledging")                             \
	X(TCP_RESET, c, "-", "peer reset the connection")                                \
	X(TLS_PLAINTEXT, c, "-", "plaintext on a strict listener")                       \
	X(TLS_HANDSHAKE, c, "-", "TLS handshake failed")                                 \
	X(TLS_TIMEOUT, c, "-", "TLS handshake took too long")                            \
	X(TLS_NO_CERT, c, "-", "peer sent no certificate")                               \
	X(TLS_VERSION, c, "-", "TLS version too old, or a downgrade")                    \
	X(TLS_UNTRUSTED, c, "-", "peer certificate from an unknown authority")           \
	X(TLS_SELF_SIGNED, c, "-", "peer certificate signed by itself")                  \
	X(TLS_CHAIN_LONG, c, "-", "peer certificate's chain too long")                   \
	X(TLS_EXPIRED, c, "-", "peer certificate expired")                               \
	X(TLS_NOT_YET_VALID, c, "-", "peer certificate not valid yet")                   \
	X(TLS_REVOKED, c, "-", "peer certificate revoked")                               \
	X(TLS_WEAK_KEY, c, "-", "peer certificate with a weak key or signature")         \
	X(TLS_KEY_USAGE, c, "-", "peer certificate is for another use")                  \
	X(TLS_NOT_SVID, c, "-", "peer certificate is no good SPIFFE X.509-SVID")         \
	X(TLS_TRUST_DOMAIN, c, "-", "peer of a trust domain that nobody speaks for")     \
	X(TLS_IDENTITY, c, "-", "peer certificate has the wrong identity")               \
	X(TLS_DISTRUSTED, c, "-", "connection whose peer is not trusted any more")       \
	X(TLS_NAME, c, "-", "client asked for a name that no certificate here has")      \
	X(TLS_RECORD, c, "-", "TLS record refused")                                      \
	X(TLS_TRUNCATED, c, "-", "endpoint ended its bytes without close_notify")        \
	X(TLS_QUEUE_FULL, c, "-", "too many TLS handshakes waiting")                     \
	X(TLS_RATE, c, "-", "more TLS handshakes than the budget of a second")           \
	X(TLS_CONNS_FULL, c, "-", "TLS connection pool empty")                           \
	X(HTTP_CONNS_FULL, c, "-", "HTTP connection pool empty")                         \
	X(H2_CONNS_FULL, c, "-", "memory.http2_connections are in use")                  \
	X(HTTP_IDLE, c, "-", "idle connection closed")                                   \
	X(H1_HEAD_TIMEOUT, c, "-", "HTTP/1.1 request head took too long")                \
	X(H2_PREFACE, c, "-", "wrong HTTP/2 preface")                                    \
	X(H2_PROTOCOL, c, "-", "HTTP/2 connection error")                                \
	X(H2_HPACK, c, "-", "HPACK decoding error")                                      \
	X(H2_FLOW, c, "-", "HTTP/2 flow control violated")                               \
	X(H2_SETTINGS_TIMEOUT, c, "-", "SETTINGS not acknowledged in time")              \
	X(H2_PING_TIMEOUT, c, "-", "PING not answered in time")                          \
	X(H2_FLOOD_RESET, c, "-", "too many streams reset early (rapid reset)")          \
	X(H2_FLOOD_CONTROL, c, "-", "too many control frames")                           \
	X(H2_FLOOD_EMPTY, c, "-", "too many empty frames")                               \
	X(H2_FLOOD_CONTINUATION, c, "-", "too many CONTINUATION frames")                 \
	X(H2_FLOOD_PRIORITY, c, "-", "too many PRIORITY frames")                         \
	X(H2_FLOOD_WINDOW, c, "-", "too many WINDOW_UPDATE frames")                      \
	X(H2_FLOOD_OUTBOUND, c, "-", "peer does not read our control frames")            \
	X(H1_SYNTAX, r, "DPE", "malformed HTTP/1.1 message")                             \
	X(H1_SMUGGLING, r, "DPE", "ambiguous HTTP/1.1 message length")                   \
	X(H2_STREAM, r, "DPE", "HTTP/2 stream error")                                    \
	X(HEADERS_TOO_LARGE, r, "DPE", "header block over the limit")                    \
	X(STREAMS_FULL, r, "DPE", "stream or arena pool empty")                          \
	X(TUNNEL, r, "DPE", "CONNECT is not supported")                                  \
	X(NO_ROUTE_MATCH, r, "NR", "no route matches")                                   \
	X(NO_CLUSTER, r, "NC", "route names no cluster")                                 \
	X(NO_HEALTHY, r, "UH", "no healthy endpoint")                                    \
	X(NO_SUBSET, r, "UH", "no endpoint has the subset's labels")                    \
	X(DENIED, r, "RBAC", "denied by authorization")                                  \
	X(EXT_AUTHZ_DENIED, r, "UAEX", "denied by an external authorizer")               \
	X(EXT_AUTHZ_FAILED, r, "UAEX", "no good answer from an external authorizer")     \
	X(TOKEN_MISSING, r, "JWT", "no token, and one is required")                      \
	X(TOKEN_INVALID, r, "JWT", "token malformed or its signature wrong")             \
	X(TOKEN_EXPIRED, r, "JWT", "token expired or not yet valid")                     \
	X(TOKEN_REFUSED, r, "JWT", "token of another issuer or for another audience")    \
	X(RATE_LIMITED, r, "RL", "over a rate limit")                                    \
	X(FAULT_ABORT, r, "FI", "aborted by an injected fault")                          \
	X(REWRITE_LIMIT, r, "DPE", "rewriting took too many steps or made no path")      \
	X(MAINTENANCE, r, "UO", "under maintenance")                                     \
	X(CONNECT_FAILED, r, "UF", "connection to the endpoint failed")                  \
	X(UPSTREAM_TLS, r, "UF", "TLS to the endpoint failed")                           \
	X(UPSTREAM_RESET, r, "UC", "endpoint closed the connection")                     \
	X(UPSTREAM_STREAM_RESET, r, "UR", "endpoint reset the stream")                   \
	X(UPSTREAM_PROTOCOL, r, "UPE", "endpoint broke the protocol")                    \
	X(UPSTREAM_OVERFLOW, r, "UO", "over the cluster's limits")                       \
	X(PENDING_DELAY, r, "UO", "the line for a connection has stood for too long")    \
	X(OVERLOADED, r, "OM", "refused at once: this worker is overloaded")             \
	X(BREAKER_OPEN, r, "UO", "the cluster's breaker is open")                        \
	X(TIMEOUT_TOTAL, r, "UT", "no response within the route's timeout")              \
	X(TIMEOUT_TRY, r, "UT", "no response within the timeout of a try")               \
	X(TIMEOUT_DURATION, r, "DT", "longer than the stream may last")                  \
	X(RETRY_LIMIT, r, "URX", "retries used up")                                      \
	X(RETRY_BUDGET, r, "URX", "retry refused by the cluster's retry budget")         \
	X(RETRY_BODY, r, "URX", "retry refused: the request's body was not kept")        \
	X(RETRY_GUARD, r, "URX", "retry refused: a hop below has retried already")       \
	X(TIMEOUT_IDLE, r, "SI", "stream idle for too long")                             \
	X(DOWNSTREAM_GONE, r, "DC", "client went away before the response")              \
	X(DRAINING, r, "DR", "refused while draining")

enum ss_drop {
	SS_DROP_NONE = 0,
#define SS_DROP_X(name, kind, flag, text) SS_DROP_##name,
	SS_DROP_LIST(SS_DROP_X)
#undef SS_DROP_X
	SS_DROP_COUNT
};

/* Lower-case name ("tcp_no_conn"), the response flag, and the text; "none", "-", "" for SS_DROP_NONE. */
const char *ss_drop_name(enum ss_drop d);
const char *ss_drop_flag(enum ss_drop d);
const char *ss_drop_text(enum ss_drop d);
/* What a refused request is answered with, and gRPC's word for it (its HTTP-to-status table); 502 and 14 where nothing
 * else is said. */
struct ss_drop_answer {
	unsigned short status, grpc;
};
struct ss_drop_answer ss_drop_answer(enum ss_drop d);
/* 'p', 'c' or 'r'. */
char ss_drop_kind(enum ss_drop d);

#endif
