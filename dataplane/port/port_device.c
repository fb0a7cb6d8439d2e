/*
 * port_device.c - from a device string to a probed ethdev.
 *
 * Knows the few things about drivers that their device arguments do not say by themselves.
 */
#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/port_int.h"

/* Drivers whose number of queues is an argument of the device. */
static const struct {
	const char *driver, *arg;
} queue_args[] = {
	{ "net_af_xdp", "queue_count" },
	{ "net_af_packet", "qpairs" },
};

/* Copies the value of `key` in a device string; false when it has none. */
bool ss_port_device_arg(const char *device, const char *key, char *out, size_t n)
{
	size_t k = strlen(key);

	for (const char *p = strchr(device, ','); p; p = strchr(p, ',')) {
		p++;
		if (strncmp(p, key, k) != 0 || p[k] != '=')
			continue;
		size_t len = strcspn(p + k + 1, ",");
		snprintf(out, n, "%.*s", (int)len, p + k + 1);
		return true;
	}
	return false;
}

/* Is somebody listening on this unix socket? */
static bool answers(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	/* memif speaks SEQPACKET on its socket */
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return yes;
}

/* A memif server that was killed leaves its socket, and the next one fails with EADDRINUSE. */
static void remove_stale_socket(const char *device)
{
	char path[108], abstract[8] = "yes", role[8] = "";
	struct stat st;

	ss_port_device_arg(device, "socket-abstract", abstract, sizeof(abstract));
	ss_port_device_arg(device, "role", role, sizeof(role));
	if (strcmp(abstract, "no") != 0 || (strcmp(role, "server") != 0 && strcmp(role, "master") != 0) ||
	    !ss_port_device_arg(device, "socket", path, sizeof(path)))
		return;
	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && !answers(path))
		unlink(path);
}

int ss_port_device_probe(const char *device, uint16_t queues, uint16_t *id, char *err, size_t err_n)
{
	char name[64], full[256], arg[8];
	size_t len = strcspn(device, ",");
	const char *extra = NULL;

	if (len == 0 || len >= sizeof(name)) {
		snprintf(err, err_n, "\"%s\" names no device", device);
		return SS_ERR_CONFIG;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, device);
	if (rte_eth_dev_get_port_by_name(name, id) == 0) {
		if (strchr(name, ':')) /* a PCI device that the EAL found at start */
			return 0;
		snprintf(err, err_n, "device name %s is already in use", name);
		return SS_ERR_CONFIG;
	}
	char iface[IFNAMSIZ];
	if (strncmp(name, "net_af_xdp", 10) == 0 && ss_port_device_arg(device, "iface", iface, sizeof(iface)))
		queues = (uint16_t)ss_min_u32(queues, ss_port_link_queues(iface));
	for (size_t i = 0; i < SS_ARRAY_LEN(queue_args); i++)
		if (strncmp(name, queue_args[i].driver, strlen(queue_args[i].driver)) == 0 &&
		    !ss_port_device_arg(device, queue_args[i].arg, arg, sizeof(arg)))
			extra = queue_args[i].arg;
	if (extra && queues > 1)
		snprintf(full, sizeof(full), "%s,%s=%u", device, extra, queues);
	else
		snprintf(full, sizeof(full), "%s", device);
	if (strncmp(name, "net_memif", 9) == 0)
		remove_stale_socket(device);
	int rc = rte_dev_probe(full);
	if (rc < 0) {
		snprintf(err, err_n, "cannot open \"%s\": %s", full, rte_strerror(-rc));
		return SS_ERR_CONFIG;
	}
	if (rte_eth_dev_get_port_by_name(name, id) < 0) {
		snprintf(err, err_n, "\"%s\" is no network device", full);
		return SS_ERR_CONFIG;
	}
	return 0;
}
