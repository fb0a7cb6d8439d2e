/* Linked into a test of this room: its worlds have a handshake thread. */
#include "tls/tls_world_sim.h"

uint16_t world_threads = 1;
