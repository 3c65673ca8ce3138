// SPDX-License-Identifier: MIT
/*
 * Serves requests over whatever malloc() the process has, and prints one JSON document of what came
 * of it.
 *
 *	server --cpus 0,1 --threads 8,2 --work 0,1000 --ms 65 --warm-ms 10 --order 7
 *
 * Every number of threads with every amount of work is a phase, in an order that --order chooses. A
 * latency is in ns.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "allocator.h"
#include "clock.h"
#include "getcpu.h"
#include "phase.h"
#include "say.h"

#define MOST 32 /* numbers of threads, and amounts of work */
/*
 * Latencies of a phase: room for all of 50 ms or more with four threads for each CPU, and with one.
 */
#define LATENCIES_OF_ONE (1ul << 13)
#define LATENCIES (1ul << 20) /* at least */

struct list {
	unsigned int count;
	uint64_t values[CPU_SETSIZE];
};

struct options {
	struct list cpus, threads, work;
	uint64_t ms, warm_ms, order;
};

static struct list listed(const char *name, const char *text, unsigned int most)
{
	struct list list = { 0 };
	char *end;

	for (;; text = end + 1) {
		if (list.count == most || *text < '0' || *text > '9')
			die(MISUSE, "--%s: up to %u whole numbers such as 1,2,3", name, most);
		list.values[list.count++] = strtoull(text, &end, 10);
		if (!*end)
			return list;
		if (*end != ',')
			die(MISUSE, "--%s: \"%s\" is no list of whole numbers", name, text);
	}
}

static uint64_t number(const char *name, const char *text)
{
	struct list list = listed(name, text, MOST);

	if (list.count != 1)
		die(MISUSE, "--%s: one whole number", name);
	return list.values[0];
}

static struct options parsed(int argc, char **argv)
{
	static const struct option known[] = {
		{ "cpus", 1, NULL, 'c' },
		{ "threads", 1, NULL, 't' },
		{ "work", 1, NULL, 'w' },
		{ "ms", 1, NULL, 'm' },
		{ "warm-ms", 1, NULL, 'a' },
		{ "order", 1, NULL, 'o' },
		{ 0 },
	};
	struct options options = {
		.threads = { 1, { 1 } }, .work = { 1, { 0 } }, .ms = 65, .warm_ms = 10
	};
	int found, place;

	while ((found = getopt_long(argc, argv, "", known, &place)) != -1) {
		switch (found) {
		case 'c':
			options.cpus = listed("cpus", optarg, CPU_SETSIZE);
			break;
		case 't':
			options.threads = listed("threads", optarg, MOST);
			break;
		case 'w':
			options.work = listed("work", optarg, MOST);
			break;
		case 'm':
			options.ms = number("ms", optarg);
			break;
		case 'a':
			options.warm_ms = number("warm-ms", optarg);
			break;
		case 'o':
			options.order = number("order", optarg);
			break;
		default:
			exit(MISUSE);
		}
	}
	if (optind != argc)
		die(MISUSE, "\"%s\" is no option", argv[optind]);
	for (unsigned int i = 0; i < options.cpus.count; i++)
		if (options.cpus.values[i] >= CPU_SETSIZE)
			die(MISUSE, "--cpus: from 0 to %d", CPU_SETSIZE - 1);
	for (unsigned int i = 0; i < options.threads.count; i++)
		if (!options.threads.values[i] || options.threads.values[i] > MOST_THREADS)
			die(MISUSE, "--threads: from 1 to %d", MOST_THREADS);
	return options;
}

static void stay_on(const struct list *cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int i = 0; i < cpus->count; i++)
		CPU_SET(cpus->values[i], &set);
	if (cpus->count && sched_setaffinity(0, sizeof(set), &set))
		die(MISUSE, "--cpus: not CPUs that this process may use");
}

/*
 * Not from the allocator under test, and resident from the start, so that what is ours can be told
 * from its peak.
 */
static void *mapped(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		die(NO_MEMORY, "no memory for %zu bytes of our own", size);
	return at;
}

