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
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "allocator.h"
#include "compute.h"
#include "exit_codes.h"
#include "getcpu.h"
#include "json.h"
#include "log.h"
#include "phase.h"

/* Numbers of threads, and amounts of work. */
#define MOST 32
/*
 * Latencies of a phase: room for all of 50 ms or more with four threads for each CPU, and with one.
 */
#define LATENCIES_OF_ONE (1ul << 13)
#define LEAST_LATENCIES (1ul << 20)
/* Significant digits of a number that is printed. */
#define DIGITS 9

const char log_prefix[] = "";

struct list {
	unsigned int count;
	uint64_t values[CPU_SETSIZE];
};

struct options {
	struct list cpus, threads, work;
	uint64_t ms, warm_ms, order;
};

static struct list parse_list(const char *name, const char *text, unsigned int most)
{
	struct list list = { 0 };
	char *end;

	for (;; text = end + 1) {
		if (list.count == most || *text < '0' || *text > '9')
			die(EXIT_MISUSE, "--%s: up to %u whole numbers such as 1,2,3", name, most);
		list.values[list.count++] = strtoull(text, &end, 10);
		if (!*end)
			return list;
		if (*end != ',')
			die(EXIT_MISUSE, "--%s: \"%s\" is no list of whole numbers", name, text);
	}
}

static uint64_t parse_number(const char *name, const char *text)
{
	struct list list = parse_list(name, text, MOST);

	if (list.count != 1)
		die(EXIT_MISUSE, "--%s: one whole number", name);
	return list.values[0];
}

static struct options parse_options(int argc, char **argv)
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
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.cpus = parse_list("cpus", optarg, CPU_SETSIZE);
			break;
		case 't':
			options.threads = parse_list("threads", optarg, MOST);
			break;
		case 'w':
			options.work = parse_list("work", optarg, MOST);
			break;
		case 'm':
			options.ms = parse_number("ms", optarg);
			break;
		case 'a':
			options.warm_ms = parse_number("warm-ms", optarg);
			break;
		case 'o':
			options.order = parse_number("order", optarg);
			break;
		default:
			exit(EXIT_MISUSE);
		}
	}
	if (optind != argc)
		die(EXIT_MISUSE, "\"%s\" is no option", argv[optind]);
	for (unsigned int i = 0; i < options.cpus.count; i++)
		if (options.cpus.values[i] >= CPU_SETSIZE)
			die(EXIT_MISUSE, "--cpus: from 0 to %d", CPU_SETSIZE - 1);
	for (unsigned int i = 0; i < options.threads.count; i++)
		if (!options.threads.values[i] || options.threads.values[i] > MOST_THREADS)
			die(EXIT_MISUSE, "--threads: from 1 to %d", MOST_THREADS);
	return options;
}

static void stay_on(const struct list *cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int i = 0; i < cpus->count; i++)
		CPU_SET(cpus->values[i], &set);
	if (cpus->count && sched_setaffinity(0, sizeof(set), &set))
		die(EXIT_MISUSE, "--cpus: not CPUs that this process may use");
}

/*
 * Not from the allocator under test, and resident from the start, so that what is ours can be told
 * from its peak.
 */
static void *map_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		die(EXIT_NO_MEMORY, "no memory for %zu bytes of our own", size);
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

static unsigned int plan_phases(const struct options *options, struct phase phases[MOST * MOST])
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

static void put_phase(struct json *json, const struct phase *phase,
		      const struct phase_result *result, const uint32_t *latencies)
{
	double undisturbed = result->undisturbed ? (double)result->undisturbed : 1;
	char checksum[17];

	snprintf(checksum, sizeof(checksum), "%016" PRIx64, result->verified);
	json_open(json, NULL, '{');
	json_integer(json, "threads", phase->threads);
	json_integer(json, "work", phase->work);
	json_integer(json, "requests", result->requests);
	json_number(json, "seconds", result->seconds, DIGITS);
	json_integer(json, "all", result->all);
	json_number(json, "rate", result->rate, DIGITS);
	json_number(json, "inside", result->inside / phase->threads, DIGITS);
	json_integer(json, "allocated", result->allocated);
	json_integer(json, "freed_here", result->freed_here);
	json_integer(json, "freed_elsewhere", result->freed_elsewhere);
	json_string(json, "checksum", checksum);
	json_integer(json, "waits", result->waits);
	json_integer(json, "getcpu_calls", result->getcpu_calls);
	json_integer(json, "sampled", result->sampled);
	json_integer(json, "undisturbed", result->undisturbed);
	json_number(json, "share", result->share / undisturbed, DIGITS);
	json_number(json, "allocator_ns", result->allocator_ns / undisturbed, DIGITS);
	json_open(json, "latencies", '[');
	for (size_t i = 0; i < result->latencies; i++)
		json_integer(json, NULL, latencies[i]);
	json_close(json, ']');
	json_close(json, '}');
}

static void put_process(struct json *json)
{
	struct allocator allocator = allocator_identify();

	json_string(json, "library", allocator.library);
	json_string(json, "jemalloc", allocator.jemalloc);
	json_string(json, "percpu_arena", allocator.percpu_arena);
	json_string(json, "pools", allocator.pools);
	json_bool(json, "rseq", allocator.rseq);
	json_number(json, "step_ns", compute_step_ns(), DIGITS);
	json_number(json, "clock_ns", clock_reading_ns(), DIGITS);
	json_number(json, "getcpu_ns", getcpu_ns(), DIGITS);
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	struct json json = { .out = stdout };
	static struct phase phases[MOST * MOST];
	static char buffer[1 << 16];
	unsigned int count = plan_phases(&options, phases);
	size_t most = 0, room = LEAST_LATENCIES;
	uint32_t *latencies;
	struct queue *queues;

	for (unsigned int i = 0; i < count; i++)
		most = phases[i].threads > most ? phases[i].threads : most;
	if (room < most * LATENCIES_OF_ONE)
		room = most * LATENCIES_OF_ONE;
	latencies = map_memory(room * sizeof(*latencies));
	queues = map_memory(most * sizeof(*queues));
	stay_on(&options.cpus);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	blocks_draw();
	json_open(&json, NULL, '{');
	put_process(&json);
	json_open(&json, "phases", '[');
	for (unsigned int i = 0; i < count; i++) {
		struct phase_result result = phase_run(&phases[i], queues, latencies, room);

		put_phase(&json, &phases[i], &result, latencies);
	}
	json_close(&json, ']');
	json_integer(&json, "peak_bytes", allocator_peak_bytes());
	json_integer(&json, "own_bytes", room * sizeof(*latencies) + most * sizeof(*queues));
	json_close(&json, '}');
	putchar('\n');
	return fflush(stdout) ? EXIT_LOST : 0;
}
