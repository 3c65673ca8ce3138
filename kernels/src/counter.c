// SPDX-License-Identifier: MIT
/*
 * counter: "Per-CPU statistic counter increment". Exact means: the sum over all CPUs is the number
 * of increments.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "benchmark.h"
#include "percpu.h"
#include "sequences.h"

#define SLOT_SHIFT 7 /* two cache lines: adjacent ones are prefetched in pairs */

struct percpu_count {
	unsigned long count;
};

static char *counts;
static unsigned long shared __attribute__((aligned(128)));

static unsigned long plain __attribute__((aligned(128)));

static unsigned long from_threads;
static __thread unsigned long local __attribute__((tls_model("initial-exec")));

static int counter_setup(const struct setup *setup)
{
	(void)setup;
	counts = percpu_alloc(SLOT_SHIFT);
	shared = plain = from_threads = 0;
	return counts ? 0 : ENOMEM;
}

static void counter_teardown(void)
{
	free(counts);
}

static const char *counter_verify(uint64_t operations)
{
	unsigned long sum = shared + plain + from_threads;

	for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++)
		sum += ((struct percpu_count *)(counts + ((size_t)cpu << SLOT_SHIFT)))->count;
	if (sum == (unsigned long)operations)
		return NULL;
	return complain("the sum is %lu after %lu increments", sum, (unsigned long)operations);
}

#define COUNTER(symbol, name_, doc_, flags_, ...)                                                  \
	BENCHMARK(symbol, .name = "counter/" name_, .doc = doc_, .flags = IS_SHARED | (flags_),    \
		  .setup = counter_setup, .run = run_##symbol, .verify = counter_verify,           \
		  .teardown = counter_teardown, __VA_ARGS__)

typedef void add_fn(unsigned long *counter, unsigned long n);

static __always_inline void add_relaxed(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/*
 * counter[cpu]++ by an atomic instruction: exact wherever the CPU number came from, since it is
 * only a hint.
 */
static __always_inline void loop_atomic(struct thread *self, unsigned long loops,
					read_cpu_fn *read_cpu, add_fn *add)
{
	struct rseq *area = self->area;
	char *base = counts;

	for (; loops; loops--) {
		size_t cpu = read_cpu(area);
		struct percpu_count *slot = (struct percpu_count *)(base + (cpu << SLOT_SHIFT));

		add(&slot->count, 1);
	}
}

static void run_getcpu_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, cpu_by_getcpu_2018, add_relaxed);
}

COUNTER(getcpu_atomic, "getcpu_atomic",
	GETCPU_2018_DOC " plus a relaxed atomic add: the message's \"getcpu+atomic\"", IS_THREADED);

#ifdef ARCH_HAS_VDSO_GETCPU
static void run_vdso_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, cpu_by_getcpu, add_relaxed);
}

COUNTER(vdso_atomic, "vdso_atomic",
	"vDSO getcpu plus a relaxed atomic add: what one writes without rseq", IS_THREADED);
#else
BENCHMARK_ABSENT(vdso_atomic, "counter/vdso_atomic", "vDSO getcpu plus a relaxed atomic add",
		 NO_VDSO_GETCPU);
#endif

static void run_rseq_atomic(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, cpu_by_rseq, add_relaxed);
}

COUNTER(rseq_atomic, "rseq_atomic", "rseq cpu_id plus a relaxed atomic add: what people use today",
	NEEDS_RSEQ | IS_THREADED);

static __always_inline void loop_rseq(struct thread *self, unsigned long loops, const bool stress)
{
	struct rseq *area = self->area;
	char *base = counts;

	for (; loops; loops--)
		SEQ(stress, add(area, &self->aborts, base, SLOT_SHIFT,
				offsetof(struct percpu_count, count), 1));
}

static void run_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, false);
}

static void stress_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, true);
}

