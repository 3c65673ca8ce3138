/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks of group lttng see of LTTng-UST: a program of its own, loaded where it is
 * used, since whoever loads it gets LTTng's threads and its session daemon's attention along.
 */
#ifndef PROVIDER_LTTNG_H
#define PROVIDER_LTTNG_H

#include <stdint.h>

struct provider_lttng {
	/* the loop that is timed: one event each, with one field */
	void (*emit)(unsigned long events, uint32_t value);
	/*
	 * An event that is not timed: how many of `method` proved by its proof `number`, and how
	 * many there were in all.
	 */
	void (*tell)(uint32_t method, uint32_t number, uint32_t proved, uint64_t emitted);
	int (*enabled)(void); /* whether the session daemon has asked for both events */
	/* how LTTng reads the CPU number from now on; NULL: its own way */
	int (*override)(int (*get_cpu)(void));
};

#define PROVIDER_LTTNG "provider_lttng" /* the symbol of the one that a provider has */

#endif
