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

	for (unsigned int i = 0; !host_benchmark(i, &benchmark); i++)
		if (!strcmp(benchmark.name, name))
			return i;
	request_note(request, "no benchmark %.80s", name);
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
	bool stress = request_integer(request, "stress", 0, 1);
	const char *error;
	struct json *json = &answer->json;
	struct host_check out;

	if (refuses(request, answer))
		return;
	error = host_check(benchmark, threads, loops, wanted, stress, &out);
	json_open(json, NULL, '{');
	json_bool(json, "passed", !error);
	json_string(json, "message", error ? error : out.unmet);
	json_integer(json, "operations", out.operations);
	json_integer(json, "aborts", out.aborts);
	json_integer(json, "disturbances", out.disturbances);
	json_integer(json, "threads", threads);
	json_close(json, '}');
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
	struct json *json = &answer->json;
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
	json_open(json, NULL, '{');
	json_integers(json, "ns", ns, runs);
	json_integers(json, "aborts", aborts, runs);
	json_integers(json, "operations", operations, runs);
	json_close(json, '}');
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
		json_integer(&answer->json, NULL, loops);
}

static unsigned int get_jobs(struct request *request, struct host_job jobs[MAX_LIST])
{
	static const char *names[MAX_LIST];
	static uint64_t threads[MAX_LIST], wanted[MAX_LIST], loops[MAX_LIST];
	unsigned int count = request_texts(request, "kernels", names);
	bool even = request_integers(request, "threads", 1, MAX_THREADS, threads) == count;

	even &= request_integers(request, "wanted", 1, MAX_CHUNKS, wanted) == count;
	even &= request_integers(request, "loops", 1, most_loops(1), loops) == count;
	if (!even)
		request_note(request, "kernels, threads, wanted and loops differ in length");
	for (unsigned int i = 0; i < count && !request->wrong[0]; i++)
		jobs[i] = (struct host_job){ .benchmark = find_benchmark(request, names[i]),
					     .threads = (unsigned int)threads[i],
					     .wanted = (unsigned int)wanted[i],
					     .loops = loops[i] };
	return count;
}

static void put_round(struct json *json, const struct host_chunk *chunks,
		      const struct host_round *out)
{
	json_open(json, NULL, '{');
	json_open(json, "chunks", '[');
	for (uint64_t i = 0; i < out->chunks; i++) {
		const struct host_chunk *chunk = &chunks[i];
		const uint64_t fields[] = { chunk->job,		 chunk->disturbed,
					    chunk->before,	 chunk->after,
					    chunk->ticks,	 chunk->aborts,
					    chunk->instructions, chunk->cycles,
					    chunk->branch_misses };

		json_integers(json, NULL, fields, sizeof(fields) / sizeof(fields[0]));
	}
	json_close(json, ']');
	json_number(json, "ns_per_tick", out->ns_per_tick, 17);
	json_integer(json, "waits", out->waits);
	json_integer(json, "fastest", out->fastest);
	json_integer(json, "ns", out->ns);
	json_integer(json, "inside", out->inside);
	json_integer(json, "resolution", out->resolution);
	json_close(json, '}');
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
		put_round(&answer->json, chunks, &out);
	free(chunks);
}
