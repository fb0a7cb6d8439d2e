/*
 * port_int.h - what the files of this room share.
 *
 * A ss_port_q is either a share of a device (port set) or a simulated one (sim set). out[] holds what was
 * pushed and not yet taken by the device, or not yet by the ring to the worker that owns a queue.
 */
#ifndef SS_PORT_INT_H
#define SS_PORT_INT_H

#include <net/if.h>
#include <rte_ring.h>

#include "base/err.h"
#include "port/port.h"

#define PORT_OUT 512         /* packets waiting for the device, at most */
#define PORT_RING 1024       /* packets on their way from one worker to another */
#define PORT_STALL_CALLS 256 /* calls of ss_port_tx without progress before everything is dropped */
#define PORT_FD_ERRORS 8     /* collected in vain without a packet between: the descriptor is dead */
#define PORT_NO_QUEUE UINT16_MAX

struct ss_port_sim;
struct rte_flow;

struct ss_port_q {
	/* written by control before start */
	struct ss_port *port;
	struct ss_port_sim *sim;
	struct ss_counters *counters;
	struct rte_mempool *copy_pool; /* where linearised packets come from; NULL: the packet's own pool */
	struct rte_ring *to_owner;     /* this worker has no queue: its packets go here */
	uint16_t dev, queue, worker, owner;
	uint16_t max_segs; /* longer chains are copied into one buffer */
	bool needs_tcp_csum;
	int fd;
	uint16_t n_in;
	struct rte_ring *in[SS_MAX_WORKERS]; /* from workers without a queue; drained here */
	/* written by its worker */
	uint16_t n_out, stalled, fd_errors;
	struct rte_mbuf *out[PORT_OUT];
};

/* One rule we asked for; rule is NULL when the driver refused. */
struct port_flow {
	struct rte_flow *rule;
	struct ss_addr addr;
};

struct ss_port {
	char name[32], driver[32];
	char iface[IFNAMSIZ]; /* the kernel interface below, or "" */
	uint16_t dev, mtu, queues, n_workers;
	uint8_t mac[6];
	bool probed, started, rss, tx_ip_csum, tx_tcp_csum, rx_csum, multi_segs;
	uint16_t max_segs;
	uint64_t rss_hf;
	struct rte_mempool *pool;
	struct rte_ring *rings[SS_MAX_WORKERS]; /* of workers without a queue */
	int fds[SS_MAX_WORKERS];
	struct ss_port_q q[SS_MAX_WORKERS];
	uint32_t held; /* buffers that the driver took at start */
	uint16_t n_flows;
	struct port_flow flows[SS_PORT_FLOWS];
	char flow_error[160];
};

/* port_sim.c */
uint16_t ss_port_sim_rx(struct ss_port_sim *s, struct rte_mbuf **m, uint16_t n);
uint16_t ss_port_sim_tx(struct ss_port_sim *s, struct rte_mbuf **m, uint16_t n);
bool ss_port_sim_pending(const struct ss_port_sim *s);

/* port_device.c. Finds or creates the device; err gets a sentence without the port's name. */
int ss_port_device_probe(const char *device, uint16_t queues, uint16_t *id, char *err, size_t err_n);
bool ss_port_device_arg(const char *device, const char *key, char *out, size_t n);

/* port_link.c: the kernel's interface of this name. MTU 0: there is none. */
bool ss_port_link_up(const char *iface);
/* Queues that AF_XDP can use: the "combined" channels, of which a veth has none to show but one to use. */
uint16_t ss_port_link_queues(const char *iface);
uint16_t ss_port_link_mtu(const char *iface);

/* port_fd.c: the packet sockets that this process has open, to tell which ones a call opened. */
#define PORT_MAX_FDS 1024
struct ss_port_fdset {
	uint32_t n;
	int fd[PORT_MAX_FDS];
};
void ss_port_fds_now(struct ss_port_fdset *s);
/* Packet sockets open now that are not in `before`, in ascending order; returns how many. */
uint16_t ss_port_fds_new(const struct ss_port_fdset *before, int *out, uint16_t max);
/* The descriptor of a driver that has receive interrupts, or -1. */
int ss_port_fd_intr(uint16_t dev, uint16_t queue);

#endif
