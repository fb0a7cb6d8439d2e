/*
 * port_link.c - what the kernel knows about the interface below a port.
 *
 * The drivers on kernel interfaces report a link that is always up, even when the interface is gone.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/port_int.h"

static bool ask(const char *iface, unsigned long request, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	memset(r, 0, sizeof(*r));
	strncpy(r->ifr_name, iface, IFNAMSIZ - 1);
	bool ok = ioctl(fd, request, r) == 0;
	close(fd);
	return ok;
}

bool ss_port_link_up(const char *iface)
{
	struct ifreq r;

	return ask(iface, SIOCGIFFLAGS, &r) && (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
}

uint16_t ss_port_link_mtu(const char *iface)
{
	struct ifreq r;

	return ask(iface, SIOCGIFMTU, &r) && r.ifr_mtu > 0 ? (uint16_t)ss_min_u32((uint32_t)r.ifr_mtu, UINT16_MAX) : 0;
}
