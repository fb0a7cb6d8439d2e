/*
 * port.h - network ports of the process, and one worker's share of one port: bursts in, bursts out.
 *
 * Takes:   a device name (PCI address or vdev string) and sizes; mbufs to send.
 * Gives:   received mbufs; link state; what the device offers.
 * Owns:    the ethdev; mbufs handed to tx until the device takes them.
 * Thread:  open/close/info: control. rx/tx on a ss_port_q: its worker only.
 * Errors:  SS_ERR_CONFIG with a message naming the port; refused packets are freed and counted.
 *
 * A worker that has no queue of a port sends through its owner: a single-producer single-consumer
 * ring per pair, drained by the owner in ss_port_tx. Knows nothing about what is in a packet.
 *
 * A port on a kernel interface (iface= in its device string) follows that interface's link state.
 * Flow rules (ss_port_flows_*) are an optimisation that a driver may refuse: its own words are kept.
 */
#ifndef SS_PORT_H
#define SS_PORT_H

#include <rte_mbuf.h>

#include "base/addr.h"
#include "base/base.h"
#include "contract/counters.h"

#define SS_BURST 64
#define SS_MAX_PORTS 8
#define SS_PORT_FLOWS 64 /* flow rules of one port */

struct ss_port;   /* one device, process-wide */
struct ss_port_q; /* one worker's view of it */

struct ss_port_conf {
	const char *name;   /* ours, for messages and metrics */
	const char *device; /* "0000:01:00.0" or "net_af_xdp0,iface=veth0" */
	uint16_t queues;    /* wanted; fewer are used when the device has fewer */
	uint16_t n_workers;
	uint16_t mtu;
	uint16_t rx_descriptors, tx_descriptors;
	uint32_t mbufs;     /* of the port's receive pool */
};

struct ss_port_info {
	uint16_t id;     /* DPDK's */
	uint8_t mac[6];
	uint16_t mtu, queues;
	bool link_up;
	bool tx_ip_csum, tx_tcp_csum, rx_csum, multi_segs, rss;
	char driver[32];
	uint32_t pool_size, pool_used; /* receive pool; used: out of it now */
	uint32_t pool_held;            /* what the driver took at start and keeps by itself */
};

/* Opens, configures and starts. err (err_n bytes) gets a sentence on failure. May block. */
int ss_port_open(struct ss_port **out, const struct ss_port_conf *conf, char *err, size_t err_n);
void ss_port_close(struct ss_port *p);
/* After the workers have stopped: sends what waits and takes back what the device is done with, so that
 * in ss_port_info used equals held unless somebody holds a received packet. */
void ss_port_settle(struct ss_port *p);
void ss_port_info(const struct ss_port *p, struct ss_port_info *out);
const char *ss_port_name(const struct ss_port *p);

/* Worker w's share. Queue i of q queues belongs to worker i; workers q and up hold no queue. */
struct ss_port_q *ss_port_queue(struct ss_port *p, uint16_t worker, struct ss_counters *c);
/* Up to SS_BURST packets into m; 0 when this worker owns no queue. Gives them to the caller. */
uint16_t ss_port_rx(struct ss_port_q *q, struct rte_mbuf **m);
/* Takes m always; it leaves with the next ss_port_tx. Chains are copied where the device needs it. */
void ss_port_push(struct ss_port_q *q, struct rte_mbuf *m);
/*
 * Sends what was pushed (and what other workers pushed through us). What the device does not take
 * stays for a few more calls (ss_port_pending says so), then it is freed and counted. Returns the
 * workers (bit i: worker i) to wake when asleep: their rings got packets of ours to send.
 */
uint32_t ss_port_tx(struct ss_port_q *q);
/* Does anything wait in this queue's rings or buffers? */
bool ss_port_pending(const struct ss_port_q *q);
/* Descriptor that becomes readable when packets arrive, or -1: this queue cannot sleep (the worker
 * then naps by time). Not owned by the caller. */
int ss_port_fd(struct ss_port_q *q);
/* poll said that this descriptor is in error: an interface that went down has one to collect, one that was
 * removed stays in error for ever and gives no descriptor any more. */
void ss_port_fd_error(struct ss_port_q *q);
/* Offload facts the stack above needs, constant after open. */
bool ss_port_needs_tcp_csum(const struct ss_port_q *q);

/*
 * Asks the device to steer packets for these addresses (TCP: with port; port 0: any) to the workers'
 * queues, the rest to queue 0. 0 when every rule was taken, else SS_ERR_REFUSED: ss_port_flows says
 * why. Replaces the rules of an earlier call. Control only.
 */
int ss_port_flows_set(struct ss_port *p, const struct ss_addr *addrs, uint16_t n);
/* Removes our rules; ss_port_close does so too. */
void ss_port_flows_clear(struct ss_port *p);
/* Writes one line a rule, or the driver's refusal, to buf (NUL-terminated); returns the length written. */
size_t ss_port_flows(const struct ss_port *p, char *buf, size_t n);

/* An in-memory port for tests: what is pushed comes out of ss_port_sim_take, what is put in is received. */
struct ss_port_q *ss_port_sim_create(struct ss_counters *c, bool multi_segs);
void ss_port_sim_free(struct ss_port_q *q);
void ss_port_sim_put(struct ss_port_q *q, struct rte_mbuf *m);
struct rte_mbuf *ss_port_sim_take(struct ss_port_q *q);

#endif
