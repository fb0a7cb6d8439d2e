/*
 * fleet.h - the process's ports and workers, from opening to the last count of what they hold.
 *
 * Takes:   a checked model, and what workers share with control.
 * Gives:   launched workers; their mailboxes, counters and event rings; facts about ports.
 * Owns:    ports, workers, hand-over rings, mailboxes, counters, event rings.
 * Thread:  control. create, join and free block.
 * Errors:  SS_ERR_CONFIG, SS_ERR_NO_MEM or SS_ERR_FATAL with a sentence.
 */
#ifndef SS_FLEET_H
#define SS_FLEET_H

#include "base/clock.h"
#include "contract/counters.h"
#include "contract/endpoints.h"
#include "contract/events.h"
#include "contract/mailbox.h"
#include "contract/snapshot.h"
#include "model/model.h"
#include "port/port.h"
#include "worker/worker.h"

struct ss_fleet;

struct ss_fleet_conf {
	const struct ss_model_process *process; /* borrowed until launch */
	const struct ss_clock *clock;           /* borrowed for the fleet's life */
	struct ss_snapshot_box *box;
	struct ss_ep_table *endpoints;
	const struct ss_ticket_ring *tickets; /* NULL: none */
	struct ss_offload *offload; /* NULL: no engine */
	struct ss_limit_table *limits;
};

/* Opens the ports; makes all that control and workers share, but no worker yet. */
int ss_fleet_create(struct ss_fleet **out, const struct ss_fleet_conf *conf, char *err, size_t err_n);
/* Makes the workers and starts them. The first generation must be published. */
int ss_fleet_launch(struct ss_fleet *f, char *err, size_t err_n);
/* No new connections; each worker answers SS_MAIL_DRAINED. deadline: clock time, 0 for none. */
void ss_fleet_drain(struct ss_fleet *f, uint64_t deadline);
/* Ends the workers' loops, and waits for that. */
void ss_fleet_stop(struct ss_fleet *f);
/* Asks each port for flow rules that lead the listeners on its addresses to the workers' queues. */
void ss_fleet_steer(struct ss_fleet *f, const struct ss_snapshot *snap);
/* After stop: what worker i still holds. All zero is as it should be. */
void ss_fleet_holdings(const struct ss_fleet *f, uint32_t worker, struct ss_worker_holdings *out);
void ss_fleet_free(struct ss_fleet *f);

uint32_t ss_fleet_workers(const struct ss_fleet *f);
struct ss_mailbox *const *ss_fleet_mail(const struct ss_fleet *f);
struct ss_counters *const *ss_fleet_counters(const struct ss_fleet *f);
struct ss_event_ring *const *ss_fleet_events(const struct ss_fleet *f);
uint32_t ss_fleet_ports(const struct ss_fleet *f);
struct ss_port *ss_fleet_port(const struct ss_fleet *f, uint32_t i);

#endif
