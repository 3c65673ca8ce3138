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

/* The options, by their places in the table of parse_options(). */
enum {
	CPUS,
	THREADS,
	WORK,
	MS,
	WARM_MS,
	ORDER,
	OPTIONS
};

static struct list options[OPTIONS] = {
	[THREADS] = { 1, { 1 } },  [WORK] = { 1, { 0 } },  [MS] = { 1, { 65 } },
	[WARM_MS] = { 1, { 10 } }, [ORDER] = { 1, { 0 } },
};

static void parse_list(struct list *list, unsigned int most, const char *name, const char *text)
{
	char *end;

	for (list->count = 0;; text = end + 1) {
		if (list->count == most || *text < '0' || *text > '9') {
			if (most == 1)
				die(EXIT_MISUSE, "--%s: one whole number", name);
			die(EXIT_MISUSE, "--%s: up to %u whole numbers such as 1,2,3", name, most);
		}
		list->values[list->count++] = strtoull(text, &end, 10);
		if (!*end)
			return;
		if (*end != ',')
			die(EXIT_MISUSE, "--%s: \"%s\" is no list of whole numbers", name, text);
	}
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[OPTIONS + 1] = {
		[CPUS] = { "cpus", 1, NULL, CPU_SETSIZE }, [THREADS] = { "threads", 1, NULL, MOST },
		[WORK] = { "work", 1, NULL, MOST },	   [MS] = { "ms", 1, NULL, 1 },
		[WARM_MS] = { "warm-ms", 1, NULL, 1 },	   [ORDER] = { "order", 1, NULL, 1 },
	};
	int most, option;

	/* What getopt_long() returns of an option is how many numbers it may have. */
	while ((most = getopt_long(argc, argv, "", known, &option)) != -1) {
		if (most == '?')
			exit(EXIT_MISUSE);
		parse_list(&options[option], (unsigned int)most, known[option].name, optarg);
	}
	if (optind != argc)
		die(EXIT_MISUSE, "\"%s\" is no option", argv[optind]);
	for (unsigned int i = 0; i < options[CPUS].count; i++)
		if (options[CPUS].values[i] >= CPU_SETSIZE)
			die(EXIT_MISUSE, "--cpus: from 0 to %d", CPU_SETSIZE - 1);
	for (unsigned int i = 0; i < options[THREADS].count; i++)
		if (!options[THREADS].values[i] || options[THREADS].values[i] > MOST_THREADS)
			die(EXIT_MISUSE, "--threads: from 1 to %d", MOST_THREADS);
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

static unsigned int plan_phases(struct phase phases[MOST * MOST])
{
	unsigned int count = 0;

	for (unsigned int t = 0; t < options[THREADS].count; t++)
		for (unsigned int w = 0; w < options[WORK].count; w++)
			phases[count++] = (struct phase){
				.threads = (unsigned int)options[THREADS].values[t],
				.work = options[WORK].values[w],
				.ns = options[MS].values[0] * 1000000,
				.warm_ns = options[WARM_MS].values[0] * 1000000,
			};
	shuffle(phases, count, options[ORDER].values[0]);
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
#define PUT_COUNT(name) json_integer(json, #name, result->name);
	PHASE_COUNTS(PUT_COUNT)
#undef PUT_COUNT
	json_string(json, "checksum", checksum);
	json_number(json, "seconds", result->seconds, DIGITS);
	json_number(json, "rate", result->rate, DIGITS);
	json_number(json, "inside", result->inside / phase->threads, DIGITS);
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
	struct json json = { .out = stdout };
	static struct phase phases[MOST * MOST];
	static char buffer[1 << 16];
	size_t most = 0, room = LEAST_LATENCIES;
	unsigned int count;
	uint32_t *latencies;
	struct queue *queues;

	parse_options(argc, argv);
	count = plan_phases(phases);
	for (unsigned int i = 0; i < count; i++)
		most = phases[i].threads > most ? phases[i].threads : most;
	if (room < most * LATENCIES_OF_ONE)
		room = most * LATENCIES_OF_ONE;
	latencies = map_memory(room * sizeof(*latencies));
	queues = map_memory(most * sizeof(*queues));
	stay_on(&options[CPUS]);
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
