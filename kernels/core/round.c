// SPDX-License-Identifier: MIT
/*
 * A gated round: short chunks of many benchmarks, interleaved in one process, each between two
 * probes that tell whether the core was ours. This file decides only when to stop; every chunk is
 * handed out with all that was seen of it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "benchmark.h"
#include "chunk.h"
#include "chunk_team.h"
#include "clock.h"
#include "host.h"
#include "jobs.h"
#include "registration.h"
#include "team.h"
#include "ticks.h"
#include "xorshift.h"

/* That share of the wanted chunks is also taken with a neighbour, to show what that costs. */
#define BUSY_SHARE 2
/* How long a busy core is given up. */
#define NAP_NS 200000

/* @team: NULL while one thread is enough */
struct round {
	struct jobs jobs;
	struct chunk_timer timer;
	struct chunk_team *team;
	int cpu;
	uint64_t deadline;
	uint64_t random;
	struct host_chunk *chunks;
	uint64_t capacity;
	struct host_round *out;
};

static uint64_t round_aborts(const struct round *round)
{
	return round->team ? chunk_team_aborts(round->team) : round->timer.thread.aborts;
}

/* Time a chunk; probes[0] was taken before it, probes[1] comes after. */
static const char *time_chunk(struct round *round, const struct job *job, struct chunk_time *time,
			      uint64_t probes[2])
{
	unsigned long warm_up = job_warm_up(job);

	if (job->threads > 1)
		return chunk_team_run(round->team, job->benchmark, job->threads, warm_up,
				      job->loops, time, probes);
	job->benchmark->run(&round->timer.thread, warm_up);
	chunk_timer_run(&round->timer, job->benchmark, job->loops, time);
	probes[1] = chunk_timer_probe(&round->timer);
	return NULL;
}

static const char *run_chunk(struct round *round, struct job *job, uint64_t before,
			     struct host_chunk *chunk)
{
	uint64_t probes[2] = { before }, aborts = round_aborts(round);
	struct chunk_time time;
	const char *error = time_chunk(round, job, &time, probes);

	chunk->before = clamp_ticks(probes[0]);
	chunk->after = clamp_ticks(probes[1]);
	chunk->disturbed = time.disturbed;
	chunk->instructions = time.counted[0];
	chunk->cycles = time.counted[1];
	chunk->branch_misses = time.counted[2];
	chunk->ticks = chunk_timer_ticks(&round->timer, &time);
	chunk->aborts = round_aborts(round) - aborts;
	job->operations += (job_warm_up(job) + job->loops) * job->threads;
	round->out->inside += chunk->ticks;
	return error;
}

/* The C library's registration is out of the way for as long as the chunk takes. */
static const char *run_unregistered(struct round *round, struct job *job, uint64_t before,
				    struct host_chunk *chunk)
{
	struct rseq *area = round->timer.thread.area;
	const char *error;

	if (!area || registration_suspend(area))
		return "cannot unregister the rseq area for a benchmark that needs it off";
	error = run_chunk(round, job, before, chunk);
	return registration_resume(area) ? "cannot register the rseq area again" : error;
}

/* Take a chunk of a job, or give the core up for a moment to a neighbour that is there. */
static const char *offer_core(struct round *round, unsigned int number)
{
	struct job *job = &round->jobs.list[number];
	struct host_chunk *chunk = &round->chunks[round->out->chunks];
	uint64_t before = chunk_timer_probe(&round->timer), fastest = round->timer.fastest;
	const char *error;
	bool quiet[2];

	/* A chunk that shares the core with the neighbour may still be of interest. */
	if (!is_probe_quiet(before, fastest) && job->busy >= job->wanted / BUSY_SHARE) {
		round->out->waits++;
		sleep_ns(NAP_NS);
		return NULL;
	}
	memset(chunk, 0, sizeof(*chunk));
	chunk->job = number;
	if (job->benchmark->flags & NEEDS_NO_RSEQ && registration_mode() != REGISTRATION_NONE)
		error = run_unregistered(round, job, before, chunk);
	else
		error = run_chunk(round, job, before, chunk);
	fastest = round->timer.fastest;
	quiet[0] = is_probe_quiet(chunk->before, fastest);
	quiet[1] = is_probe_quiet(chunk->after, fastest);
	job->quiet += quiet[0] && quiet[1] && !chunk->disturbed;
	job->busy += !quiet[0] && !quiet[1] && !chunk->disturbed;
	round->out->chunks++;
	if (!error && sched_getcpu() != round->cpu)
		error = "taken away from its CPU";
	return error;
}

/* One pass over the jobs that still want chunks, in a new random order. */
static const char *run_pass(struct round *round, bool *wanting)
{
	unsigned int order[MAX_JOBS];
	const char *error = NULL;

	*wanting = false;
	for (unsigned int i = 0; i < round->jobs.count; i++) {
		unsigned int j;

		round->random = xorshift64(round->random);
		j = round->random % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned int i = 0; i < round->jobs.count && !error; i++) {
		if (round->jobs.list[order[i]].quiet >= round->jobs.list[order[i]].wanted)
			continue;
		*wanting = true;
		if (clock_ns() >= round->deadline || round->out->chunks >= round->capacity) {
			*wanting = false;
			break;
		}
		error = offer_core(round, order[i]);
	}
	return error;
}

/* Prepare the process for its first chunk. */
static const char *round_open(struct round *round, const int *cpus, unsigned int cpu_count)
{
	unsigned int threads = jobs_most_threads(&round->jobs);
	const char *error = pin_thread(cpus[0]);

	round->cpu = cpus[0];
	if (!error)
		error = chunk_timer_open(&round->timer, NULL);
	round->out->resolution = round->timer.resolution;
	if (!error)
		error = jobs_set_up(&round->jobs);
	if (!error && threads > 1)
		error = chunk_team_start(&round->team, &round->timer, threads, cpus, cpu_count);
	return error;
}

static const char *round_close(struct round *round, const char *error)
{
	chunk_timer_close(&round->timer);
	if (round->team)
		chunk_team_stop(round->team);
	return jobs_conclude(&round->jobs, &round->timer.thread, error);
}

const char *host_round(const struct host_job *jobs, unsigned int count, const int *cpus,
		       unsigned int cpu_count, uint64_t fastest, uint64_t limit_ms, uint64_t seed,
		       struct host_chunk *chunks, uint64_t capacity, struct host_round *out)
{
	static struct round round;
	uint64_t begin_ns, begin_ticks;
	const char *error;
	bool wanting = true;

	memset(&round, 0, sizeof(round));
	memset(out, 0, sizeof(*out));
	round.timer.fastest = fastest ? fastest : UINT64_MAX;
	round.random = seed | 1;
	round.chunks = chunks;
	round.capacity = capacity;
	round.out = out;
	error = cpu_count ? jobs_choose(&round.jobs, jobs, count) : "no CPU to pin to";
	if (error)
		return error;
	error = round_open(&round, cpus, cpu_count);
	begin_ns = clock_ns();
	begin_ticks = ticks_begin(round.timer.counter);
	round.deadline = begin_ns + limit_ms * 1000000;
	while (wanting && !error)
		error = run_pass(&round, &wanting);
	out->ns = clock_ns() - begin_ns;
	out->ns_per_tick = (double)out->ns / (double)(ticks_end(round.timer.counter) - begin_ticks);
	out->fastest = round.timer.fastest;
	return round_close(&round, error);
}
