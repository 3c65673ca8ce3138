// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "paths.h"

#include <errno.h>

#include "pools_init.h"

struct shared_counts shared_counts;

static void *count_allocation(struct thread_state *self, void *pointer)
{
	if (unlikely(!pointer)) {
		errno = ENOMEM;
		return NULL;
	}
	owner_mark(pointer);
	if (self)
		self->allocations++;
	else
		__atomic_fetch_add(&shared_counts.allocations, 1, __ATOMIC_RELAXED);
	return pointer;
}

void *alloc_direct(size_t size, int flags)
{
	return count_allocation(thread_state, jemalloc.mallocx(size, flags));
}

void *alloc_slow(size_t size)
{
	struct thread_state *self = thread_state;

	if (!self && pools_ready) {
		self = thread_state_enter();
		if (self)
			return pool_ops.alloc(size);
	}
	return count_allocation(self, jemalloc.malloc(size < POOL_GRAIN ? POOL_GRAIN : size));
}

/*
 * The pools take the place of jemalloc's thread cache for their sizes, so a batch passes that by.
 */
void *alloc_refill(struct thread_state *self, unsigned int size_class)
{
	size_t size = class_sizes[size_class];
	void *first = jemalloc.mallocx(size, MALLOCX_TCACHE_NONE);

	if (unlikely(!first)) {
		errno = ENOMEM;
		return NULL;
	}
	owner_mark(first);
	self->allocations++;
	self->refills++;
	for (unsigned int i = 1; i < lists.batch[size_class]; i++) {
		void *block = jemalloc.mallocx(size, MALLOCX_TCACHE_NONE);

		if (!block)
			break;
		owner_mark(block);
		/* False: we were moved to a CPU whose list is full. */
		if (!list_push(lists.method, self, size_class, block)) {
			sdallocx(block, size, MALLOCX_TCACHE_NONE);
			break;
		}
		self->pushed[size_class]++;
		self->refilled++;
	}
	return first;
}

void free_spill(struct thread_state *self, unsigned int size_class, void *pointer)
{
	size_t size = class_sizes[size_class];
	int error = errno;
	void *block;

	self->frees++;
	self->spills++;
	sdallocx(pointer, size, MALLOCX_TCACHE_NONE);
	for (unsigned int i = 1;
	     i < lists.batch[size_class] && list_pop(lists.method, self, size_class, &block); i++) {
		self->popped[size_class]++;
		self->spilled++;
		sdallocx(block, size, MALLOCX_TCACHE_NONE);
	}
	errno = error;
}

void free_slow(void *pointer)
{
	struct thread_state *self = thread_state;
	int error = errno;

	if (!owner_is_jemalloc(pointer)) {
		__atomic_fetch_add(&shared_counts.foreign, 1, __ATOMIC_RELAXED);
		libc.free(pointer);
	} else if (!self && pools_ready && thread_state_enter()) {
		pool_ops.free(pointer);
	} else {
		if (self)
			self->frees++;
		else
			__atomic_fetch_add(&shared_counts.frees, 1, __ATOMIC_RELAXED);
		jemalloc.free(pointer);
	}
	errno = error;
}

void *realloc_any(void *pointer, size_t size)
{
	void *moved;

	if (!owner_is_jemalloc(pointer)) {
		__atomic_fetch_add(&shared_counts.foreign, 1, __ATOMIC_RELAXED);
		return libc.realloc(pointer, size);
	}
	moved = jemalloc.rallocx(pointer, size < POOL_GRAIN ? POOL_GRAIN : size, 0);
	if (!moved)
		errno = ENOMEM;
	else if (moved != pointer)
		owner_mark(moved);
	return moved;
}

size_t usable_size_any(void *pointer)
{
	return owner_is_jemalloc(pointer) ? sallocx(pointer, 0) : libc.usable(pointer);
}
