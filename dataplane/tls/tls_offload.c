/*
 * tls_offload.c - what a handshake's wait for an engine amounts to: counted for its worker, and told to the offload,
 * which control turns off when nothing good comes of it. Runs where the handshake is.
 */
#include <time.h>

#include "tls/tls_shake.h"

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SS_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void count(_Atomic uint32_t *n, uint32_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static void waits(struct tls_shake *k)
{
	uint64_t now = clock_ns();

	if (!k->paused_at) {
		k->paused_at = now;
		k->waited = true;
		count(&k->tools->waits->paused, 1);
	}
	if (!k->late && now - k->paused_at > SS_OFFLOAD_LATE_NS) {
		k->late = true;
		count(&k->tools->waits->late, 1);
		ss_offload_failed(k->tools->offload);
	}
	if (!k->lost && atomic_load_explicit(&k->unwanted, memory_order_relaxed)) {
		k->lost = true;
		count(&k->tools->waits->lost, 1);
	}
}

/* A resumed handshake signs nothing: it says nothing of the engine. */
static void is_over(struct tls_shake *k)
{
	if (k->went == TLS_WENT_DONE && !k->resumed && !k->late)
		ss_offload_worked(k->tools->offload);
	else if (k->went == TLS_WENT_FAILED && k->engine_failed)
		ss_offload_failed(k->tools->offload);
}

void ss_tls_waited(struct tls_shake *k)
{
	if (k->went == TLS_WENT_PAUSED) {
		waits(k);
		return;
	}
	if (k->paused_at)
		count(&k->tools->waits->paused, (uint32_t)-1);
	k->paused_at = 0;
	if (k->offloaded)
		is_over(k);
}
