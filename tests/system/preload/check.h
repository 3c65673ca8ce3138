/* SPDX-License-Identifier: MIT */
/* What the test programs share: a check that ends them with the line that failed, patterns, and the pools' counts. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pools.h"

/* write(2), because what is wrong may be malloc itself. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			dprintf(2, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                             \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

static inline struct pools_stats counted(void)
{
	static void (*read_stats)(struct pools_stats *);
	struct pools_stats stats;

	if (!read_stats)
		read_stats = (void (*)(struct pools_stats *))dlsym(RTLD_DEFAULT, "rseqbench_pools_stats");
	CHECK(read_stats);
	read_stats(&stats);
	return stats;
}

static inline bool pooled(void)
{
	const char *(*method)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "rseqbench_pools_method");

	CHECK(method);
	return strcmp(method(), "off");
}

static inline long live(void)
{
	struct pools_stats stats = counted();

	return stats.allocations - stats.frees;
}

static inline uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Every byte of a block says whose it is: `mark` is never the same twice. */
static inline void paint(void *block, size_t size, uint64_t mark)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)block)[i] = (mark >> (i % 8 * 8)) + i / 8;
}

static inline bool painted(const void *block, size_t size, uint64_t mark)
{
	for (size_t i = 0; i < size; i++)
		if (((const unsigned char *)block)[i] != (unsigned char)((mark >> (i % 8 * 8)) + i / 8))
			return false;
	return true;
}

static inline void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

#endif
