// SPDX-License-Identifier: MIT
/*
 * slowed: pairs that differ by exactly 1%, to see whether an engine finds that. 100 and 101 equal
 * steps, each of which waits for the one before, so the CPU cannot hide the last one behind the
 * others.
 */
#include "benchmark.h"

#define TEN(step) step step step step step step step step step step
#define HUNDRED(step)                                                                              \
	TEN(step)                                                                                  \
	TEN(step) TEN(step) TEN(step) TEN(step) TEN(step) TEN(step) TEN(step) TEN(step) TEN(step)

#define MULTIPLY                                                                                   \
	value *= factor;                                                                           \
	__asm__ volatile("" : "+r"(value));
#define ADD __atomic_fetch_add(&cell, 1, __ATOMIC_RELAXED);

static unsigned long cell __attribute__((aligned(128)));

#define SLOWED(symbol, doc_, steps)                                                                \
	static void run_##symbol(struct thread *self, unsigned long loops)                         \
	{                                                                                          \
		unsigned long value = 3, factor = 5;                                               \
                                                                                                   \
		(void)self;                                                                        \
		__asm__ volatile("" : "+r"(value), "+r"(factor));                                  \
		for (; loops; loops--) {                                                           \
			steps                                                                      \
		}                                                                                  \
		consume(value);                                                                    \
	}                                                                                          \
	BENCHMARK(symbol, .name = "slowed/" #symbol, .doc = doc_, .flags = IS_TRIVIAL,             \
		  .run = run_##symbol)

SLOWED(multiply_100, "a hundred multiplications", HUNDRED(MULTIPLY));
SLOWED(multiply_101, "the same and one more", HUNDRED(MULTIPLY) MULTIPLY);
SLOWED(atomic_100, "a hundred atomic adds", HUNDRED(ADD));
SLOWED(atomic_101, "the same and one more", HUNDRED(ADD) ADD);
