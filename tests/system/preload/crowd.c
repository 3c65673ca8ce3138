// SPDX-License-Identifier: MIT
/*
 * Many threads that allocate, paint, look again and free; a quarter of the blocks is freed by another thread. They are
 * of all sizes, or alike, so that all threads are at the same list of a CPU.
 *
 *	crowd THREADS ROUNDS [alike] [signals] [moves] [trims] [forks]
 *
 * Meanwhile, as asked: signals hit the threads, they are moved from CPU to CPU, malloc_trim() is called, the process
 * forks. At the end the pools' counts must be what the threads did, and malloc_trim() must leave nothing on a list.
 */
#include "check.h"

#include <sys/wait.h>

#define HELD 64
#define BOXES 32
#define LARGEST 1200

struct held {
	void *block;
	size_t size;
	uint64_t mark;
};

struct worker {
	pthread_t thread;
	uint32_t random;
	uint64_t marks;
	unsigned long allocations, frees;
	struct held held[HELD];
};

static unsigned long rounds;
static unsigned int threads;
static bool alike, signals, moves, trims, forks, over;
static struct worker *workers;
static struct held *boxes[BOXES]; /* blocks on their way to whichever thread looks in next */
static pthread_barrier_t barrier;

static void *take(struct worker *self, size_t size)
{
	void *block = malloc(size);

	CHECK(block);
	CHECK((uintptr_t)block % (size < 16 ? 8 : 16) == 0);
	CHECK(malloc_usable_size(block) >= size);
	self->allocations++;
	return block;
}

static void give(struct worker *self, void *block)
{
	free(block);
	self->frees++;
}

static void drop(struct worker *self, struct held *held)
{
	CHECK(painted(held->block, held->size, held->mark));
	give(self, held->block);
	held->block = NULL;
}

/* Leave a block in a box, and free what another thread left there. */
static void send(struct worker *self, struct held *held)
{
	struct held *letter = take(self, sizeof(*letter)), *found;

	*letter = *held;
	held->block = NULL;
	found = __atomic_exchange_n(&boxes[next_random(&self->random) % BOXES], letter, __ATOMIC_ACQ_REL);
	if (!found)
		return;
	drop(self, found);
	give(self, found);
}

static void one(struct worker *self)
{
	struct held *held = &self->held[next_random(&self->random) % HELD];
	uint32_t random = next_random(&self->random);

	if (held->block && random % 4 == 0)
		send(self, held);
	else if (held->block)
		drop(self, held);
	held->size = alike ? sizeof(struct held) : 1 + (random >> 8) % (random & 16 ? LARGEST : 64);
	held->mark = self->marks++ << 8 | (self - workers);
	held->block = take(self, held->size);
	paint(held->block, held->size, held->mark);
}

static void *work(void *data)
{
	struct worker *self = data;

	free(malloc(1)); /* so that the thread is known before counting begins */
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (unsigned long i = 0; i < rounds; i++)
		one(self);
	for (unsigned int i = 0; i < HELD; i++)
		if (self->held[i].block)
			drop(self, &self->held[i]);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void nothing(int signal)
{
	(void)signal;
}

static void move(pthread_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set); /* fails when that CPU is just offline */
}

/* A child has the memory of all threads and only this one: it must be able to go on by itself, and to trim. */
static void fork_once(struct worker *self)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (!child) {
		alarm(5);
		for (unsigned int i = 0; i < 500; i++)
			one(self);
		malloc_trim(0);
		for (unsigned int i = 0; i < 500; i++)
			one(self);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
}

static void *disturb(void *data)
{
	struct worker *self = data; /* used in children only */
	unsigned int cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t random = 7;

	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		for (unsigned int i = 0; i < threads; i++) {
			if (signals)
				pthread_kill(workers[i].thread, SIGUSR1);
			if (moves)
				move(workers[i].thread, next_random(&random) % cpus);
		}
		if (trims)
			malloc_trim(0);
		if (forks)
			fork_once(self);
		usleep(200);
	}
	return NULL;
}

static void options(int count, char **words)
{
	for (int i = 0; i < count; i++) {
		alike |= !strcmp(words[i], "alike");
		signals |= !strcmp(words[i], "signals");
		moves |= !strcmp(words[i], "moves");
		trims |= !strcmp(words[i], "trims");
		forks |= !strcmp(words[i], "forks");
	}
}

static void empty_boxes(struct worker *self)
{
	for (unsigned int i = 0; i < BOXES; i++)
		if (boxes[i]) {
			drop(self, boxes[i]);
			give(self, boxes[i]);
		}
}

static void compare(const struct pools_stats *before, const struct pools_stats *after)
{
	unsigned long allocations = 0, frees = 0;

	for (unsigned int i = 0; i <= threads; i++) {
		allocations += workers[i].allocations;
		frees += workers[i].frees;
	}
	CHECK(allocations == frees);
	CHECK(after->allocations - before->allocations == allocations);
	CHECK(after->frees - before->frees == frees);
	CHECK(after->cached_bytes <= after->peak_bytes);
	CHECK(after->peak_bytes <= after->bound_bytes);
}

static void empty_lists(const struct pools_stats *before)
{
	struct pools_stats after;

	malloc_trim(0);
	after = counted();
	CHECK(after.untrimmed == 0);
	CHECK(after.cached == 0);
	CHECK(after.cached_bytes == 0);
	CHECK(after.trimmed - before->trimmed == before->cached);
}

int main(int argc, char **argv)
{
	struct pools_stats before, after;
	pthread_t disturber;

	CHECK(argc >= 3);
	threads = atoi(argv[1]);
	rounds = atol(argv[2]);
	options(argc - 3, argv + 3);
	signal(SIGUSR1, nothing);
	workers = calloc(threads + 1, sizeof(*workers)); /* the last is main's */
	CHECK(workers);
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (unsigned int i = 0; i <= threads; i++)
		workers[i].random = 1 + i;
	for (unsigned int i = 0; i < threads; i++)
		CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_create(&disturber, NULL, disturb, &workers[threads]));
	usleep(1000);
	before = counted();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	pthread_join(disturber, NULL);
	empty_boxes(&workers[threads]);
	after = counted();
	compare(&before, &after);
	empty_lists(&after);
	printf("aborts=%lu\n", after.aborts - before.aborts);
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
