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

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "getcpu.h"
#include "say.h"

/* batches that a request takes at most: more than comes in, so that a backlog goes away */
#define TAKEN 2
#define LEAST (2 * SAMPLED) /* requests that a thread serves however little time it gets */

struct server {
	_Alignas(128) const struct phase *phase;
	struct queue *from, *to;
	unsigned int number;
	uint32_t *latencies;
	size_t most;
	uint64_t inside_ns; /* of timed requests */
	uint64_t spent; /* what computing came to, so that nothing can leave it out */
	struct served served;
};

static pthread_barrier_t beginning;
static uint64_t began, timed, ends;

static void free_all(const struct block *blocks, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		free(blocks[i].at);
}

static unsigned int discard(struct server *me, const struct block *blocks, unsigned int count)
{
	me->served.verified += blocks_verify(blocks, count);
	free_all(blocks, count);
	return count;
}

/* The blocks that this thread frees go to the front, those that it hands over to the end. */
static void part(struct block blocks[BLOCKS])
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

static unsigned int take(struct server *me, struct block taken[TAKEN * HANDED])
{
	unsigned int count = 0;

	while (count < TAKEN * HANDED && queue_take(me->from, taken + count))
		count += HANDED;
	return count;
}

/* `in_allocator` adds up ns where it is not NULL. */
static void serve(struct server *me, struct block blocks[BLOCKS], uint64_t *in_allocator)
{
	struct served *served = &me->served;
	struct block taken[TAKEN * HANDED];
	unsigned int count = take(me, taken);
	uint64_t begin = 0;

	served->verified += blocks_verify(taken, count);
	if (in_allocator)
		begin = clock_ns();
	free_all(taken, count);
	blocks_allocate(blocks);
	if (in_allocator)
		*in_allocator += clock_ns() - begin;
	served->filled += blocks_fill(blocks);
	me->spent = clock_steps(me->spent, me->phase->work);
	served->verified += blocks_verify(blocks, BLOCKS - HANDED);
	if (in_allocator)
		begin = clock_ns();
	free_all(blocks, BLOCKS - HANDED);
	if (in_allocator)
		*in_allocator += clock_ns() - begin;
	served->all++;
	served->allocated += BLOCKS;
	served->freed_here += BLOCKS - HANDED;
	served->freed_elsewhere += count;
}

/*
 * Between requests: waiting for another thread is no part of one. What is taken meanwhile is freed,
 * or two could wait.
 */
