// SPDX-License-Identifier: MIT
/* check, time, calibrate and gate: the functions of host.h by their names. */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "verbs.h"

#define MAX_THREADS 4096
#define MAX_CPU 8191
#define MAX_RUNS 20000 /* of one time request */
#define MAX_CHUNKS 1000000
#define MAX_MS 3600000
#define MAX_NUMBER 999999999999999999 /* the largest that a request can hold */

static unsigned int find_benchmark(struct request *request, const char *name)
{
	struct host_benchmark benchmark;

	for (unsigned int i = 0; i < host_count(); i++)
		if (!host_benchmark(i, &benchmark) && !strcmp(benchmark.name, name))
			return i;
	if (!request->wrong[0])
		snprintf(request->wrong, sizeof(request->wrong), "no benchmark %.80s", name);
	return 0;
}

static unsigned int get_benchmark(struct request *request)
{
	return find_benchmark(request, request_text(request, "kernel"));
}

static unsigned int get_threads(struct request *request)
{
	return request_integer(request, "threads", 1, MAX_THREADS);
}

/*
 * Loops are an unsigned long in C, of which an architecture may have 32 bits: all threads' together
 * must fit.
 */
static uint64_t most_loops(unsigned int threads)
{
	uint64_t most = ULONG_MAX / 2 / threads;

	return most < MAX_NUMBER ? most : MAX_NUMBER;
}

static unsigned int get_cpus(struct request *request, int cpus[MAX_LIST])
{
	uint64_t numbers[MAX_LIST];
	unsigned int count = request_integers(request, "cpus", 0, MAX_CPU, numbers);

	for (unsigned int i = 0; i < count; i++)
		cpus[i] = (int)numbers[i];
	return count;
}

void verb_check(struct request *request, struct answer *answer)
{
	unsigned int benchmark = get_benchmark(request), threads = get_threads(request);
	uint64_t loops = request_integer(request, "loops", 1, most_loops(threads));
	uint64_t wanted = request_integer(request, "wanted", 0, MAX_NUMBER);
	int stress = request_integer(request, "stress", 0, 1);
	const char *error;
	struct host_check out;

	if (refuses(request, answer))
		return;
	error = host_check(benchmark, threads, loops, wanted, stress, &out);
	answer_put(answer, "{\"passed\":%s,\"message\":", error ? "false" : "true");
	answer_string(answer, error ? error : out.unmet);
	answer_put(answer,
		   ",\"operations\":%llu,\"aborts\":%llu,\"disturbances\":%llu,\"threads\":%u}",
		   (unsigned long long)out.operations, (unsigned long long)out.aborts,
		   (unsigned long long)out.disturbances, threads);
}

static void put_numbers(struct answer *answer, const char *key, const uint64_t *numbers,
			unsigned int count)
{
	answer_put(answer, "\"%s\":[", key);
	for (unsigned int i = 0; i < count; i++)
		answer_put(answer, "%s%llu", i ? "," : "", (unsigned long long)numbers[i]);
	answer_put(answer, "]");
}

/*
 * The list of loops is gone through `repeat` times, so that neighbouring values share what happens
 * meanwhile.
 */
void verb_time(struct request *request, struct answer *answer)
{
	static uint64_t loops[MAX_LIST], ns[MAX_RUNS], aborts[MAX_RUNS], operations[MAX_RUNS];
	unsigned int benchmark = get_benchmark(request), threads = get_threads(request);
	unsigned int count = request_integers(request, "loops", 1, most_loops(threads), loops);
	unsigned int repeat = request_has(request, "repeat")
				      ? request_integer(request, "repeat", 1, MAX_RUNS)
				      : 1;
	unsigned int runs = count * repeat, cpu_count;
	int cpus[MAX_LIST];
	struct host_time out;
	const char *error;

	cpu_count = get_cpus(request, cpus);
	if (refuses(request, answer))
		return;
	if (runs > MAX_RUNS) {
		answer_fail(answer, "more than %d runs", MAX_RUNS);
		return;
	}
	for (unsigned int i = 0; i < runs; i++) {
		error = host_time(benchmark, threads, loops[i % count], cpus, cpu_count, &out);
		if (error) {
			answer_fail(answer, "%s", error);
			return;
		}
		ns[i] = out.ns;
		aborts[i] = out.aborts;
		operations[i] = out.operations;
	}
	answer_put(answer, "{");
	put_numbers(answer, "ns", ns, runs);
	answer_put(answer, ",");
	put_numbers(answer, "aborts", aborts, runs);
	answer_put(answer, ",");
	put_numbers(answer, "operations", operations, runs);
	answer_put(answer, "}");
}

