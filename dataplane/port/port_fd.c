/*
 * port_fd.c - descriptors to sleep on.
 *
 * AF_XDP and af_packet have no receive interrupt, but each of their queues is a socket of this process.
 * Which one belongs to which queue shows by looking at the process's descriptors before and after the call
 * that opens it, so several such ports can live side by side. tap has the interrupt API.
 */
#include <dirent.h>
#include <errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "port/port_int.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

static bool is_packet_socket(int fd)
{
	int domain = 0;
	socklen_t n = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
	       (domain == AF_XDP || domain == AF_PACKET);
}

void ss_port_fds_now(struct ss_port_fdset *s)
{
	DIR *d = opendir("/proc/self/fd");

	s->n = 0;
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d)) && s->n < PORT_MAX_FDS;) {
		char *end;
		long fd = strtol(e->d_name, &end, 10);
		if (end != e->d_name && *end == 0 && is_packet_socket((int)fd))
			s->fd[s->n++] = (int)fd;
	}
	closedir(d);
}

static bool has(const struct ss_port_fdset *s, int fd)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->fd[i] == fd)
			return true;
	return false;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

uint16_t ss_port_fds_new(const struct ss_port_fdset *before, int *out, uint16_t max)
{
	struct ss_port_fdset now;
	uint16_t n = 0;

	ss_port_fds_now(&now);
	qsort(now.fd, now.n, sizeof(now.fd[0]), by_number);
	for (uint32_t i = 0; i < now.n && n < max; i++)
		if (!has(before, now.fd[i]))
			out[n++] = now.fd[i];
	return n;
}

int ss_port_fd_intr(uint16_t dev, uint16_t queue)
{
	/* tap's descriptor is readable as long as packets wait and needs no arming. A driver that has to
	 * be armed fires once: its queue is napped on, until the worker learns to arm it. */
	if (rte_eth_dev_rx_intr_enable(dev, queue) != -ENOTSUP)
		return -1;
	int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(dev, queue);
	return fd < 0 ? -1 : fd;
}

void ss_port_fd_error(struct ss_port_q *q)
{
	int error;
	socklen_t n = sizeof(error);

	if (q->fd < 0)
		return;
	/* Reading the error clears it: ENETDOWN of an interface that may come up again. */
	if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || ++q->fd_errors == PORT_FD_ERRORS)
		q->fd = -1;
}
