#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "start/eal.h"

static bool has(const struct ss_eal_args *a, const char *arg)
{
	for (int i = 0; i < a->n; i++)
		if (strcmp(a->v[i], arg) == 0)
			return true;
	return false;
}

static void cores_may_be_shared(void **state)
{
	static struct ss_eal_args a;
	struct ss_model_process p = { .n_workers = 3, .control_core = 1, .worker_core = { 0, 1, 1 } };
	assert_int_equal(ss_eal_args(&a, &p, false), 0);
	assert_true(has(&a, "--lcores=0@1,1@0,2@1,3@1"));
	assert_true(has(&a, "--no-telemetry"));
	assert_null(a.v[a.n]);
	assert_int_equal(ss_eal_args(&a, &p, true), 0);
	assert_false(has(&a, "--no-telemetry"));
}

static void memory_is_one_way_or_the_other(void **state)
{
	static struct ss_eal_args a;
	struct ss_model_process p = { .n_workers = 1, .memory_mb = 300 };
	assert_int_equal(ss_eal_args(&a, &p, false), 0);
	assert_true(has(&a, "--no-huge") && has(&a, "-m") && has(&a, "300"));
	assert_false(has(&a, "--in-memory"));
	p.hugepages = true;
	assert_int_equal(ss_eal_args(&a, &p, false), 0);
	assert_true(has(&a, "--in-memory") && !has(&a, "--no-huge"));
}

static void only_our_pci_devices(void **state)
{
	static struct ss_eal_args a;
	struct ss_model_port ports[] = { { .device = "net_af_xdp0,iface=veth0" }, { .device = "0000:3b:00.1" } };
	struct ss_model_process p = { .n_workers = 1, .n_ports = 1, .ports = ports };
	assert_int_equal(ss_eal_args(&a, &p, false), 0);
	assert_true(has(&a, "--no-pci"));
	p.n_ports = 2;
	assert_int_equal(ss_eal_args(&a, &p, false), 0);
	assert_true(has(&a, "--allow=0000:3b:00.1"));
	assert_false(has(&a, "--no-pci"));
}

static void too_many_is_refused(void **state)
{
	static struct ss_eal_args a;
	static struct ss_model_port ports[SS_EAL_ARGS];
	struct ss_model_process p = { .n_workers = 1, .n_ports = SS_EAL_ARGS, .ports = ports };
	for (int i = 0; i < SS_EAL_ARGS; i++)
		ports[i].device = "01:00.0";
	assert_int_equal(ss_eal_args(&a, &p, false), SS_ERR_FATAL);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(cores_may_be_shared),
					cmocka_unit_test(memory_is_one_way_or_the_other),
					cmocka_unit_test(only_our_pci_devices),
					cmocka_unit_test(too_many_is_refused) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
