/*
 * port_setup.c - opens, configures and starts a device; closes it again.
 *
 * Every step of open has a sentence for its failure. What the device does not offer is noted here once and
 * replaced by port_io (chains) and by net (checksums).
 */
#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "port/port_int.h"

#define FRAME_OVERHEAD 22 /* Ethernet header, one tag, FCS */
#define POOL_CACHE 256

static const uint64_t rss_wanted = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_IPV6 |
				   RTE_ETH_RSS_NONFRAG_IPV6_TCP;

/* Drivers that compute checksums themselves, in software: ours is no slower and covers chains. tap also
 * spreads by a BPF program that was wrong until DPDK 24.07. */
static const char *const soft_offloads[] = { "net_tap", "net_tun" };

SS_PRINTF(4, 5)
static int fail(const struct ss_port *p, char *err, size_t err_n, const char *format, ...)
{
	va_list ap;
	int n = snprintf(err, err_n, "port %s: ", p->name);

	va_start(ap, format);
	if (n >= 0 && (size_t)n < err_n)
		vsnprintf(err + n, err_n - (size_t)n, format, ap);
	va_end(ap);
	return SS_ERR_CONFIG;
}

/*
 * Packet buffers without gaps between them. The AF_XDP driver tells the kernel of as many bytes as the
 * buffers have in all; by default each buffer would keep clear of page borders, the pool would be longer
 * than that, and the kernel would refuse every frame in its far end without a word (tx_invalid_descs).
 * A device that needs physical addresses keeps the default.
 */
static struct rte_mempool *dense_pool(const char *name, uint32_t n, uint32_t cache, uint16_t room, bool physical)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = room };
	struct rte_mempool *mp =
		rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + room, cache, sizeof(priv), SOCKET_ID_ANY,
					 physical ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	if (!mp)
		return NULL;
	/* With more workers than processors a thread is preempted in the middle of the default ring's
	 * update, and every other one spins: the relaxed tail sync does not. */
	if (rte_mempool_set_ops_byname(mp, "ring_mt_rts", NULL) == 0) {
		rte_pktmbuf_pool_init(mp, &priv);
		if (rte_mempool_populate_default(mp) >= 0) {
			rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
			return mp;
		}
	}
	rte_mempool_free(mp);
	return NULL;
}

static int create_pool(struct ss_port *p, const struct ss_port_conf *conf, char *err, size_t err_n)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	uint32_t room = ss_max_u32(RTE_MBUF_DEFAULT_DATAROOM, RTE_ALIGN_CEIL((uint32_t)p->mtu + FRAME_OVERHEAD, 64)) +
			RTE_PKTMBUF_HEADROOM;
	uint32_t cache = conf->mbufs >= 8 * POOL_CACHE ? POOL_CACHE : 0;
	bool physical = rte_eal_iova_mode() == RTE_IOVA_PA && !p->iface[0];

	snprintf(name, sizeof(name), "ssp_%.20s", p->name);
	p->pool = dense_pool(name, conf->mbufs, cache, (uint16_t)room, physical);
	if (!p->pool)
		return fail(p, err, err_n, "no memory for %u packet buffers", conf->mbufs);
	return 0;
}

