/*
 * port_link.c - what the kernel knows about the interface below a port.
 *
 * The drivers on kernel interfaces report a link that is always up, even when the interface is gone.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/port_int.h"

static bool ask(const char *iface, unsigned long request, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", iface);
	bool ok = ioctl(fd, request, r) == 0;
	close(fd);
	return ok;
}

bool ss_port_link_up(const char *iface)
{
	struct ifreq r = { 0 };

	return ask(iface, SIOCGIFFLAGS, &r) && (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
}

uint16_t ss_port_link_queues(const char *iface)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_data = (char *)&c };

	return ask(iface, SIOCETHTOOL, &r) && c.max_combined ? (uint16_t)ss_min_u32(c.max_combined, UINT16_MAX) : 1;
}

uint16_t ss_port_link_mtu(const char *iface)
{
	struct ifreq r = { 0 };

	return ask(iface, SIOCGIFMTU, &r) && r.ifr_mtu > 0 ? (uint16_t)ss_min_u32((uint32_t)r.ifr_mtu, UINT16_MAX) : 0;
}
