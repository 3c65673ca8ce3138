/* SPDX-License-Identifier: MIT */
/*
 * The ways of an allocation and of a free. The short ones, through this CPU's list, are here and in
 * fast_paths.c, which has them once for each method; the others are in slow_paths.c.
 */
#ifndef PATHS_H
#define PATHS_H

#include "jemalloc.h"
#include "lists.h"
#include "owner.h"

/* The ways of the method in use; jemalloc alone until it is chosen. */
struct pool_ops {
	void *(*alloc)(size_t size);
	void (*free)(void *pointer); /* not NULL */
};

extern struct pool_ops pool_ops __attribute__((visibility("hidden")));

void pool_ops_choose(enum method method);

void *alloc_slow(size_t size);
void *alloc_refill(struct thread_state *self, unsigned int size_class);
/* Allocate from jemalloc alone, with its flags; size > 0. */
void *alloc_direct(size_t size, int flags);
void free_slow(void *pointer);
void free_spill(struct thread_state *self, unsigned int size_class, void *pointer);
/* Reallocate what is jemalloc's or the C library's; size > 0. */
void *realloc_any(void *pointer, size_t size);
size_t usable_size_any(void *pointer);

/*
 * What was counted where a thread has no counters: before its first allocation, behind its last
 * destructor.
 */
struct shared_counts {
	unsigned long allocations, frees;
	/* frees and reallocations of the C library's memory, by whatever thread */
	unsigned long foreign;
};

extern struct shared_counts shared_counts __attribute__((visibility("hidden")));

#endif