COUNTER(rseq, "rseq", "one restartable sequence that reads cpu_id inside",
	NEEDS_RSEQ | IS_SEQUENCE | IS_THREADED, .stress = stress_rseq);

static __always_inline void loop_rseq_cmp(struct thread *self, unsigned long loops,
					  const bool stress)
{
	struct rseq *area = self->area;
	char *base = counts;

	for (; loops; loops--)
		SEQ(stress, compare_add(area, &self->aborts, base, SLOT_SHIFT,
					offsetof(struct percpu_count, count), 1));
}

static void run_rseq_cmp(struct thread *self, unsigned long loops)
{
	loop_rseq_cmp(self, loops, false);
}

static void stress_rseq_cmp(struct thread *self, unsigned long loops)
{
	loop_rseq_cmp(self, loops, true);
}

COUNTER(rseq_cmp, "rseq_cmp", "the same, comparing cpu_id with one read before (the style of 2018)",
	NEEDS_RSEQ | IS_SEQUENCE | IS_THREADED, .stress = stress_rseq_cmp);

static void run_plain(struct thread *self, unsigned long loops)
{
	unsigned long *counter = &plain;

	(void)self;
	/*
	 * Through a register, like the sequences: CPUs that forward stores early do so for simple
	 * addresses only.
	 */
	__asm__("" : "+r"(counter));
	for (; loops; loops--)
		arch_add(counter, 1);
}

COUNTER(plain, "plain", "a plain increment, no CPU number, one thread only: the least it can cost",
	0);

static void run_thread_local(struct thread *self, unsigned long loops)
{
	(void)self;
	local = 0;
	for (; loops; loops--)
		arch_add(&local, 1);
	__atomic_fetch_add(&from_threads, local, __ATOMIC_RELAXED);
}

COUNTER(thread_local, "thread_local",
	"a counter a thread: no CPU number, but memory grows with threads", IS_THREADED);

static void run_shared_atomic(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		__atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
}

COUNTER(shared_atomic, "shared_atomic", "one counter for all, relaxed atomic add", IS_THREADED);

/*
 * The same with the one-instruction atomics of newer AArch64: what an atomic add costs there
 * depends on the CPU, so both are measured. All atomic adds here are relaxed.
 */
#ifdef ARCH_HAS_LSE
static void run_getcpu_lse(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, cpu_by_getcpu_2018, arch_add_lse);
}

COUNTER(getcpu_lse, "getcpu_lse", GETCPU_2018_DOC " plus a relaxed LSE atomic add", IS_THREADED,
	.unavailable = arch_no_lse);

static void run_rseq_lse(struct thread *self, unsigned long loops)
{
	loop_atomic(self, loops, cpu_by_rseq, arch_add_lse);
}

COUNTER(rseq_lse, "rseq_lse", "rseq cpu_id plus a relaxed LSE atomic add", NEEDS_RSEQ | IS_THREADED,
	.unavailable = arch_no_lse);

static void run_shared_lse(struct thread *self, unsigned long loops)
{
	unsigned long *counter = &shared;

	(void)self;
	__asm__("" : "+r"(counter)); /* its address is not computed anew each time */
	for (; loops; loops--)
		arch_add_lse(counter, 1);
}

COUNTER(shared_lse, "shared_lse", "one counter for all, relaxed LSE atomic add", IS_THREADED,
	.unavailable = arch_no_lse);
#else
#define LSE_ONLY "LSE atomics: AArch64 only"
BENCHMARK_ABSENT(getcpu_lse, "counter/getcpu_lse", "getcpu plus a relaxed LSE atomic add",
		 LSE_ONLY);
BENCHMARK_ABSENT(rseq_lse, "counter/rseq_lse", "rseq cpu_id plus a relaxed LSE atomic add",
		 LSE_ONLY);
BENCHMARK_ABSENT(shared_lse, "counter/shared_lse", "one counter for all, relaxed LSE atomic add",
		 LSE_ONLY);
#endif
