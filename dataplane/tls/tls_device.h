/*
 * tls_device.h - a crypto device (DPDK cryptodev) that opens and seals records.
 *
 * Takes:   a PCI address, or a virtual device's name ("crypto_aesni_gcm", arguments after a comma); how many expanded
 *          keys each worker holds at most (0: 2,048).
 * Gives:   a started device with one queue pair for each worker; what a worker needs to use its own.
 * Owns:    the device, its sessions (expanded keys) and operations.
 * Thread:  control opens and closes; a worker uses nothing but its queue.
 * Errors:  SS_ERR_CONFIG (no such device, or it cannot AES-GCM in place), SS_ERR_NO_MEM, SS_ERR_FATAL, each with a
 *          sentence.
 */
#ifndef SS_TLS_DEVICE_H
#define SS_TLS_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct ss_tls_device;
struct rte_mempool;

int ss_tls_device_open(struct ss_tls_device **out, const char *name, uint16_t queues, uint32_t keys, char *err,
		       size_t err_n);
/* After the last worker has ended. */
void ss_tls_device_close(struct ss_tls_device *d);

/* For tls_aead_device.c. */
uint8_t ss_tls_device_id(const struct ss_tls_device *d);
uint16_t ss_tls_device_queues(const struct ss_tls_device *d);
struct rte_mempool *ss_tls_device_sessions(const struct ss_tls_device *d);

#endif