/* What the device offers of what we can use. */
static void note_offloads(struct ss_port *p, const struct rte_eth_dev_info *di)
{
	bool soft = false;

	for (size_t i = 0; i < SS_ARRAY_LEN(soft_offloads); i++)
		soft |= strcmp(p->driver, soft_offloads[i]) == 0;
	p->multi_segs = di->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	p->max_segs = !p->multi_segs                   ? 1
		      : di->tx_desc_lim.nb_mtu_seg_max ? di->tx_desc_lim.nb_mtu_seg_max
						       : UINT16_MAX;
	uint64_t tcp = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	p->tx_tcp_csum = !soft && (di->tx_offload_capa & tcp) == tcp;
	p->tx_ip_csum = p->tx_tcp_csum;
	p->rx_csum = !soft && (di->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
	p->rss_hf = soft || p->queues < 2 ? 0 : di->flow_type_rss_offloads & rss_wanted;
	p->rss = p->rss_hf != 0;
}

static int configure(struct ss_port *p, const struct rte_eth_dev_info *di, char *err, size_t err_n)
{
	struct rte_eth_conf c = { .rxmode.mtu = p->mtu, .intr_conf.rxq = 1 };

	if (p->mtu > di->max_mtu || p->mtu < di->min_mtu)
		return fail(p, err, err_n, "mtu %u is outside the device's %u to %u", p->mtu, di->min_mtu, di->max_mtu);
	if (p->multi_segs)
		c.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (p->tx_tcp_csum)
		c.txmode.offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	if (p->rx_csum)
		c.rxmode.offloads |= di->rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
	if (p->rss) {
		c.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		c.rx_adv_conf.rss_conf.rss_hf = p->rss_hf;
	}
	int rc = rte_eth_dev_configure(p->dev, p->queues, p->queues, &c);
	if (rc < 0)
		return fail(p, err, err_n, "cannot configure %u queues: %s", p->queues, rte_strerror(-rc));
	return 0;
}

static int setup_queues(struct ss_port *p, const struct ss_port_conf *conf, const struct rte_eth_dev_info *di,
			char *err, size_t err_n)
{
	uint16_t n_rx = conf->rx_descriptors, n_tx = conf->tx_descriptors;
	struct rte_eth_rxconf rx = di->default_rxconf;
	struct rte_eth_txconf tx = di->default_txconf;
	int socket = rte_eth_dev_socket_id(p->dev);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->dev, &n_rx, &n_tx);

	tx.offloads = 0; /* what the port has configured holds for each queue */
	for (uint16_t q = 0; rc >= 0 && q < p->queues; q++) {
		struct ss_port_fdset before;
		ss_port_fds_now(&before);
		rc = rte_eth_rx_queue_setup(p->dev, q, n_rx, (unsigned)socket, &rx, p->pool);
		if (rc >= 0)
			ss_port_fds_new(&before, &p->fds[q], 1);
		if (rc >= 0)
			rc = rte_eth_tx_queue_setup(p->dev, q, n_tx, (unsigned)socket, &tx);
	}
	if (rc < 0)
		return fail(p, err, err_n, "cannot set up its queues (%u packet buffers, %u and %u descriptors): %s",
			    conf->mbufs, n_rx, n_tx, rte_strerror(-rc));
	return 0;
}

/* tap reports the address of the kernel's end of the wire, ours must differ; net_null and net_ring have none. */
static int choose_mac(struct ss_port *p)
{
	struct rte_ether_addr mac;

	if (rte_eth_macaddr_get(p->dev, &mac) < 0)
		memset(&mac, 0, sizeof(mac));
	if (!rte_is_zero_ether_addr(&mac) && strcmp(p->driver, "net_tap") != 0) {
		memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
		return 0;
	}
	if (getrandom(p->mac, sizeof(p->mac), 0) != (ssize_t)sizeof(p->mac))
		return SS_ERR_FATAL;
	p->mac[0] = (p->mac[0] & 0xfc) | 2; /* locally administered, no group */
	return 0;
}

/* Rings from the workers without a queue to those that send for them. */
static int create_rings(struct ss_port *p, char *err, size_t err_n)
{
	for (uint16_t w = p->queues; w < p->n_workers; w++) {
		char name[RTE_RING_NAMESIZE];
		snprintf(name, sizeof(name), "ssp_%.12s_%u", p->name, w);
		p->rings[w] = rte_ring_create(name, PORT_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!p->rings[w])
			return fail(p, err, err_n, "no memory for its rings: %s", rte_strerror(rte_errno));
	}
	return 0;
}

