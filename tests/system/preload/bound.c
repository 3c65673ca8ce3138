// SPDX-License-Identifier: MIT
/* Lists are never longer than they may be, and what lies on them can be had back, also from CPUs that nobody runs on. */
#include "check.h"

#define BLOCKS 30000
#define SIZE 640

static void *blocks[BLOCKS];

static void fill_and_free(size_t size)
{
	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(size);
		memset(blocks[i], 1, size);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

static unsigned long resident(void)
{
	unsigned long total, pages;
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file && fscanf(file, "%lu %lu", &total, &pages) == 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static void test_bound(void)
{
	struct pools_stats stats;

	for (size_t size = 16; size <= 1024; size += 16)
		fill_and_free(size);
	stats = counted();
	CHECK(stats.spills > 0 && stats.refills > 0);
	CHECK(stats.cached_bytes > 0);
	CHECK(stats.cached_bytes <= stats.peak_bytes);
	CHECK(stats.peak_bytes <= stats.bound_bytes);
}

static void test_given_back(void)
{
	unsigned long most, least;

	for (unsigned int i = 0; i < BLOCKS; i++)
		memset(blocks[i] = malloc(SIZE), 1, SIZE);
	most = resident();
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	CHECK(malloc_trim(0) == 1);
	CHECK(counted().cached == 0);
	least = resident();
	CHECK(most > least && most - least > BLOCKS / 4 * 3ul * SIZE);
}

/* What other CPUs' lists hold is had back from here, without going there. */
static void test_other_cpus(void)
{
	cpu_set_t all;
	unsigned int cpus = 0, filled = 0;

	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	malloc_trim(0);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned long cached = counted().cached;

		if (!CPU_ISSET(cpu, &all))
			continue;
		cpus++;
		pin(cpu);
		fill_and_free(SIZE);
		filled += counted().cached > cached;
	}
	CHECK(filled == cpus);
	CHECK(malloc_trim(0) == 1);
	CHECK(counted().cached == 0 && counted().untrimmed == 0);
	CHECK(!sched_setaffinity(0, sizeof(all), &all));
	CHECK(malloc_trim(0) == 0 || counted().cached == 0);
}

int main(void)
{
	test_bound();
	test_given_back();
	test_other_cpus();
	return 0;
}
