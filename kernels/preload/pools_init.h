/* SPDX-License-Identifier: MIT */
/* What the library finds when it starts. */
#ifndef POOLS_INIT_H
#define POOLS_INIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What jemalloc calls by names that are ours too. Its own malloc() and free() are quicker than
 * mallocx() and dallocx(), which do until start.
 */
struct jemalloc {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*mallocx)(size_t size, int flags);
	void *(*rallocx)(void *block, size_t size, int flags);
};

/* The C library's, for memory that is its own. */
struct libc {
	void (*free)(void *block);
	void *(*realloc)(void *block, size_t size);
	size_t (*usable)(void *block);
};

extern struct jemalloc jemalloc __attribute__((visibility("hidden")));
extern struct libc libc __attribute__((visibility("hidden")));
/* Whether threads may have counters and lists. */
extern bool pools_ready __attribute__((visibility("hidden")));

#endif
