// SPDX-License-Identifier: MIT
/*
 * malloc_trim() without a pause on one CPU, while a thread of every other takes blocks of one size from its list and puts
 * them back: most lists are taken from under an operation in the middle.
 *
 *	steal TIMES      until it had something so many times
 */
#include "check.h"

#define HELD 32
#define SIZE 48

static bool over;

static void *work(void *data)
{
	unsigned int cpu = (unsigned int)(uintptr_t)data, at = 0;
	struct {
		uint64_t *block, mark;
	} held[HELD] = { 0 };

	pin(cpu);
	for (uint64_t mark = cpu; !__atomic_load_n(&over, __ATOMIC_RELAXED); mark += CPU_SETSIZE) {
		at = (at + 1) % HELD;
		if (held[at].block) {
			for (unsigned int i = 0; i < SIZE / 8; i++)
				CHECK(held[at].block[i] == held[at].mark);
			free(held[at].block);
		}
		held[at].mark = mark;
		held[at].block = malloc(SIZE);
		for (unsigned int i = 0; i < SIZE / 8; i++)
			held[at].block[i] = mark;
	}
	for (unsigned int i = 0; i < HELD; i++)
		free(held[i].block);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[CPU_SETSIZE];
	unsigned int first = CPU_SETSIZE;
	cpu_set_t all;

	CHECK(argc == 2);
	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		if (first == CPU_SETSIZE)
			first = cpu;
		else
			CHECK(!pthread_create(&threads[cpu], NULL, work, (void *)(uintptr_t)cpu));
	}
	pin(first);
	alarm(100);
	for (long taken = 0; taken < atol(argv[1]);)
		taken += malloc_trim(0);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned int cpu = first + 1; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			pthread_join(threads[cpu], NULL);
	malloc_trim(0);
	CHECK(counted().cached == 0 && counted().untrimmed == 0);
	return 0;
}
