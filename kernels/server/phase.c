// SPDX-License-Identifier: MIT
/*
 * A request: take what others handed over, allocate, fill, compute, read back, free three quarters;
 * then hand over the last one. The loop is closed: a thread's next request begins when its last is
 * done, so a stall delays requests that never came, and latencies are those of requests that were
 * served, not of any that would have queued meanwhile.
 *
 * The time in the allocator is taken directly, in one request of SAMPLED: the calls stand together,
 * so that two pairs of readings cover all of them. A difference to a run with blocks that are there
 * already would lose a share of 1% in the noise of two runs. A sampled request has no latency
 * recorded, as the readings are in it; which ones are sampled depends on nothing that they do. One
 * that was preempted says nothing of the allocator, and is left out.
 */
#define _GNU_SOURCE
#include "phase.h"

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "clock.h"
#include "compute.h"
#include "exit_codes.h"
#include "getcpu.h"
#include "log.h"
#include "team.h"

/* Batches that a request takes at most: more than comes in, so that a backlog goes away. */
#define TAKEN 2
/* Requests that a thread serves however little time it gets. */
#define LEAST_REQUESTS (2 * SAMPLED)

/*
 * One thread of a phase.
 *
 * @inside_ns: of timed requests
 * @computed: what computing came to, so that nothing can leave it out
 */
struct server {
	_Alignas(128) const struct phase *phase;
	struct queue *from, *to;
	unsigned int number;
	uint32_t *latencies;
	size_t most;
	uint64_t inside_ns, computed;
	struct phase_result result;
};

/* When a phase begins, when its requests are timed, and when it ends; in ns. */
static uint64_t phase_begin, phase_timed, phase_end;

static void free_all(const struct block *blocks, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		free(blocks[i].at);
}

static unsigned int discard(struct server *self, const struct block *blocks, unsigned int count)
{
	self->result.verified += blocks_verify(blocks, count);
	free_all(blocks, count);
	return count;
}

/* The blocks that this thread frees go to the front, those that it hands over to the end. */
static void sort_by_who_frees(struct block blocks[BLOCKS])
{
	struct block handed[HANDED];
	unsigned int kept = 0;

	for (unsigned int i = 0; i < BLOCKS; i++)
		if (i % 4 == 3)
			handed[i / 4] = blocks[i];
		else
			blocks[kept++] = blocks[i];
	memcpy(blocks + kept, handed, sizeof(handed));
}

static unsigned int take_batches(struct server *self, struct block taken[TAKEN * HANDED])
{
	unsigned int count = 0;

	while (count < TAKEN * HANDED && queue_take(self->from, taken + count))
		count += HANDED;
	return count;
}

/* `in_allocator` adds up ns where it is not NULL. */
static void serve_request(struct server *self, struct block blocks[BLOCKS], uint64_t *in_allocator)
{
	struct phase_result *result = &self->result;
	struct block taken[TAKEN * HANDED];
	unsigned int count = take_batches(self, taken);
	uint64_t begin = 0;

	result->verified += blocks_verify(taken, count);
	if (in_allocator)
		begin = clock_ns();
	free_all(taken, count);
	blocks_allocate(blocks);
	if (in_allocator)
		*in_allocator += clock_ns() - begin;
	result->filled += blocks_fill(blocks);
	self->computed = compute(self->computed, self->phase->work);
	result->verified += blocks_verify(blocks, BLOCKS - HANDED);
	if (in_allocator)
		begin = clock_ns();
	free_all(blocks, BLOCKS - HANDED);
	if (in_allocator)
		*in_allocator += clock_ns() - begin;
	result->all++;
	result->allocated += BLOCKS;
	result->freed_here += BLOCKS - HANDED;
	result->freed_elsewhere += count;
}

/*
 * Between requests: waiting for another thread is no part of one. What is taken meanwhile is freed,
 * or two could wait.
 */
static void hand_over(struct server *self, const struct block batch[HANDED])
{
	struct block taken[TAKEN * HANDED];
	bool waited = false;

	while (!queue_put(self->to, batch)) {
		if (__atomic_load_n(&self->to->closed, __ATOMIC_RELAXED)) {
			self->result.freed_here += discard(self, batch, HANDED);
			break;
		}
		self->result.freed_elsewhere += discard(self, taken, take_batches(self, taken));
		waited = true;
		sched_yield();
	}
	self->result.waits += waited;
}

static void sample_request(struct server *self, struct block blocks[BLOCKS])
{
	uint64_t in_allocator = 0, begin, end;
	double allocator, whole;
	long before = context_switches();

	begin = clock_ns();
	serve_request(self, blocks, &in_allocator);
	end = clock_ns();
	self->result.sampled++;
	if (context_switches() != before)
		return;
	allocator = (double)in_allocator - 2 * clock_reading_ns();
	/* Its own pair, and four readings inside. */
	whole = (double)(end - begin) - 5 * clock_reading_ns();
	self->result.undisturbed++;
	self->result.allocator_ns += allocator;
	self->result.share += allocator / whole;
}

