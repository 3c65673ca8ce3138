/* SPDX-License-Identifier: MIT */
/*
 * What makes a check a check: while its threads work, each is moved from CPU to CPU and hit by
 * signals.
 */
#ifndef DISTURB_H
#define DISTURB_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpus.h"
#include "team.h"

/*
 * The caller sets:
 * @wanted: how many disturbances are enough
 * @enough: is set when that many have happened, and what `unmet` waits for
 * @unmet: what else must happen first, NULL when it has; may be NULL
 * @beside: runs in another thread meanwhile; may be NULL
 */
struct disturbance {
	uint64_t wanted;
	bool *enough;
	const char *(*unmet)(void);
	void (*beside)(const bool *stop);

	/* Private. `last` is the CPU to which each thread was last sent. */
	const struct team *disturbed;
	struct team team;
	struct team_member members[2];
	bool stop;
	uint64_t done;
	struct sigaction before;
	int *last;
	cpu_mask allowed;
};

/* Start to disturb the threads of a team. Returns NULL, or why that cannot be. */
const char *disturb_start(struct disturbance *self, const struct team *team);
/* Stop; return how many times a thread was sent to another CPU or signalled. */
uint64_t disturb_stop(struct disturbance *self);

#endif
