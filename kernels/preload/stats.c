// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "paths.h"
#include "pools.h"
#include "trim.h"

#define EXPORT __attribute__((visibility("default")))

static void count_lists(struct pools_stats *stats)
{
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
		unsigned long size = class_sizes[size_class];

		for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
			stats->peak_bytes += READ_ONCE(pool_slot_of(cpu)->peak[size_class]) * size;
		stats->bound_bytes += lists.cpus * lists.limit[size_class] * size;
	}
}

static void count_class(struct pools_stats *stats, unsigned int size_class, long cached)
{
	unsigned long given = __atomic_load_n(&trimmed_objects[size_class], __ATOMIC_RELAXED);

	cached -= given;
	stats->trimmed += given;
	stats->cached += cached;
	stats->cached_bytes += cached * class_sizes[size_class];
}

EXPORT void rseqbench_pools_stats(struct pools_stats *stats)
{
	struct thread_state *state = __atomic_load_n(&thread_states, __ATOMIC_ACQUIRE);
	long cached[POOL_CLASSES] = { 0 };

	*stats = (struct pools_stats){
		.foreign = __atomic_load_n(&shared_counts.foreign, __ATOMIC_RELAXED),
		.untrimmed = __atomic_load_n(&untrimmed_cpus, __ATOMIC_RELAXED),
		.allocations = __atomic_load_n(&shared_counts.allocations, __ATOMIC_RELAXED),
		.frees = __atomic_load_n(&shared_counts.frees, __ATOMIC_RELAXED)
	};
	for (; state; state = state->next) {
		for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
			stats->hits += READ_ONCE(state->popped[size_class]);
			stats->kept += READ_ONCE(state->pushed[size_class]);
			cached[size_class] += READ_ONCE(state->pushed[size_class]) -
					      READ_ONCE(state->popped[size_class]);
		}
		stats->refills += READ_ONCE(state->refills);
		stats->refilled += READ_ONCE(state->refilled);
		stats->spills += READ_ONCE(state->spills);
		stats->spilled += READ_ONCE(state->spilled);
		stats->aborts += READ_ONCE(state->aborts);
		stats->allocations += READ_ONCE(state->allocations);
		stats->frees += READ_ONCE(state->frees);
	}
	/* Popped to be spilled, pushed to refill: neither was asked for. */
	stats->hits -= stats->spilled;
	stats->kept -= stats->refilled;
	stats->allocations += stats->hits;
	stats->frees += stats->kept;
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++)
		count_class(stats, size_class, cached[size_class]);
	count_lists(stats);
}

EXPORT const char *rseqbench_pools_method(void)
{
	return method_names[lists.method];
}

static int open_stats(const char *where)
{
	char *end;
	long fd = strtol(where, &end, 10);

	if (*where && !*end)
		return fd;
	return open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

/* A line of name=value; the processes of a program each add their own. */
static __attribute__((destructor)) void write_stats(void)
{
	const char *where = secure_getenv("RSEQBENCH_POOLS_STATS");
	struct pools_stats stats;
	char text[1000];
	int fd, length;

	if (!where)
		return;
	rseqbench_pools_stats(&stats);
	length = snprintf(text, sizeof(text), "pools pid=%d method=%s", (int)getpid(),
			  method_names[lists.method]);
#define POOLS_STATS_PRINT(name)                                                                    \
	length += snprintf(text + length, sizeof(text) - length, " " #name "=%lu", stats.name);
	POOLS_STATS(POOLS_STATS_PRINT)
#undef POOLS_STATS_PRINT
	text[length++] = '\n';
	fd = open_stats(where);
	if (fd < 0 || write(fd, text, length) != length)
		log_line("RSEQBENCH_POOLS_STATS: %s: %s", where, strerror(errno));
}