static void init_queue(struct ss_port *p, uint16_t w)
{
	struct ss_port_q *q = &p->q[w];
	bool owns = w < p->queues;

	*q = (struct ss_port_q){ .port = p,
				 .copy_pool = p->pool,
				 .dev = p->dev,
				 .worker = w,
				 .queue = owns ? w : PORT_NO_QUEUE,
				 .owner = w % p->queues,
				 .to_owner = p->rings[w],
				 .max_segs = p->max_segs,
				 .needs_tcp_csum = !p->tx_tcp_csum,
				 .fd = owns ? p->fds[w] : -1 };
	for (uint16_t other = p->queues; owns && other < p->n_workers; other++)
		if (other % p->queues == w)
			q->in[q->n_in++] = p->rings[other];
}

/* The interface in the kernel that some drivers sit on. The operator set its MTU: we keep below. */
static void note_iface(struct ss_port *p, const char *device)
{
	char iface[IFNAMSIZ];

	if (!ss_port_device_arg(device, "iface", iface, sizeof(iface)))
		return;
	memcpy(p->iface, iface, sizeof(p->iface));
	uint16_t mtu = ss_port_link_mtu(iface);
	if (mtu)
		p->mtu = (uint16_t)ss_min_u32(p->mtu, mtu);
}

/* These two sit on an interface that is there; DPDK's own word for one that is not says nothing. */
static bool lacks_iface(const char *device, char iface[IFNAMSIZ])
{
	bool sits = strncmp(device, "net_af_xdp", 10) == 0 || strncmp(device, "net_af_packet", 13) == 0;

	return sits && ss_port_device_arg(device, "iface", iface, IFNAMSIZ) && if_nametoindex(iface) == 0;
}

static int probe(struct ss_port *p, const struct ss_port_conf *conf, char *err, size_t err_n)
{
	char why[256], iface[IFNAMSIZ];
	struct ss_port_fdset before;
	struct rte_eth_dev_info di;

	if (lacks_iface(conf->device, iface))
		return fail(p, err, err_n, "cannot open \"%s\": no interface %s here", conf->device, iface);
	ss_port_fds_now(&before);
	int rc = ss_port_device_probe(conf->device, (uint16_t)ss_min_u32(conf->queues, conf->n_workers), &p->dev, why,
				      sizeof(why));
	if (rc < 0)
		return fail(p, err, err_n, "%s", why);
	p->probed = true;
	ss_port_fds_new(&before, p->fds, SS_MAX_WORKERS);
	rc = rte_eth_dev_info_get(p->dev, &di);
	if (rc < 0)
		return fail(p, err, err_n, "no facts about the device: %s", rte_strerror(-rc));
	snprintf(p->driver, sizeof(p->driver), "%s", di.driver_name);
	p->queues = (uint16_t)ss_min_u32(ss_max_u32(conf->queues, 1), conf->n_workers);
	p->queues = (uint16_t)ss_min_u32(p->queues, ss_min_u32(di.max_rx_queues, di.max_tx_queues));
	note_iface(p, conf->device);
	note_offloads(p, &di);
	if (p->queues == 0)
		return fail(p, err, err_n, "the device has no queues");
	rc = create_pool(p, conf, err, err_n);
	if (rc == 0)
		rc = configure(p, &di, err, err_n);
	if (rc == 0)
		rc = setup_queues(p, conf, &di, err, err_n);
	return rc;
}

static int start(struct ss_port *p, char *err, size_t err_n)
{
	int rc = rte_eth_dev_start(p->dev);

	if (rc < 0)
		return fail(p, err, err_n, "cannot start: %s", rte_strerror(-rc));
	p->started = true;
	for (uint16_t q = 0; q < p->queues; q++)
		if (p->fds[q] < 0)
			p->fds[q] = ss_port_fd_intr(p->dev, q);
	p->held = rte_mempool_in_use_count(p->pool);
	if (choose_mac(p) < 0)
		return fail(p, err, err_n, "no random numbers for its address");
	rc = create_rings(p, err, err_n);
	for (uint16_t w = 0; rc == 0 && w < p->n_workers; w++)
		init_queue(p, w);
	return rc;
}

