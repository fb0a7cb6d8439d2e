#include "start/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

static int add(struct ss_eal_args *a, const char *fmt, ...) SS_PRINTF(2, 3);
static int add(struct ss_eal_args *a, const char *fmt, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(a->text + a->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || a->n == SS_EAL_ARGS)
		return SS_ERR_FATAL;
	a->v[a->n++] = a->text + a->used;
	a->used += (size_t)n + 1;
	return 0;
}

/* "0@1,1@2,2@2": lcore at processor. Several lcores may share a processor; then they are threads on it. */
static int add_lcores(struct ss_eal_args *a, const struct ss_model_process *p)
{
	char map[SS_MAX_WORKERS * 16];
	size_t n = (size_t)snprintf(map, sizeof(map), "0@%u", p->control_core);
	for (uint32_t i = 0; i < p->n_workers && n < sizeof(map); i++)
		n += (size_t)snprintf(map + n, sizeof(map) - n, ",%u@%u", i + 1, p->worker_core[i]);
	return n < sizeof(map) ? add(a, "--lcores=%s", map) : SS_ERR_FATAL;
}

/* "0000:01:00.0" or "01:00.0"; everything else is a virtual device that its user creates. */
static bool is_pci(const char *device)
{
	unsigned domain, bus, dev, fn;
	return sscanf(device, "%x:%x:%x.%x", &domain, &bus, &dev, &fn) == 4 ||
	       sscanf(device, "%x:%x.%x", &bus, &dev, &fn) == 3;
}

static int add_devices(struct ss_eal_args *a, const struct ss_model_process *p)
{
	int err = 0, pci = 0;

	if (p->crypto_device && is_pci(p->crypto_device)) {
		pci++;
		err |= add(a, "--allow=%s", p->crypto_device);
	}
	for (uint32_t i = 0; i < p->n_ports; i++) {
		if (!is_pci(p->ports[i].device))
			continue;
		pci++;
		err |= add(a, "--allow=%s", p->ports[i].device);
	}
	return pci ? err : add(a, "--no-pci");
}

/*
 * Hugepages come from memory files: no mount, and nothing is left after a crash. Without them memory is
 * anonymous. The two ways exclude each other: --in-memory with --no-huge leaves drivers without
 * descriptors to share their memory by.
 */
static int add_memory(struct ss_eal_args *a, const struct ss_model_process *p)
{
	int err = add(a, "-m") | add(a, "%u", p->memory_mb);
	if (p->hugepages)
		return err | add(a, "--in-memory");
	err |= add(a, "--no-huge") | add(a, "--no-shconf");
	return err | add(a, "--file-prefix=sidestep%d", (int)getpid());
}

int ss_eal_args(struct ss_eal_args *a, const struct ss_model_process *p, bool telemetry)
{
	a->n = 0;
	a->used = 0;
	int err = add(a, "sidestep") | add_lcores(a, p) | add_memory(a, p) | add_devices(a, p);
	err |= add(a, "--log-level=error");
	if (!telemetry)
		err |= add(a, "--no-telemetry");
	a->v[a->n] = NULL;
	return err < 0 ? SS_ERR_FATAL : 0;
}

/* The EAL answers a core that is not there with its whole manual; one sentence is enough. */
static int check_core(const cpu_set_t *ours, uint32_t core, const char *key, char *err, size_t err_n)
{
	if (core < CPU_SETSIZE && CPU_ISSET(core, ours))
		return 0;
	snprintf(err, err_n, "%s: this process may not run on CPU %u", key, core);
	return SS_ERR_FATAL;
}

static int check_cores(const struct ss_model_process *p, char *err, size_t err_n)
{
	cpu_set_t ours;
	if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
		return 0; /* more CPUs than the set holds: let the EAL decide */
	int code = check_core(&ours, p->control_core, "workers.control_core", err, err_n);
	for (uint32_t i = 0; code == 0 && i < p->n_workers; i++)
		code = check_core(&ours, p->worker_core[i], "workers.cores", err, err_n);
	return code;
}

int ss_eal_start(const struct ss_model_process *p, bool telemetry, char *err, size_t err_n)
{
	struct ss_eal_args a;
	if (check_cores(p, err, err_n) < 0)
		return SS_ERR_FATAL;
	if (ss_eal_args(&a, p, telemetry) < 0) {
		snprintf(err, err_n, "more devices or cores than EAL arguments can say");
		return SS_ERR_FATAL;
	}
	int code = rte_eal_init(a.n, a.v);
	rmdir(rte_eal_get_runtime_dir()); /* made even when nothing is shared, and then it is empty */
	if (code < 0) {
		snprintf(err, err_n, "DPDK does not start: %s (cores %s, %u MB, hugepages %s)",
			 rte_strerror(rte_errno), a.v[1], p->memory_mb, p->hugepages ? "on" : "off");
		return SS_ERR_FATAL;
	}
	return 0;
}

void ss_eal_stop(void)
{
	rte_eal_cleanup();
}
