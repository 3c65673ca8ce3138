/* SPDX-License-Identifier: MIT */
/*
 * Whose malloc() this process really has, asked of the process itself: what was wished for may not
 * have happened.
 */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include <stdbool.h>

struct allocator {
	const char *library; /* the file's name that malloc() is from */
	const char *jemalloc; /* its version, or empty */
	const char *percpu_arena; /* jemalloc's own word for its mode, or empty */
	const char *pools; /* how the per-CPU pools are protected, or empty */
	bool rseq; /* whether the C library has registered rseq */
};

struct allocator allocator_identify(void);
/* The most memory that the process ever had resident, in bytes; 0 where /proc does not say. */
unsigned long allocator_peak_bytes(void);

#endif
