/*
 * net_int.h - what the files of this room share: interfaces, routes, neighbours.
 *
 * Inside the room an IPv4 address is a number in host order: it is compared, masked and hashed.
 */
#ifndef SS_NET_INT_H
#define SS_NET_INT_H

#include "base/map.h"
#include "net/net.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"

#define NET_MAX_LOCALS (SS_MAX_PORTS * SS_NET_MAX_ADDRS)
#define NET_LOCAL_SLOTS 1024 /* a power of two, twice NET_MAX_LOCALS */
#define NET_TTL 64           /* RFC 1700, RFC 1122 3.2.1.7 */
#define NET_IP_TCP_OVERHEAD 40

/* Neighbours. Times follow RFC 4861 10, which ARP (RFC 826) leaves open. */
#define NEIGH_REACHABLE_NS (30 * SS_NS_PER_SEC)
#define NEIGH_RETRY_NS (1 * SS_NS_PER_SEC) /* RFC 1122 2.3.2.1: at most one request a second */
#define NEIGH_TRIES 3
/* Packets that wait for answers. One neighbour has as many as places are left (a dynamic threshold: Choudhury, Hahne 1998),
 * so at most half of all, and the next half of the rest: a burst of first connections to one endpoint goes out
 * together, where a SYN that is dropped costs a second. RFC 1122 2.3.2.2 asks for one or more. */
#define NEIGH_PARKED_ALL 1024
#define NEIGH_CACHE 256 /* a power of two */
#define NEIGH_NONE UINT16_MAX
#define NEIGH_MAX 32768

/* RFC 5227 1.1: ANNOUNCE_NUM, ANNOUNCE_INTERVAL */
#define NET_ANNOUNCE_NUM 2
#define NET_ANNOUNCE_NS (2 * SS_NS_PER_SEC)

/* ICMP echo: replies a second, and in one burst */
#define NET_ICMP_RATE 1000
#define NET_ICMP_BURST 200

struct net_if {
	uint8_t mac[6];
	uint16_t mtu;
	bool answers;
	struct ss_port_q *port;
	uint16_t n_addrs;
	uint32_t addrs[SS_NET_MAX_ADDRS];
	uint32_t gateway; /* 0: none */
	uint8_t announces_left;
	uint64_t announce_at;
};

/* A connected prefix. Sorted by falling length. */
struct net_route {
	uint32_t net, mask, source;
	uint8_t iface;
};

enum neigh_state {
	NEIGH_FREE = 0,
	NEIGH_ASKING,  /* no address yet; packets wait */
	NEIGH_KNOWN,   /* confirmed; stale when that is long ago */
	NEIGH_PROBING, /* stale, in use, asked again */
};

struct neigh {
	uint32_t ip;
	uint8_t iface, state, tries;
	uint8_t mac[6];
	uint64_t confirmed, used;
	uint64_t due; /* SS_NEVER: nothing to do */
	uint16_t n_parked, first, last;
};

/* A packet that waits: a complete frame but for its destination address. */
struct net_parked {
	struct rte_mbuf *m;
	uint16_t next;
};

struct ss_net {
	uint16_t n_ifs, n_routes;
	struct net_if ifs[SS_MAX_PORTS];
	struct net_route routes[NET_MAX_LOCALS];
	uint32_t locals[NET_LOCAL_SLOTS]; /* open addressing; 0: empty */
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
	uint64_t next; /* earliest due or announce_at */
	uint16_t ip_id;
	uint32_t icmp_tokens;
	uint64_t icmp_filled;
	/* neighbours */
	uint32_t max_neighs, n_neighs, held;
	struct neigh *neighs;
	uint16_t free_neigh, free_parked; /* heads of free lists, by first and next */
	uint16_t cache[NEIGH_CACHE];
	struct ss_map *map; /* (ip, iface) to index */
	struct net_parked parked[NEIGH_PARKED_ALL];
	uint32_t n_parked; /* of all neighbours */
};

/* Where a packet goes next. */
struct net_hop {
	uint8_t iface;
	uint32_t ip;     /* neighbour */
	uint32_t source; /* our address there */
};

static inline void ss_net_drop(struct ss_net *n, struct rte_mbuf *m, enum ss_drop why)
{
	ss_count_drop(n->counters, why);
	rte_pktmbuf_free(m);
}

static inline uint32_t ss_net_local_slot(uint32_t ip)
{
	return (ip * 2654435761u) >> 22; /* NET_LOCAL_SLOTS is 2^10 */
}

static inline bool ss_net_has(const struct ss_net *n, uint32_t ip)
{
	for (uint32_t i = ss_net_local_slot(ip); n->locals[i]; i = (i + 1) % NET_LOCAL_SLOTS)
		if (n->locals[i] == ip)
			return true;
	return false;
}

/* net.c. 0 or SS_ERR_NOT_FOUND. prefer: our address when several gateways would do, or 0. */
int ss_net_route(const struct ss_net *n, uint32_t dst, uint32_t prefer, struct net_hop *out);

/* net_out.c. Writes the Ethernet header in front of m and pushes it; takes m. */
void ss_net_frame(struct ss_net *n, uint8_t iface, const uint8_t dst[6], uint16_t type, struct rte_mbuf *m);

/* net_neigh.c */
int ss_net_neigh_create(struct ss_net *n, uint32_t max);
void ss_net_neigh_free(struct ss_net *n);
/* Sends m (data starts at IP) to a neighbour, now or when it has answered. Takes m. */
void ss_net_neigh_send(struct ss_net *n, uint8_t iface, uint32_t ip, struct rte_mbuf *m, uint64_t now);
/* What ARP said. create: the sender talks to us, so we shall need it (RFC 826). */
void ss_net_neigh_learn(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t mac[6], bool create,
			uint64_t now);
/* A packet of that neighbour came in: it lives. */
void ss_net_neigh_confirm(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t mac[6], uint64_t now);
void ss_net_neigh_expire(struct ss_net *n, uint64_t now);

/* net_arp.c. p: the ARP packet inside m. Takes m. */
void ss_net_arp_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint32_t l2, uint64_t now);
/* Asks who has ip: everyone, or (dst) the station that had it. */
void ss_net_arp_ask(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t *dst);
void ss_net_arp_announce(struct ss_net *n, uint8_t iface);

/* net_icmp.c. m starts at the frame; l3 is the offset of ICMP, len its length. Takes m. */
void ss_net_icmp_input(struct ss_net *n, uint8_t iface, struct rte_mbuf *m, uint32_t l2, uint32_t l3,
		       const struct ss_iphdr *ip, uint64_t now);

#endif
