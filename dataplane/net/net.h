/*
 * net.h - Ethernet, neighbours and IP, for one worker.
 *
 * Takes:   received frames; payloads to send.
 * Gives:   TCP segments with their header parsed; frames to the port.
 * Owns:    neighbour entries and the packets that wait for an answer to ARP.
 * Thread:  one worker.
 * Time:    nanoseconds, passed in.
 * Errors:  a refused packet is freed and counted (contract/drops.h).
 *
 * Answers ARP and ICMP echo for the addresses of its interfaces. IPv4 now; addresses are
 * struct ss_ip everywhere so that IPv6 fits.
 */
#ifndef SS_NET_H
#define SS_NET_H

#include <rte_mbuf.h>

#include "base/addr.h"
#include "buf/buf.h"
#include "contract/counters.h"
#include "port/port.h"
#include "wire/tcphdr.h"

struct ss_net;

#define SS_NET_MAX_ADDRS 64

struct ss_net_addr {
	struct ss_ip ip;
	uint8_t prefix; /* bits */
};

struct ss_net_if_conf {
	const char *name;
	uint8_t mac[6];
	uint16_t mtu;
	uint16_t n_addrs;
	struct ss_net_addr addrs[SS_NET_MAX_ADDRS];
	struct ss_ip gateway; /* family 0: none */
	struct ss_port_q *port;
	bool announce; /* this worker sends the gratuitous ARP at start */
	bool answers;  /* this worker answers ARP and ICMP (one worker per interface does) */
};

struct ss_net_conf {
	uint16_t n_ifs;
	const struct ss_net_if_conf *ifs;
	uint32_t max_neighbours;
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
};

/* One received segment. m's data starts at the TCP payload and ends with it (padding is cut off). */
struct ss_seg {
	struct rte_mbuf *m;     /* owned by whoever holds the segment */
	struct ss_tuple tuple;  /* from our side: local is the destination */
	struct ss_tcphdr h;     /* parsed and checksummed */
	uint16_t payload;       /* bytes */
	uint8_t iface;          /* where it came in */
	bool ce;                /* IP ECN congestion experienced */
};

struct ss_segs {
	uint16_t n;
	struct ss_seg v[SS_BURST * 4];
};

/*
 * Which worker a raw frame belongs to, where a port cannot steer: the worker of its TCP tuple;
 * SS_NET_EVERYONE for ARP (each worker keeps its own neighbours: hand a copy to each, only the one
 * with `answers` replies); 0 for everything else, malformed frames included. m is only read.
 */
#define SS_NET_EVERYONE UINT16_MAX
uint16_t ss_net_steer(const struct rte_mbuf *m, uint16_t n_workers);
/* The same decision for a tuple seen from our side: a connect picks a local port by it. */
uint16_t ss_net_steer_tuple(const struct ss_tuple *t, uint16_t n_workers);

int ss_net_create(struct ss_net **out, const struct ss_net_conf *conf, uint64_t now);
void ss_net_free(struct ss_net *n);

/* Takes all n frames of interface iface; appends TCP segments to segs (which has room for them). */
void ss_net_input(struct ss_net *n, uint8_t iface, struct rte_mbuf **m, uint16_t count, uint64_t now,
		  struct ss_segs *segs);
/*
 * Sends one TCP segment: m's data starts at the TCP header, which is complete but for its checksum;
 * payload may be chained. Takes m always. Fills the checksum (or asks the device to), the IP header,
 * the frame. A next hop that is not yet known parks the packet (bounded) and asks by ARP.
 */
void ss_net_output_tcp(struct ss_net *n, struct rte_mbuf *m, const struct ss_ip *src,
		       const struct ss_ip *dst, uint64_t now);
/* Ageing, ARP again. Nothing to do, and cheap, before the time that ss_net_next gives. */
void ss_net_expire(struct ss_net *n, uint64_t now);
uint64_t ss_net_next(const struct ss_net *n);
/* Our address towards dst, by route; SS_ERR_NOT_FOUND without one. */
int ss_net_source(const struct ss_net *n, const struct ss_ip *dst, struct ss_ip *src);
/* Largest TCP segment (payload + options over 20) towards dst: path MTU less 40. */
uint16_t ss_net_mss(const struct ss_net *n, const struct ss_ip *dst);
bool ss_net_is_local(const struct ss_net *n, const struct ss_ip *ip);
/* Drops every packet that waits for a next hop's answer: the worker has stopped, none will come. */
void ss_net_stop(struct ss_net *n);
/* mbufs parked here. */
uint32_t ss_net_held(const struct ss_net *n);

#endif