static void hand_over(struct server *me, const struct block batch[HANDED])
{
	struct block taken[TAKEN * HANDED];
	bool waited = false;

	while (!queue_put(me->to, batch)) {
		if (__atomic_load_n(&me->to->closed, __ATOMIC_RELAXED)) {
			me->served.freed_here += discard(me, batch, HANDED);
			break;
		}
		me->served.freed_elsewhere += discard(me, taken, take(me, taken));
		waited = true;
		sched_yield();
	}
	me->served.waits += waited;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static void sample(struct server *me, struct block blocks[BLOCKS])
{
	uint64_t in_allocator = 0, begin, end;
	double allocator, whole;
	long before = switches();

	begin = clock_ns();
	serve(me, blocks, &in_allocator);
	end = clock_ns();
	me->served.sampled++;
	if (switches() != before)
		return;
	allocator = (double)in_allocator - 2 * clock_reading_ns();
	/* its own pair, and four readings inside */
	whole = (double)(end - begin) - 5 * clock_reading_ns();
	me->served.undisturbed++;
	me->served.allocator_ns += allocator;
	me->served.share += allocator / whole;
}

/* Serve one request, and return when it was over; its latency is recorded once `timed` is past. */
static uint64_t request(struct server *me, uint64_t begin)
{
	struct block blocks[BLOCKS];
	bool counts = begin >= timed;
	uint64_t end;

	blocks_choose(blocks, me->number, me->served.all);
	part(blocks);
	begin = clock_ns();
	if (counts && me->served.requests % SAMPLED == 0)
		sample(me, blocks);
	else
		serve(me, blocks, NULL);
	end = clock_ns();
	if (counts && me->served.requests % SAMPLED) {
		if (end - begin > UINT32_MAX)
			die(LOST, "a request took more than 4 s, and its latency has no place");
		me->latencies[me->served.latencies++] = (uint32_t)(end - begin);
	}
	if (counts)
		me->inside_ns += end - begin;
	me->served.requests += counts;
	hand_over(me, blocks + BLOCKS - HANDED);
	return end;
}

static void *run(void *argument)
{
	struct server *me = argument;
	uint64_t calls = getcpu_calls(), at;

	pthread_barrier_wait(&beginning);
	at = began;
	while ((at < ends || me->served.requests < LEAST) && me->served.latencies < me->most)
		at = request(me, at);
	__atomic_store_n(&me->from->closed, true, __ATOMIC_RELAXED);
	me->served.seconds = at > timed ? (double)(at - timed) * 1e-9 : 0;
	me->served.rate = me->served.seconds > 0 ? (double)me->served.requests / me->served.seconds
						 : 0;
	me->served.inside =
		me->served.seconds > 0 ? (double)me->inside_ns * 1e-9 / me->served.seconds : 0;
	me->served.getcpu_calls = getcpu_calls() - calls;
	return NULL;
}

static void add(struct served *sum, const struct served *one)
{
	sum->requests += one->requests;
	sum->all += one->all;
	sum->allocated += one->allocated;
	sum->freed_here += one->freed_here;
	sum->freed_elsewhere += one->freed_elsewhere;
	sum->filled += one->filled;
	sum->verified += one->verified;
	sum->waits += one->waits;
	sum->rate += one->rate;
	sum->inside += one->inside;
	sum->sampled += one->sampled;
	sum->undisturbed += one->undisturbed;
	sum->share += one->share;
	sum->allocator_ns += one->allocator_ns;
	sum->getcpu_calls += one->getcpu_calls;
	if (one->seconds > sum->seconds)
		sum->seconds = one->seconds;
}

/* What is still in a queue when its thread has ended. */
static void drain(struct server *server)
{
	struct block batch[HANDED];

	while (queue_take(server->from, batch))
		server->served.freed_elsewhere += discard(server, batch, HANDED);
}

static void start(struct server *servers, const struct phase *phase, struct queue *queues,
		  uint32_t *latencies, size_t most)
{
	for (unsigned int i = 0; i < phase->threads; i++) {
		servers[i] = (struct server){ .phase = phase, .number = i, .spent = i + 1 };
		servers[i].from = &queues[i];
		queues[i].closed = false;
		servers[i].to = &queues[(i + 1) % phase->threads];
		servers[i].most = most / phase->threads;
		servers[i].latencies = latencies + i * servers[i].most;
	}
}

struct served phase_run(const struct phase *phase, struct queue *queues, uint32_t *latencies,
			size_t most)
{
	static struct server servers[MOST_THREADS];
	static pthread_t threads[MOST_THREADS];
	struct served sum = { 0 };

	start(servers, phase, queues, latencies, most);
	pthread_barrier_init(&beginning, NULL, phase->threads + 1);
	for (unsigned int i = 0; i < phase->threads; i++)
		if (pthread_create(&threads[i], NULL, run, &servers[i]))
			die(NO_MEMORY, "cannot start thread %u of %u", i + 1, phase->threads);
	began = clock_ns();
	timed = began + phase->warm_ns;
	ends = timed + phase->ns;
	pthread_barrier_wait(&beginning);
	for (unsigned int i = 0; i < phase->threads; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&beginning);
	for (unsigned int i = 0; i < phase->threads; i++) {
		drain(&servers[i]);
		add(&sum, &servers[i].served);
		memmove(latencies + sum.latencies, servers[i].latencies,
			servers[i].served.latencies * sizeof(*latencies));
		sum.latencies += servers[i].served.latencies;
	}
	if (sum.allocated != sum.freed_here + sum.freed_elsewhere || sum.filled != sum.verified)
		die(LOST, "%lu blocks were allocated and %lu freed, or not all as they were filled",
		    (unsigned long)sum.allocated,
		    (unsigned long)(sum.freed_here + sum.freed_elsewhere));
	return sum;
}
