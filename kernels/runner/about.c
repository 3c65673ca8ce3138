// SPDX-License-Identifier: MIT
/* hello and list: what this process is, and what it can measure. */
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <sched.h>
#include <stdint.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host.h"
#include "ticks.h"
#include "verbs.h"

#define MAX_CPUS 8192
#define CLOCK_READINGS 100

#if !defined(__arm__)
#define ISA "" /* the architecture has one instruction set only */
#elif defined(__thumb__)
#define ISA "thumb"
#else
#define ISA "arm"
#endif

static void put_field(struct answer *answer, const char *key, const char *value)
{
	answer_put(answer, ",\"%s\":", key);
	answer_string(answer, value);
}

static void put_cpus(struct answer *answer)
{
	cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
	const char *comma = "";

	answer_put(answer, ",\"cpus\":[");
	if (set && !sched_getaffinity(0, size, set)) {
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
			if (!CPU_ISSET_S(cpu, size, set))
				continue;
			answer_put(answer, "%s%u", comma, cpu);
			comma = ",";
		}
	}
	CPU_FREE(set);
	answer_put(answer, "]");
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
	struct host_rseq rseq;
	struct utsname name;

	if (refuses(request, answer))
		return;
	host_rseq(&rseq);
	uname(&name);
	answer_put(answer, "{\"protocol\":1,\"pid\":%d,\"parent\":%d", (int)getpid(),
		   (int)getppid());
	put_field(answer, "machine", name.machine);
	put_field(answer, "linux", name.release);
	put_field(answer, "glibc", gnu_get_libc_version());
	put_field(answer, "isa", ISA);
	put_field(answer, "registration", rseq.registration);
	put_field(answer, "reason", rseq.reason);
	answer_put(answer, ",\"libc_size\":%u,\"registered\":%u,\"feature_size\":%u",
		   rseq.libc_size, rseq.registered, rseq.feature_size);
	put_field(answer, "no_counters", host_no_counters());
	put_field(answer, "clock", "CLOCK_MONOTONIC");
	answer_put(answer, ",\"clock_step_ns\":%llu", (unsigned long long)clock_step_ns());
	put_field(answer, "gate_clock", ticks_are_steady() ? "counter" : "CLOCK_MONOTONIC");
	answer_put(answer, ",\"page_size\":%ld", sysconf(_SC_PAGESIZE));
	put_cpus(answer);
	answer_put(answer, "}");
}

void verb_list(struct request *request, struct answer *answer)
{
	struct host_benchmark benchmark;

	if (refuses(request, answer))
		return;
	for (unsigned int i = 0; i < host_count(); i++) {
		host_benchmark(i, &benchmark);
		answer_put(answer, "%s{\"flags\":%u", i ? "," : "[", benchmark.flags);
		put_field(answer, "name", benchmark.name);
		put_field(answer, "doc", benchmark.doc);
		put_field(answer, "unavailable", benchmark.unavailable);
		answer_put(answer, "}");
	}
	answer_put(answer, host_count() ? "]" : "[]");
}