int ss_port_open(struct ss_port **out, const struct ss_port_conf *conf, char *err, size_t err_n)
{
	struct ss_port *p = calloc(1, sizeof(*p));

	if (!p) {
		snprintf(err, err_n, "port %s: no memory", conf->name);
		return SS_ERR_NO_MEM;
	}
	snprintf(p->name, sizeof(p->name), "%s", conf->name);
	p->mtu = conf->mtu ? conf->mtu : RTE_ETHER_MTU;
	p->n_workers = conf->n_workers;
	for (uint16_t i = 0; i < SS_MAX_WORKERS; i++)
		p->fds[i] = -1;
	int rc = p->n_workers == 0 || p->n_workers > SS_MAX_WORKERS
			 ? fail(p, err, err_n, "%u workers", p->n_workers)
			 : probe(p, conf, err, err_n);
	if (rc == 0)
		rc = start(p, err, err_n);
	if (rc < 0) {
		ss_port_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

static void free_packets(struct ss_port_q *q)
{
	struct rte_mbuf *m;

	for (uint16_t i = 0; i < q->n_out; i++)
		rte_pktmbuf_free(q->out[i]);
	q->n_out = 0;
	for (uint16_t i = 0; i < q->n_in; i++)
		while (rte_ring_sc_dequeue(q->in[i], (void **)&m) == 0)
			rte_pktmbuf_free(m);
}

void ss_port_settle(struct ss_port *p)
{
	for (uint16_t w = 0; w < p->queues; w++) {
		do /* a device whose other end is gone takes nothing: after so many calls it is dropped */
			ss_port_tx(&p->q[w]);
		while (ss_port_pending(&p->q[w]));
		/* AF_XDP takes back its sent frames at the next call only. Another driver (memif of DPDK 24.11) looks
		 * at the first packet before it looks at how many there are. */
		if (p->iface[0])
			rte_eth_tx_burst(p->dev, w, NULL, 0);
	}
	/* What was on its way when the interface was removed never comes back. */
	if (p->iface[0] && !ss_port_link_mtu(p->iface))
		p->held = rte_mempool_in_use_count(p->pool);
}

void ss_port_close(struct ss_port *p)
{
	struct rte_eth_dev_info di;

	if (!p)
		return;
	ss_port_flows_clear(p);
	for (uint16_t w = 0; w < p->n_workers && w < SS_MAX_WORKERS; w++)
		free_packets(&p->q[w]);
	if (p->started)
		rte_eth_dev_stop(p->dev);
	if (p->probed && rte_eth_dev_info_get(p->dev, &di) == 0) {
		rte_eth_dev_close(p->dev);
		rte_dev_remove(di.device);
	}
	for (uint16_t w = 0; w < SS_MAX_WORKERS; w++)
		rte_ring_free(p->rings[w]);
	rte_mempool_free(p->pool);
	free(p);
}

static bool link_up(const struct ss_port *p)
{
	struct rte_eth_link link;

	if (p->iface[0])
		return ss_port_link_up(p->iface);
	return rte_eth_link_get_nowait(p->dev, &link) == 0 && link.link_status;
}

void ss_port_info(const struct ss_port *p, struct ss_port_info *out)
{
	*out = (struct ss_port_info){ .id = p->dev,
				      .mtu = p->mtu,
				      .queues = p->queues,
				      .link_up = link_up(p),
				      .tx_ip_csum = p->tx_ip_csum,
				      .tx_tcp_csum = p->tx_tcp_csum,
				      .rx_csum = p->rx_csum,
				      .multi_segs = p->multi_segs,
				      .rss = p->rss,
				      .pool_size = p->pool->size,
				      .pool_used = rte_mempool_in_use_count(p->pool),
				      .pool_held = p->held };
	memcpy(out->mac, p->mac, sizeof(out->mac));
	snprintf(out->driver, sizeof(out->driver), "%s", p->driver);
}

const char *ss_port_name(const struct ss_port *p)
{
	return p->name;
}

struct ss_port_q *ss_port_queue(struct ss_port *p, uint16_t worker, struct ss_counters *c)
{
	if (worker >= p->n_workers)
		return NULL;
	p->q[worker].counters = c;
	return &p->q[worker];
}
