// SPDX-License-Identifier: MIT
/* What benchmarks may call: per-CPU memory, complaints, and a moment of waiting. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "benchmark.h"
#include "clock.h"
#include "cpus.h"

#define PAGE_SHIFT 12

/* The last number in "0-3,5": Linux numbers CPUs with holes, so a count of them is not enough. */
static unsigned int last_possible(void)
{
	unsigned int last = 0;
	char text[256] = "";
	FILE *file = fopen("/sys/devices/system/cpu/possible", "r");
	char *at;

	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	at = text + strlen(text);
	while (at > text && (at[-1] < '0' || at[-1] > '9'))
		at--;
	while (at > text && at[-1] >= '0' && at[-1] <= '9')
		at--;
	last = strtoul(at, NULL, 10);
	return last;
}

/* The highest CPU that we may run on, in case there is no /sys to ask. */
static unsigned int last_allowed(void)
{
	unsigned int last = 0;
	cpu_mask mask;

	if (!sched_getaffinity(0, sizeof(mask), mask))
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			if (CPU_ISSET_S(cpu, sizeof(mask), mask))
				last = cpu;
	return last;
}

unsigned int possible_cpus(void)
{
	static unsigned int count;

	if (!count) {
		long configured = sysconf(_SC_NPROCESSORS_CONF);
		unsigned int last = last_possible(), allowed = last_allowed();

		last = allowed > last ? allowed : last;
		count = last + 1 > (unsigned long)configured ? last + 1 : (unsigned long)configured;
	}
	return count;
}

/*
 * Whole pages, so that a slot has the same address within a page in every process: loads and stores
 * whose low twelve bits agree get in each other's way, and that must not be a matter of luck.
 */
void *percpu_alloc(unsigned int shift)
{
	size_t align = (size_t)1 << (shift < PAGE_SHIFT ? PAGE_SHIFT : shift);
	size_t size = (((size_t)possible_cpus() << shift) + align - 1) / align * align;
	void *memory = aligned_alloc(align, size);

	if (memory)
		memset(memory, 0, size);
	return memory;
}

const char *complain(const char *format, ...)
{
	static char text[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return text;
}

void linger(void)
{
	for (int i = 0; i < 500; i++)
		barrier();
}

void doze(void)
{
	sleep_ns(20000);
}
