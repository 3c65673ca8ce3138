// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "trim.h"

#include <sched.h>

#include "jemalloc.h"
#include "lists.h"

#define TEXT(x) #x
#define DIGITS(number) TEXT(number)

unsigned long trimmed[POOL_CLASSES];
unsigned long untrimmed;
static bool trimming;

void trim_lock(void)
{
	while (__atomic_exchange_n(&trimming, true, __ATOMIC_ACQUIRE))
		sched_yield();
}

void trim_unlock(void)
{
	__atomic_store_n(&trimming, false, __ATOMIC_RELEASE);
}

static unsigned long give_back(struct block *chain, unsigned int class)
{
	unsigned long blocks = 0;

	while (chain && chain->next) {
		struct block *next = chain->next;

		sdallocx(chain, class_sizes[class], MALLOCX_TCACHE_NONE);
		chain = next;
		blocks++;
	}
	return blocks;
}

static bool trim_cpu(unsigned int cpu)
{
	struct block *chains[POOL_CLASSES];
	bool any = false;

	if (lists_steal(cpu, chains))
		__atomic_fetch_add(&untrimmed, 1, __ATOMIC_RELAXED);
	for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
		unsigned long blocks = give_back(chains[class], class);

		__atomic_fetch_add(&trimmed[class], blocks, __ATOMIC_RELAXED);
		any |= blocks;
	}
	return any;
}

bool trim(void)
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
