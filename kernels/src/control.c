// SPDX-License-Identifier: MIT
/*
 * control: the same code under several names, to see what the measuring itself makes of it.
 *
 * *_a and *_b are one function each: where they differ, the run raises false alarms. placed_* are
 * copies of one loop, the per-CPU increment, that begin at different places within a cache line:
 * what they differ by is what code placement alone may do, between any two benchmarks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"
#include "sequences.h"

#define SLOT_SHIFT 7

static unsigned long cell __attribute__((aligned(128)));
static char *slots;

static void run_atomic(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		__atomic_fetch_add(&cell, 1, __ATOMIC_RELAXED);
}

BENCHMARK(atomic_a, .name = "control/atomic_a", .doc = "an atomic add, to be compared with itself",
	  .flags = IS_TRIVIAL, .run = run_atomic);
BENCHMARK(atomic_b, .name = "control/atomic_b", .doc = "the same function again",
	  .flags = IS_TRIVIAL, .run = run_atomic);

static void run_syscall(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		syscall(SYS_getppid);
}

BENCHMARK(syscall_a, .name = "control/syscall_a",
	  .doc = "a system call, to be compared with itself", .flags = IS_TRIVIAL | ENTERS_LINUX,
	  .run = run_syscall);
BENCHMARK(syscall_b, .name = "control/syscall_b", .doc = "the same function again",
	  .flags = IS_TRIVIAL | ENTERS_LINUX, .run = run_syscall);

static int placed_setup(const struct setup *setup)
{
	(void)setup;
	slots = percpu_alloc(SLOT_SHIFT);
	return slots ? 0 : ENOMEM;
}

static void placed_teardown(void)
{
	free(slots);
}

static const char *placed_verify(uint64_t operations)
{
	unsigned long sum = 0;

	for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++)
		sum += *(unsigned long *)(slots + ((size_t)cpu << SLOT_SHIFT));
	return sum == (unsigned long)operations ? NULL : "the sum is wrong";
}

static void stress_placed(struct thread *self, unsigned long loops)
{
	for (; loops; loops--)
		stress_add(self->area, &self->aborts, slots, SLOT_SHIFT, 0, 1);
}

#ifdef __clang__
#define PLACED(offset)                                                                             \
	BENCHMARK_ABSENT(placed_##offset, "control/placed_" #offset,                               \
			 "the per-CPU increment at another place",                                 \
			 "compiled by clang, which aligns every loop alike")
#else
/*
 * Not aligned by the compiler, but pushed `offset` bytes into a cache line by no-ops that run once.
 * All that the loop needs is in registers before them, so that its first instruction is the next.
 */
#define PLACED(offset)                                                                             \
	static __attribute__((                                                                     \
		noinline, aligned(64),                                                             \
		optimize("align-loops=1"))) void run_placed_##offset(struct thread *self,          \
								     unsigned long loops)          \
	{                                                                                          \
		struct rseq *area = self->area;                                                    \
		unsigned long *aborts = &self->aborts;                                             \
		char *base = slots;                                                                \
                                                                                                   \
		if (!loops)                                                                        \
			return;                                                                    \
		__asm__ volatile(".balign 64\n\t.rept " #offset " / " ARCH_NOP_BYTES               \
				 "\n\tnop\n\t.endr"                                                \
				 : "+r"(area), "+r"(aborts), "+r"(base), "+r"(loops));             \
		do                                                                                 \
			plain_add(area, aborts, base, SLOT_SHIFT, 0, 1);                           \
		while (--loops);                                                                   \
	}                                                                                          \
	BENCHMARK(placed_##offset, .name = "control/placed_" #offset,                              \
		  .doc = "the per-CPU increment, pushed " #offset " bytes into a cache line",      \
		  .flags = NEEDS_RSEQ | IS_SHARED | IS_SEQUENCE, .setup = placed_setup,            \
		  .run = run_placed_##offset, .stress = stress_placed, .verify = placed_verify,    \
		  .teardown = placed_teardown)
#endif

PLACED(0);
PLACED(16);
PLACED(32);
PLACED(48);
