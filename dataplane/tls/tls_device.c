/* tls_device.c - finds a crypto device, asks it what it can, and starts it. */
#define ALLOW_EXPERIMENTAL_API /* rte_cryptodev_sym_session_pool_create, in 22.11; stable in 24.11 */
#include "tls/tls_device.h"

#include <rte_dev.h>
#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/tls_int.h"

#define DESCRIPTORS 128
#define AAD 5u /* a record's header: RFC 8446 5.2 */

struct ss_tls_device {
	uint8_t id;
	uint16_t queues;
	bool made, started; /* made: a virtual device, which goes with us */
	char name[RTE_CRYPTODEV_NAME_MAX_LEN];
	struct rte_mempool *sessions;
};

/* "NAME" or "NAME,ARGUMENTS" */
static int find(struct ss_tls_device *d, const char *text, char *err, size_t err_n)
{
	const char *comma = strchr(text, ',');
	int n = comma ? (int)(comma - text) : (int)strlen(text), id, code = 0;

	if (n >= (int)sizeof(d->name)) {
		snprintf(err, err_n, "tls.crypto_device: \"%s\" is longer than a device's name may be", text);
		return SS_ERR_CONFIG;
	}
	memcpy(d->name, text, (size_t)n);
	d->name[n] = '\0';
	/* One on a bus is there since the start; a virtual one is made. */
	if (rte_cryptodev_get_dev_id(d->name) < 0) {
		code = rte_eal_hotplug_add("vdev", d->name, comma ? comma + 1 : "");
		d->made = code == 0;
	}
	id = rte_cryptodev_get_dev_id(d->name);
	if (id < 0) {
		snprintf(err, err_n, "tls.crypto_device: there is no crypto device \"%s\", and none can be made: %s", d->name,
			 rte_strerror(code < 0 ? -code : ENODEV));
		return SS_ERR_CONFIG;
	}
	d->id = (uint8_t)id;
	return 0;
}

/* AES-GCM with keys of both lengths, where the bytes lie, also over several mbufs. */
static int check(const struct ss_tls_device *d, uint16_t queues, char *err, size_t err_n)
{
	struct rte_cryptodev_sym_capability_idx what = { .type = RTE_CRYPTO_SYM_XFORM_AEAD,
							 .algo.aead = RTE_CRYPTO_AEAD_AES_GCM };
	const struct rte_cryptodev_symmetric_capability *can = rte_cryptodev_sym_capability_get(d->id, &what);
	struct rte_cryptodev_info info;
	const char *lacks = NULL;

	rte_cryptodev_info_get(d->id, &info);
	if (!can || rte_cryptodev_sym_capability_check_aead(can, 16, TLS_TAG, AAD, TLS_IV) != 0 ||
	    rte_cryptodev_sym_capability_check_aead(can, 32, TLS_TAG, AAD, TLS_IV) != 0)
		lacks = "AES-128-GCM and AES-256-GCM as TLS 1.3 uses them";
	else if (!(info.feature_flags & RTE_CRYPTODEV_FF_IN_PLACE_SGL))
		lacks = "work in place over several buffers";
	else if (info.max_nb_queue_pairs < queues)
		lacks = "a queue pair for each worker";
	if (!lacks)
		return 0;
	snprintf(err, err_n, "tls.crypto_device: \"%s\" (%s) lacks %s", d->name, info.driver_name, lacks);
	return SS_ERR_CONFIG;
}

/* What a queue holds at once: a session for each slot, and one that is being replaced. */
static int start(struct ss_tls_device *d, uint16_t queues, uint32_t keys, char *err, size_t err_n)
{
	uint32_t many = queues * ((keys ? keys : TLS_KEYS) + 1u);
	struct rte_cryptodev_config conf = { .socket_id = rte_cryptodev_socket_id(d->id),
					     .nb_queue_pairs = queues,
					     .ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO |
							   RTE_CRYPTODEV_FF_SECURITY };
	struct rte_cryptodev_qp_conf qp = { .nb_descriptors = DESCRIPTORS };
	int code;

	d->queues = queues;
	d->sessions = rte_cryptodev_sym_session_pool_create("tls sessions", many,
							    rte_cryptodev_sym_get_private_session_size(d->id), 0, 0,
							    SOCKET_ID_ANY);
	if (!d->sessions) {
		snprintf(err, err_n, "tls.crypto_device: no memory for %u keys of \"%s\"", many, d->name);
		return SS_ERR_NO_MEM;
	}
	qp.mp_session = d->sessions;
	code = rte_cryptodev_configure(d->id, &conf);
	for (uint16_t q = 0; code == 0 && q < queues; q++)
		code = rte_cryptodev_queue_pair_setup(d->id, q, &qp, conf.socket_id);
	if (code == 0)
		code = rte_cryptodev_start(d->id);
	d->started = code == 0;
	if (code == 0)
		return 0;
	snprintf(err, err_n, "tls.crypto_device: \"%s\" does not start: %s", d->name, rte_strerror(-code));
	return SS_ERR_FATAL;
}

int ss_tls_device_open(struct ss_tls_device **out, const char *name, uint16_t queues, uint32_t keys, char *err,
		       size_t err_n)
{
	struct ss_tls_device *d = calloc(1, sizeof(*d));
	int code;

	*out = NULL;
	if (!d) {
		snprintf(err, err_n, "tls.crypto_device: no memory");
		return SS_ERR_NO_MEM;
	}
	if ((code = find(d, name, err, err_n)) < 0 || (code = check(d, queues, err, err_n)) < 0 ||
	    (code = start(d, queues, keys, err, err_n)) < 0) {
		ss_tls_device_close(d);
		return code;
	}
	*out = d;
	return 0;
}

void ss_tls_device_close(struct ss_tls_device *d)
{
	if (!d)
		return;
	if (d->started) {
		rte_cryptodev_stop(d->id);
		rte_cryptodev_close(d->id);
	}
	if (d->made)
		rte_eal_hotplug_remove("vdev", d->name);
	rte_mempool_free(d->sessions);
	free(d);
}

uint8_t ss_tls_device_id(const struct ss_tls_device *d)
{
	return d->id;
}

uint16_t ss_tls_device_queues(const struct ss_tls_device *d)
{
	return d->queues;
}

struct rte_mempool *ss_tls_device_sessions(const struct ss_tls_device *d)
{
	return d->sessions;
}
