/* SPDX-License-Identifier: MIT */
/*
 * All that a host sees of a benchmark: a loop that does one thing, and the proof that it did.
 *
 * To add one, write a file in src/ that ends in BENCHMARK(...). Nothing else needs to know.
 */
#ifndef BENCHMARK_H
#define BENCHMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rseq_abi.h"

/* What a benchmark needs of its process, and what it is. */
#define NEEDS_RSEQ 0x01 /* a registered rseq area, whoever registered it */
#define NEEDS_LIBC_RSEQ 0x02 /* the C library itself uses rseq */
#define NEEDS_NO_RSEQ 0x04 /* the C library must not use rseq */
/* changes state that threads share: proved exact under stress before it is timed */
#define IS_SHARED 0x08
#define IS_SEQUENCE 0x10 /* runs rseq sequences, so a check must see aborts */
#define IS_THREADED 0x20 /* may be timed with several threads at once */
#define IS_TRIVIAL 0x40 /* has no result that could be wrong */
/* a thread that is preempted stops the others: not timed with more threads than CPUs */
#define NEEDS_OWN_CPUS 0x80
#define ENTERS_LINUX 0x100 /* makes system calls */
#define SWITCHES 0x200 /* context switches are its operation, so they disturb nothing */
#define TAKES_LONG 0x400 /* an operation takes microseconds */
/* calls a library as it is shipped: measured where it is asked for by name */
#define IS_LIBRARY 0x800

/* How a run is about to use the benchmark. */
struct setup {
	unsigned int threads;
	unsigned long loops; /* operations of each thread, warm-up included */
	bool check; /* false while it is timed */
	bool stress; /* the stress variant is about to run */
};

struct benchmark {
	const char *name; /* group/method */
	const char *doc; /* one line for `rseqbench list` */
	unsigned int flags; /* NEEDS_* and IS_* */
	const char *absent; /* why this architecture has no such method, or NULL */
	/* why it cannot run on this machine; NULL or returns NULL if it can */
	const char *(*unavailable)(void);
	int (*setup)(const struct setup *setup); /* allocate; returns 0 or an errno */
	void (*run)(struct thread *self, unsigned long loops); /* the loop that is timed */
	/* the same with every sequence held open, or NULL */
	void (*stress)(struct thread *self, unsigned long loops);
	/* runs beside the threads of a check: a reader, a writer */
	void (*beside)(const bool *stop);
	/* NULL if the state is exact, else what is wrong with it */
	const char *(*verify)(uint64_t operations);
	/* what a check still has to see happen, NULL when it did; may be NULL */
	const char *(*unmet)(void);
	void (*teardown)(void);
};

/*
 * Put a benchmark into the registry: a linker section, so that no list of benchmarks exists
 * anywhere.
 */
#define BENCHMARK(symbol, ...)                                                                     \
	static const struct benchmark benchmark_##symbol = { __VA_ARGS__ };                        \
	static const struct benchmark *const registered_##symbol                                   \
		__attribute__((section("benchmarks"), used)) = &benchmark_##symbol

/*
 * A method that this architecture does not have: listed with its reason. Of a library, it says
 * .flags = IS_LIBRARY.
 */
#define BENCHMARK_ABSENT(symbol, name_, doc_, why, ...)                                            \
	BENCHMARK(symbol, .name = name_, .doc = doc_, .absent = why, __VA_ARGS__)

#undef __always_inline /* the C library has its own */
#define __always_inline inline __attribute__((always_inline))
#define barrier() __asm__ volatile("" ::: "memory")
#define unlikely(x) __builtin_expect(!!(x), 0)
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
/* Make the compiler compute a value that nobody uses. */
#define consume(x) __asm__ volatile("" ::"r"(x))

/*
 * Per-CPU data: one slot a CPU, (1 << shift) bytes apart, zeroed; freed with free(). NULL when out
 * of memory.
 */
void *percpu_alloc(unsigned int shift);
/* One more than the highest CPU number that Linux may ever hand out here. */
unsigned int possible_cpus(void);
/* Format a complaint of verify() into a static buffer. */
const char *complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Spin for some hundred nanoseconds inside an operation that a check holds open. */
void linger(void);
/* Sleep for some ten microseconds there: long enough for others to do a lot. */
void doze(void);

#endif
