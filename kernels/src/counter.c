// SPDX-License-Identifier: MIT
/* counter: "Per-CPU statistic counter increment". Exact means: the sum over all CPUs is the number of increments. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "kernel.h"
#include "percpu.h"
#include "sequences.h"

#define SLOT_SHIFT 7 /* two cache lines: adjacent ones are prefetched in pairs */

struct slot {
	unsigned long count;
};

static char *slots;
static unsigned long shared __attribute__((aligned(128)));
static unsigned long plain __attribute__((aligned(128)));
static unsigned long from_threads;
static __thread unsigned long local __attribute__((tls_model("initial-exec")));

static int counter_setup(const struct setup *setup)
{
	(void)setup;
	slots = percpu_alloc(SLOT_SHIFT);
	shared = plain = from_threads = 0;
	return slots ? 0 : ENOMEM;
}

static void counter_teardown(void)
{
	free(slots);
}

static const char *counter_verify(uint64_t operations)
{
	unsigned long sum = shared + plain + from_threads;

	for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++)
		sum += ((struct slot *)(slots + ((size_t)cpu << SLOT_SHIFT)))->count;
	if (sum == (unsigned long)operations)
		return NULL;
	return complain("the sum is %lu after %lu increments", sum, (unsigned long)operations);
}

#define COUNTER(symbol, name_, doc_, flags_, ...)                                                                      \
	KERNEL(symbol, .name = "counter/" name_, .doc = doc_, .flags = IS_SHARED | (flags_), .setup = counter_setup,   \
	       .run = run_##symbol, .verify = counter_verify, .teardown = counter_teardown, __VA_ARGS__)

/* counter[cpu]++ by an atomic instruction: exact wherever the CPU number came from, since it is only a hint. */
#define COUNTER_ATOMIC(symbol, name_, doc_, flags_, read_cpu)                                                          \
	static void run_##symbol(struct thread *self, unsigned long loops)                                             \
	{                                                                                                              \
		struct rseq_area *area = self->area;                                                                   \
		char *base = slots;                                                                                    \
                                                                                                                       \
		(void)area;                                                                                            \
		for (; loops; loops--) {                                                                               \
			size_t cpu = (read_cpu);                                                                       \
			struct slot *slot = (struct slot *)(base + (cpu << SLOT_SHIFT));                               \
                                                                                                                       \
			__atomic_fetch_add(&slot->count, 1, __ATOMIC_RELAXED);                                         \
		}                                                                                                      \
	}                                                                                                              \
	COUNTER(symbol, name_, doc_, flags_ | IS_THREADED)

COUNTER_ATOMIC(getcpu_atomic, "getcpu_atomic", GETCPU_2018_DOC " plus an atomic add: what the patch compared with", 0,
	       percpu_getcpu_2018());

#ifdef ARCH_HAS_VDSO_GETCPU
COUNTER_ATOMIC(vdso_atomic, "vdso_atomic", "vDSO getcpu plus an atomic add: what people use today", 0, percpu_getcpu());
#else
KERNEL_ABSENT(vdso_atomic, "counter/vdso_atomic", "vDSO getcpu plus an atomic add", NO_VDSO_GETCPU);
#endif

COUNTER_ATOMIC(rseq_atomic, "rseq_atomic", "rseq cpu_id plus an atomic add: what people use today", NEEDS_RSEQ,
	       READ_ONCE(area->cpu_id));

static __always_inline void loop_rseq(struct thread *self, unsigned long loops, const bool stress)
{
	struct rseq_area *area = self->area;
	char *base = slots;

	for (; loops; loops--)
		SEQ(stress, add(area, &self->aborts, base, SLOT_SHIFT, offsetof(struct slot, count), 1));
}

KERNEL_LOOPS(rseq)

COUNTER(rseq, "rseq", "one restartable sequence that reads cpu_id inside", NEEDS_RSEQ | IS_SEQUENCE | IS_THREADED,
	.stress = stress_rseq);

static __always_inline void loop_rseq_cmp(struct thread *self, unsigned long loops, const bool stress)
{
	struct rseq_area *area = self->area;
	char *base = slots;

	for (; loops; loops--)
		SEQ(stress, compare_add(area, &self->aborts, base, SLOT_SHIFT, offsetof(struct slot, count), 1));
}

KERNEL_LOOPS(rseq_cmp)

COUNTER(rseq_cmp, "rseq_cmp", "the same, comparing cpu_id with one read before (the style of 2018)",
	NEEDS_RSEQ | IS_SEQUENCE | IS_THREADED, .stress = stress_rseq_cmp);

static void run_plain(struct thread *self, unsigned long loops)
{
	unsigned long *counter = &plain;

	(void)self;
	/* Through a register, like the sequences: CPUs that forward stores early do so for simple addresses only. */
	__asm__("" : "+r"(counter));
	for (; loops; loops--)
		arch_add(counter, 1);
}

COUNTER(plain, "plain", "a plain increment, no CPU number, one thread only: the least it can cost", 0);

static void run_thread_local(struct thread *self, unsigned long loops)
{
	(void)self;
	local = 0;
	for (; loops; loops--)
		arch_add(&local, 1);
	__atomic_fetch_add(&from_threads, local, __ATOMIC_RELAXED);
}

COUNTER(thread_local, "thread_local", "a counter a thread: no CPU number, but memory grows with threads", IS_THREADED);

static void run_shared_atomic(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		__atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
}

COUNTER(shared_atomic, "shared_atomic", "one counter for all, atomic add", IS_THREADED);