void verb_calibrate(struct request *request, struct answer *answer)
{
	unsigned int benchmark = get_benchmark(request), threads = get_threads(request), cpu_count;
	uint64_t chunk_ns = request_integer(request, "chunk_ns", 1, MAX_NUMBER), loops;
	int cpus[MAX_LIST];
	const char *error;

	cpu_count = get_cpus(request, cpus);
	if (refuses(request, answer))
		return;
	error = host_calibrate(benchmark, threads, cpus, cpu_count, chunk_ns, &loops);
	if (error)
		answer_fail(answer, "%s", error);
	else
		answer_put(answer, "%llu", (unsigned long long)loops);
}

static unsigned int get_jobs(struct request *request, struct host_job jobs[MAX_LIST])
{
	static const char *names[MAX_LIST];
	static uint64_t threads[MAX_LIST], wanted[MAX_LIST], loops[MAX_LIST];
	unsigned int count = request_texts(request, "kernels", names);
	bool even = request_integers(request, "threads", 1, MAX_THREADS, threads) == count;

	even &= request_integers(request, "wanted", 1, MAX_CHUNKS, wanted) == count;
	even &= request_integers(request, "loops", 1, most_loops(1), loops) == count;
	if (!even && !request->wrong[0])
		snprintf(request->wrong, sizeof(request->wrong),
			 "kernels, threads, wanted and loops differ in length");
	for (unsigned int i = 0; i < count && !request->wrong[0]; i++)
		jobs[i] = (struct host_job){ .benchmark = find_benchmark(request, names[i]),
					     .threads = (unsigned int)threads[i],
					     .wanted = (unsigned int)wanted[i],
					     .loops = loops[i] };
	return count;
}

static void put_round(struct answer *answer, const struct host_chunk *chunks,
		      const struct host_round *out)
{
	answer_put(answer, "{\"chunks\":[");
	for (uint64_t i = 0; i < out->chunks; i++) {
		const struct host_chunk *chunk = &chunks[i];

		answer_put(answer, "%s[%u,%u,%u,%u,%u,%u,%u,%u,%u]", i ? "," : "", chunk->job,
			   chunk->disturbed, chunk->before, chunk->after, chunk->ticks,
			   chunk->aborts, chunk->instructions, chunk->cycles, chunk->branch_misses);
	}
	answer_put(answer, "],\"ns_per_tick\":%.17g,\"waits\":%llu,\"fastest\":%llu",
		   out->ns_per_tick, (unsigned long long)out->waits,
		   (unsigned long long)out->fastest);
	answer_put(answer, ",\"ns\":%llu,\"inside\":%llu,\"resolution\":%llu}",
		   (unsigned long long)out->ns, (unsigned long long)out->inside,
		   (unsigned long long)out->resolution);
}

void verb_gate(struct request *request, struct answer *answer)
{
	static struct host_job jobs[MAX_LIST];
	static int cpus[MAX_LIST];
	unsigned int count = get_jobs(request, jobs), cpu_count = get_cpus(request, cpus);
	uint64_t fastest = request_integer(request, "fastest", 0, MAX_NUMBER);
	uint64_t limit_ms = request_integer(request, "limit_ms", 1, MAX_MS);
	uint64_t seed = request_integer(request, "seed", 0, MAX_NUMBER);
	uint64_t capacity = request_integer(request, "capacity", 1, MAX_CHUNKS);
	struct host_chunk *chunks;
	struct host_round out;
	const char *error;

	if (refuses(request, answer))
		return;
	chunks = calloc(capacity, sizeof(*chunks));
	if (!chunks) {
		answer_fail(answer, "out of memory for %llu chunks", (unsigned long long)capacity);
		return;
	}
	error = host_round(jobs, count, cpus, cpu_count, fastest, limit_ms, seed, chunks, capacity,
			   &out);
	if (!error && !isfinite(out.ns_per_tick))
		error = "the clock stood still during the round";
	if (error)
		answer_fail(answer, "%s", error);
	else
		put_round(answer, chunks, &out);
	free(chunks);
}
