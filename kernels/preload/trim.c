// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "trim.h"

#include <sched.h>

#include "jemalloc.h"
#include "lists.h"

#define TEXT(x) #x
#define DIGITS(number) TEXT(number)

unsigned long trimmed_objects[POOL_CLASSES];
unsigned long untrimmed_cpus;
static bool trim_locked;

void trim_lock(void)
{
	while (__atomic_exchange_n(&trim_locked, true, __ATOMIC_ACQUIRE))
		sched_yield();
}

void trim_unlock(void)
{
	__atomic_store_n(&trim_locked, false, __ATOMIC_RELEASE);
}

static unsigned long give_back_chain(struct pool_object *chain, unsigned int size_class)
{
	unsigned long blocks = 0;

	while (chain && chain->next) {
		struct pool_object *next = chain->next;

		sdallocx(chain, class_sizes[size_class], MALLOCX_TCACHE_NONE);
		chain = next;
		blocks++;
	}
	return blocks;
}

static bool trim_cpu(unsigned int cpu)
{
	struct pool_object *chains[POOL_CLASSES];
	bool any = false;

	if (lists_steal(cpu, chains))
		__atomic_fetch_add(&untrimmed_cpus, 1, __ATOMIC_RELAXED);
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
		unsigned long blocks = give_back_chain(chains[size_class], size_class);

		__atomic_fetch_add(&trimmed_objects[size_class], blocks, __ATOMIC_RELAXED);
		any |= blocks;
	}
	return any;
}

bool trim_lists(void)
{
	bool any = false;

	trim_lock();
	for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
		any |= trim_cpu(cpu);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	mallctl("arena." DIGITS(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0);
	trim_unlock();
	return any;
}
