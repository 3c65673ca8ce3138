/* SPDX-License-Identifier: MIT */
/*
 * What a thread has of its own: its rseq area and its counters. They outlive it: the next thread
 * takes them over and counts on, so the sum over all of them is what the process did.
 */
#ifndef THREAD_STATE_H
#define THREAD_STATE_H

#include "benchmark.h"
#include "classes.h"

struct thread_state {
	struct rseq *area; /* with method rseq, registered */
	unsigned long aborts;
	/* objects taken from lists, and put on them, by whatever way */
	unsigned long popped[POOL_CLASSES];
	unsigned long pushed[POOL_CLASSES];
	unsigned long refills, refilled;
	unsigned long spills, spilled;
	unsigned long allocations, frees; /* those that passed the lists by */
	unsigned int rounds; /* of the thread's destructors so far */
	bool busy; /* a thread has it */
	struct thread_state *next;
} __attribute__((aligned(64)));

/*
 * The calling thread's; NULL before its first allocation, behind its last destructor, and where
 * there are no pools.
 */
extern __thread struct thread_state *thread_state
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
/* All there ever were; none is ever taken out. */
extern struct thread_state *thread_states __attribute__((visibility("hidden")));

/* Threads may have one from now on. Returns 0 or an errno. */
int thread_state_init(void);
/* Give the calling thread one: NULL when it can or may have none. */
struct thread_state *thread_state_enter(void);

#endif
