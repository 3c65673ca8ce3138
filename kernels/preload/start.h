/* SPDX-License-Identifier: MIT */
/* What the library finds when it starts. */
#ifndef START_H
#define START_H

#include <stdbool.h>
#include <stddef.h>

/* jemalloc's own malloc() and free(), which are quicker than mallocx() and dallocx(); those until start. */
struct jemalloc {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
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
extern bool started __attribute__((visibility("hidden")));

#endif
