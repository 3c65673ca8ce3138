// SPDX-License-Identifier: MIT
/*
 * rcu: "liburcu percpu: lock-unlock pair, dereference, read/compare word".
 *
 * A reader counts itself in on this CPU's lock counter of the current period and out on this CPU's
 * unlock counter, wherever it then is: only the sums matter, as in Linux's SRCU. A writer flips the
 * period and waits until the sums of the old one are equal. The full barriers that readers would
 * need are the writer's instead, by membarrier(2), so that readers of all methods differ in nothing
 * but how they count.
 *
 * Exact means: no reader ever sees the poison that the writer puts into a word after its grace
 * period, every reader is counted in and out once. A check lasts until a grace period has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"
#include "percpu.h"
#include "sequences.h"

#define SLOT_SHIFT 7
#define GOOD 0x600du
#define POISON 0xdeadu
/* a freed word stays poisoned for a while, so that a late reader meets the poison */
#define OBJECTS 1024

struct percpu_readers {
	unsigned long lock[2]; /* readers that came in, by period */
	unsigned long unlock[2]; /* readers that went out */
};

static char *slots;
static unsigned long period;
static unsigned long grace_periods;
static struct object {
	unsigned long word;
} __attribute__((aligned(128))) objects[OBJECTS], *published;

static int membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static const char *no_membarrier(void)
{
	int commands = membarrier(MEMBARRIER_CMD_QUERY);

	if (commands < 0 || !(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return "membarrier: no PRIVATE_EXPEDITED (Linux < 4.14, or CONFIG_MEMBARRIER=n): the writer needs it";
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ? "membarrier: cannot register"
								     : NULL;
}

static int rcu_setup(const struct setup *setup)
{
	slots = percpu_alloc(SLOT_SHIFT);
	period = grace_periods = 0;
	objects[0].word = GOOD;
	published = &objects[0];
	(void)setup;
	return slots ? 0 : ENOMEM;
}

static void rcu_teardown(void)
{
	free(slots);
}

static unsigned long sum(size_t offset)
{
	unsigned long total = 0;

	for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++)
		total += __atomic_load_n(
			(unsigned long *)(slots + ((size_t)cpu << SLOT_SHIFT) + offset),
			__ATOMIC_RELAXED);
	return total;
}

/*
 * Out first, then in: a reader that leaves in between can only make the sums unequal, never equal
 * too early.
 */
static bool readers_gone(unsigned long of)
{
	unsigned long out = sum(offsetof(struct percpu_readers, unlock) + of * sizeof(long));

	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	return sum(offsetof(struct percpu_readers, lock) + of * sizeof(long)) == out;
}

/*
 * Wait until every reader that may have seen what was unpublished is gone. A reader may read the
 * period, be preempted, and count itself in only after the flip; so first the period to come must
 * be empty, then flip, then the old one.
 */
static bool synchronize(const bool *stop)
{
	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	for (int turn = 0; turn < 2; turn++) {
		unsigned long waited_for = !READ_ONCE(period);

		while (!readers_gone(waited_for)) {
			if (READ_ONCE(*stop))
				return false;
			sched_yield();
		}
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
		if (!turn)
			WRITE_ONCE(period, waited_for);
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	}
	return true;
}

/* The write side: publish, wait for a grace period, poison what nobody can see any more. */
static void writer(const bool *stop)
{
	for (unsigned int next = 1; !READ_ONCE(*stop); next = (next + 1) % OBJECTS) {
		struct object *old = published;

		WRITE_ONCE(objects[next].word, GOOD);
		__atomic_store_n(&published, &objects[next], __ATOMIC_RELEASE);
		if (!synchronize(stop))
			return;
		WRITE_ONCE(old->word, POISON);
		WRITE_ONCE(grace_periods, grace_periods + 1);
	}
}

static const char *rcu_verify(uint64_t operations)
{
	unsigned long in = sum(offsetof(struct percpu_readers, lock[0])) +
			   sum(offsetof(struct percpu_readers, lock[1]));
	unsigned long out = sum(offsetof(struct percpu_readers, unlock[0])) +
			    sum(offsetof(struct percpu_readers, unlock[1]));

	if (in != (unsigned long)operations || out != (unsigned long)operations)
		return complain("%lu locks and %lu unlocks after %lu pairs", in, out,
				(unsigned long)operations);
	return NULL;
}

static const char *rcu_unmet(void)
{
	return READ_ONCE(grace_periods) ? NULL : "no grace period ended, so nothing was poisoned";
}

/*
 * Now and then a reader of a check is slower than a grace period, at either of the two places where
 * it may matter.
 */
static void dawdle(unsigned long loops, unsigned long when)
{
	if (loops % 64 == when)
		doze();
	else
		linger();
}

/* The part in the middle, the same for all methods: dereference, read and compare a word. */
static __always_inline void dereference(struct thread *self, unsigned long loops, const bool stress)
{
	struct object *object = READ_ONCE(published);

	if (stress)
		dawdle(loops, 0);
	if (unlikely(READ_ONCE(object->word) != GOOD))
		self->failures++;
}

#define RCU(symbol, doc_, flags_)                                                                  \
	BENCHMARK(symbol, .name = "rcu/" #symbol, .doc = doc_,                                     \
		  .flags = IS_SHARED | IS_THREADED | (flags_), .unavailable = no_membarrier,       \
		  .setup = rcu_setup, .run = run_##symbol, .stress = stress_##symbol,              \
		  .beside = writer, .verify = rcu_verify, .unmet = rcu_unmet,                      \
		  .teardown = rcu_teardown)

/*
 * The address of this CPU's lock counter of period `now`; its unlock counter is two words further.
 */
static __always_inline unsigned long *counter(char *base, size_t cpu, unsigned long now)
{
	return &((struct percpu_readers *)(base + (cpu << SLOT_SHIFT)))->lock[now];
}

static __always_inline void loop_atomic(struct thread *self, unsigned long loops, const bool stress,
					read_cpu_fn *read_cpu)
{
	struct rseq *area = self->area;
	char *base = slots;

	for (; loops; loops--) {
		unsigned long now = READ_ONCE(period);

		if (stress)
			dawdle(loops, 32);
		__atomic_fetch_add(counter(base, read_cpu(area), now), 1, __ATOMIC_RELAXED);
		barrier();
		dereference(self, loops, stress);
		barrier();
		__atomic_fetch_add(counter(base, read_cpu(area), now) + 2, 1, __ATOMIC_RELAXED);
	}
}

static void run_getcpu_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, false, cpu_by_getcpu_2018);
}