/*
 * Fisher and Yates, with the numbers of splitmix64, so that neighbouring orders have nothing in
 * common.
 */
static void shuffle(struct phase *phases, unsigned int count, uint64_t order)
{
	for (unsigned int i = count; i > 1; i--) {
		uint64_t z = order += 0x9e3779b97f4a7c15;
		struct phase kept = phases[i - 1];
		unsigned int other;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		other = (unsigned int)((z ^ z >> 31) % i);
		phases[i - 1] = phases[other];
		phases[other] = kept;
	}
}

static unsigned int planned(const struct options *options, struct phase phases[MOST * MOST])
{
	unsigned int count = 0;

	for (unsigned int t = 0; t < options->threads.count; t++)
		for (unsigned int w = 0; w < options->work.count; w++)
			phases[count++] = (struct phase){
				.threads = (unsigned int)options->threads.values[t],
				.work = options->work.values[w],
				.ns = options->ms * 1000000,
				.warm_ns = options->warm_ms * 1000000,
			};
	shuffle(phases, count, options->order);
	return count;
}

static void print(const struct phase *phase, const struct served *served, const uint32_t *latencies,
		  const char *before)
{
	printf("%s{\"threads\":%u,\"work\":%lu,\"requests\":%lu,\"seconds\":%.9g,\"all\":%lu",
	       before, phase->threads, phase->work, served->requests, served->seconds, served->all);
	printf(",\"rate\":%.9g,\"inside\":%.9g", served->rate, served->inside / phase->threads);
	printf(",\"allocated\":%lu,\"freed_here\":%lu,\"freed_elsewhere\":%lu", served->allocated,
	       served->freed_here, served->freed_elsewhere);
	printf(",\"checksum\":\"%016lx\",\"waits\":%lu,\"getcpu_calls\":%lu", served->verified,
	       served->waits, served->getcpu_calls);
	printf(",\"sampled\":%lu,\"undisturbed\":%lu,\"share\":%.9g,\"allocator_ns\":%.9g",
	       served->sampled, served->undisturbed,
	       served->undisturbed ? served->share / (double)served->undisturbed : 0,
	       served->undisturbed ? served->allocator_ns / (double)served->undisturbed : 0);
	printf(",\"latencies\":[");
	for (size_t i = 0; i < served->latencies; i++)
		printf("%s%u", i ? "," : "", latencies[i]);
	printf("]}");
}

int main(int argc, char **argv)
{
	struct options options = parsed(argc, argv);
	struct allocator found = allocator_found();
	static struct phase phases[MOST * MOST];
	static char buffer[1 << 16];
	unsigned int count = planned(&options, phases);
	size_t most = 0, room = LATENCIES;
	uint32_t *latencies;
	struct queue *queues;

	for (unsigned int i = 0; i < count; i++)
		most = phases[i].threads > most ? phases[i].threads : most;
	if (room < most * LATENCIES_OF_ONE)
		room = most * LATENCIES_OF_ONE;
	latencies = mapped(room * sizeof(*latencies));
	queues = mapped(most * sizeof(*queues));
	stay_on(&options.cpus);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	blocks_draw();
	printf("{\"library\":\"%s\",\"jemalloc\":\"%s\",\"percpu_arena\":\"%s\",\"pools\":\"%s\",\"rseq\":%s",
	       found.library, found.jemalloc, found.percpu_arena, found.pools,
	       found.rseq ? "true" : "false");
	printf(",\"step_ns\":%.6g,\"clock_ns\":%.6g,\"getcpu_ns\":%.6g,\"phases\":[",
	       clock_step_ns(), clock_reading_ns(), getcpu_ns());
	for (unsigned int i = 0; i < count; i++) {
		struct served served = phase_run(&phases[i], queues, latencies, room);

		print(&phases[i], &served, latencies, i ? "," : "");
	}
	printf("],\"peak_bytes\":%lu,\"own_bytes\":%zu}\n", allocator_peak(),
	       room * sizeof(*latencies) + most * sizeof(*queues));
	return fflush(stdout) ? LOST : 0;
}
