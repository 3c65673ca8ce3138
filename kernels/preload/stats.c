// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"
#include "pools.h"
#include "say.h"
#include "trim.h"

#define EXPORT __attribute__((visibility("default")))

static void count_lists(struct pools_stats *stats)
{
	for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
		unsigned long size = class_sizes[class];

		for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
			stats->peak_bytes += READ_ONCE(slot_of(cpu)->peak[class]) * size;
		stats->bound_bytes += lists.cpus * lists.limit[class] * size;
	}
}

static void count_class(struct pools_stats *stats, unsigned int class, long cached)
{
	unsigned long given = __atomic_load_n(&trimmed[class], __ATOMIC_RELAXED);

	cached -= given;
	stats->trimmed += given;
	stats->cached += cached;
	stats->cached_bytes += cached * class_sizes[class];
}

EXPORT void rseqbench_pools_stats(struct pools_stats *stats)
{
	long cached[POOL_CLASSES] = { 0 };

	*stats = (struct pools_stats){ .foreign = __atomic_load_n(&late.foreign, __ATOMIC_RELAXED),
				       .untrimmed = __atomic_load_n(&untrimmed, __ATOMIC_RELAXED),
				       .allocations =
					       __atomic_load_n(&late.allocations, __ATOMIC_RELAXED),
				       .frees = __atomic_load_n(&late.frees, __ATOMIC_RELAXED) };
	for (struct local *l = __atomic_load_n(&locals, __ATOMIC_ACQUIRE); l; l = l->next) {
		for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
			stats->hits += READ_ONCE(l->popped[class]);
			stats->kept += READ_ONCE(l->pushed[class]);
			cached[class] += READ_ONCE(l->pushed[class]) - READ_ONCE(l->popped[class]);
		}
		stats->refills += READ_ONCE(l->refills);
		stats->refilled += READ_ONCE(l->refilled);
		stats->spills += READ_ONCE(l->spills);
		stats->spilled += READ_ONCE(l->spilled);
		stats->aborts += READ_ONCE(l->aborts);
		stats->allocations += READ_ONCE(l->allocations);
		stats->frees += READ_ONCE(l->frees);
	}
	/* popped to be spilled, pushed to refill: neither was asked for */
	stats->hits -= stats->spilled;
	stats->kept -= stats->refilled;
	stats->allocations += stats->hits;
	stats->frees += stats->kept;
	for (unsigned int class = 0; class < POOL_CLASSES; class ++)
		count_class(stats, class, cached[class]);
	count_lists(stats);
}

EXPORT const char *rseqbench_pools_method(void)
{
	return method_names[lists.method];
}

static int stats_file(const char *where)
{
	char *end;
	long fd = strtol(where, &end, 10);

	if (*where && !*end)
		return fd;
	return open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

/* A line of name=value; the processes of a program each add their own. */
static __attribute__((destructor)) void finish(void)
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
	fd = stats_file(where);
	if (fd < 0 || write(fd, text, length) != length)
		say("RSEQBENCH_POOLS_STATS: %s: %s", where, strerror(errno));
}