/*
 * Serve one request, and return when it was over; its latency is recorded once `phase_timed` is
 * past.
 */
static uint64_t time_request(struct server *self, uint64_t begin)
{
	struct block blocks[BLOCKS];
	bool counts = begin >= phase_timed;
	uint64_t end;

	blocks_choose(blocks, self->number, self->result.all);
	sort_by_who_frees(blocks);
	begin = clock_ns();
	if (counts && self->result.requests % SAMPLED == 0)
		sample_request(self, blocks);
	else
		serve_request(self, blocks, NULL);
	end = clock_ns();
	if (counts && self->result.requests % SAMPLED) {
		if (end - begin > UINT32_MAX)
			die(EXIT_LOST,
			    "a request took more than 4 s, and its latency has no place");
		self->latencies[self->result.latencies++] = (uint32_t)(end - begin);
	}
	if (counts)
		self->inside_ns += end - begin;
	self->result.requests += counts;
	hand_over(self, blocks + BLOCKS - HANDED);
	return end;
}

static void server_work(struct team_member *member)
{
	struct server *self = (struct server *)member->team->context + member->index;
	uint64_t calls = getcpu_calls(), at;

	team_wait(member->team);
	at = phase_begin;
	while ((at < phase_end || self->result.requests < LEAST_REQUESTS) &&
	       self->result.latencies < self->most)
		at = time_request(self, at);
	__atomic_store_n(&self->from->closed, true, __ATOMIC_RELAXED);
	self->result.seconds = at > phase_timed ? (double)(at - phase_timed) * 1e-9 : 0;
	self->result.rate =
		self->result.seconds > 0 ? (double)self->result.requests / self->result.seconds : 0;
	self->result.inside = self->result.seconds > 0
				      ? (double)self->inside_ns * 1e-9 / self->result.seconds
				      : 0;
	self->result.getcpu_calls = getcpu_calls() - calls;
}

static void add_result(struct phase_result *sum, const struct phase_result *result)
{
#define ADD_COUNT(name) sum->name += result->name;
	PHASE_COUNTS(ADD_COUNT)
#undef ADD_COUNT
	sum->filled += result->filled;
	sum->verified += result->verified;
	sum->rate += result->rate;
	sum->inside += result->inside;
	sum->share += result->share;
	sum->allocator_ns += result->allocator_ns;
	if (result->seconds > sum->seconds)
		sum->seconds = result->seconds;
}

/* What is still in a queue when its thread has ended. */
static void drain_queue(struct server *self)
{
	struct block batch[HANDED];

	while (queue_take(self->from, batch))
		self->result.freed_elsewhere += discard(self, batch, HANDED);
}

static void servers_init(struct server *servers, const struct phase *phase, struct queue *queues,
			 uint32_t *latencies, size_t most)
{
	for (unsigned int i = 0; i < phase->threads; i++) {
		servers[i] = (struct server){ .phase = phase, .number = i, .computed = i + 1 };
		servers[i].from = &queues[i];
		queues[i].closed = false;
		servers[i].to = &queues[(i + 1) % phase->threads];
		servers[i].most = most / phase->threads;
		servers[i].latencies = latencies + i * servers[i].most;
	}
}

struct phase_result phase_run(const struct phase *phase, struct queue *queues, uint32_t *latencies,
			      size_t most)
{
	static struct server servers[MOST_THREADS];
	static struct team_member members[MOST_THREADS];
	struct team team = { .members = members,
			     .size = phase->threads,
			     .caller_waits = true,
			     .work = server_work,
			     .context = servers };
	const char *error;
	struct phase_result sum = { 0 };

	servers_init(servers, phase, queues, latencies, most);
	error = team_start(&team);
	if (error)
		die(EXIT_NO_MEMORY, "%s", error);
	phase_begin = clock_ns();
	phase_timed = phase_begin + phase->warm_ns;
	phase_end = phase_timed + phase->ns;
	team_wait(&team);
	team_join(&team);
	for (unsigned int i = 0; i < phase->threads; i++) {
		drain_queue(&servers[i]);
		add_result(&sum, &servers[i].result);
		memmove(latencies + sum.latencies, servers[i].latencies,
			servers[i].result.latencies * sizeof(*latencies));
		sum.latencies += servers[i].result.latencies;
	}
	if (sum.allocated != sum.freed_here + sum.freed_elsewhere || sum.filled != sum.verified)
		die(EXIT_LOST,
		    "%lu blocks were allocated and %lu freed, or not all as they were filled",
		    (unsigned long)sum.allocated,
		    (unsigned long)(sum.freed_here + sum.freed_elsewhere));
	return sum;
}
