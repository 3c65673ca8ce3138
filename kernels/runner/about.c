// SPDX-License-Identifier: MIT
/* hello and list: what this process is, and what it can measure. */
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <stdint.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpus.h"
#include "host.h"
#include "ticks.h"
#include "verbs.h"

#define CLOCK_READINGS 100

#if !defined(__arm__)
#define ISA "" /* the architecture has one instruction set only */
#elif defined(__thumb__)
#define ISA "thumb"
#else
#define ISA "arm"
#endif

static void put_cpus(struct json *json)
{
	cpu_mask mask;

	json_open(json, "cpus", '[');
	if (!sched_getaffinity(0, sizeof(mask), mask))
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			if (CPU_ISSET_S(cpu, sizeof(mask), mask))
				json_integer(json, NULL, cpu);
	json_close(json, ']');
}

/* The least by which two readings of CLOCK_MONOTONIC differ: its step, or what reading it costs. */
static uint64_t clock_step_ns(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CLOCK_READINGS; i++) {
		uint64_t begin = clock_ns(), end;

		do
			end = clock_ns();
		while (end == begin);
		least = end - begin < least ? end - begin : least;
	}
	return least;
}

void verb_hello(struct request *request, struct answer *answer)
{
	struct json *json = &answer->json;
	struct host_rseq rseq;
	struct utsname name;

	if (refuses(request, answer))
		return;
	host_rseq(&rseq);
	uname(&name);
	json_open(json, NULL, '{');
	json_integer(json, "protocol", 1);
	json_integer(json, "pid", getpid());
	json_integer(json, "parent", getppid());
	json_string(json, "machine", name.machine);
	json_string(json, "linux", name.release);
	json_string(json, "glibc", gnu_get_libc_version());
	json_string(json, "isa", ISA);
	json_string(json, "registration", rseq.registration);
	json_string(json, "reason", rseq.reason);
	json_integer(json, "libc_size", rseq.libc_size);
	json_integer(json, "registered", rseq.registered);
	json_integer(json, "feature_size", rseq.feature_size);
	json_string(json, "no_counters", host_no_counters());
	json_string(json, "clock", "CLOCK_MONOTONIC");
	json_integer(json, "clock_step_ns", clock_step_ns());
	json_string(json, "gate_clock", ticks_are_steady() ? "counter" : "CLOCK_MONOTONIC");
	json_integer(json, "page_size", sysconf(_SC_PAGESIZE));
	put_cpus(json);
	json_close(json, '}');
}

void verb_list(struct request *request, struct answer *answer)
{
	struct json *json = &answer->json;
	struct host_benchmark benchmark;

	if (refuses(request, answer))
		return;
	json_open(json, NULL, '[');
	for (unsigned int i = 0; !host_benchmark(i, &benchmark); i++) {
		json_open(json, NULL, '{');
		json_integer(json, "flags", benchmark.flags);
		json_string(json, "name", benchmark.name);
		json_string(json, "doc", benchmark.doc);
		json_string(json, "unavailable", benchmark.unavailable);
		json_close(json, '}');
	}
	json_close(json, ']');
}