static void stress_getcpu_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, true, cpu_by_getcpu_2018);
}

RCU(getcpu_atomic,
    GETCPU_2018_DOC " and a relaxed atomic add, twice: the message's \"getcpu+atomic\"", 0);

#ifdef ARCH_HAS_VDSO_GETCPU
static void run_vdso_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, false, cpu_by_getcpu);
}

static void stress_vdso_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, true, cpu_by_getcpu);
}

RCU(vdso_atomic, "vDSO getcpu and a relaxed atomic add, twice", 0);
#else
BENCHMARK_ABSENT(vdso_atomic, "rcu/vdso_atomic", "vDSO getcpu and a relaxed atomic add, twice",
		 NO_VDSO_GETCPU);
#endif

static void run_rseq_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, false, cpu_by_rseq);
}

static void stress_rseq_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, true, cpu_by_rseq);
}

RCU(rseq_atomic, "rseq cpu_id and a relaxed atomic add, twice", NEEDS_RSEQ);

static __always_inline void loop_rseq(struct thread *self, unsigned long loops, const bool stress)
{
	struct rseq *area = self->area;
	char *base = slots;

	for (; loops; loops--) {
		unsigned long now = READ_ONCE(period);
		unsigned long *lock = counter(base, 0, now);

		if (stress)
			dawdle(loops, 32);
		SEQ(stress, add(area, &self->aborts, lock, SLOT_SHIFT, 0, 1));
		dereference(self, loops, stress);
		SEQ(stress, add(area, &self->aborts, lock, SLOT_SHIFT,
				offsetof(struct percpu_readers, unlock), 1));
	}
}

static void run_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, false);
}

static void stress_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, true);
}

RCU(rseq, "two restartable sequences, no atomic, no barrier", NEEDS_RSEQ | IS_SEQUENCE);
