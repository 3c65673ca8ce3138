// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "paths.h"

#include <errno.h>

#include "start.h"

struct late late;

static void *counted(struct local *self, void *pointer)
{
	if (unlikely(!pointer)) {
		errno = ENOMEM;
		return NULL;
	}
	owner_mark(pointer);
	if (self)
		self->allocations++;
	else
		__atomic_fetch_add(&late.allocations, 1, __ATOMIC_RELAXED);
	return pointer;
}

void *alloc_direct(size_t size, int flags)
{
	return counted(local, jemalloc.mallocx(size, flags));
}

void *alloc_slow(size_t size)
{
	struct local *self = local;

	if (!self && started) {
		self = local_enter();
		if (self)
			return ways.alloc(size);
	}
	return counted(self, jemalloc.malloc(size < POOL_GRAIN ? POOL_GRAIN : size));
}

/*
 * The pools take the place of jemalloc's thread cache for their sizes, so a batch passes that by.
 */
void *alloc_refill(struct local *self, unsigned int class)
{
	size_t size = class_sizes[class];
	void *first = jemalloc.mallocx(size, MALLOCX_TCACHE_NONE);

	if (unlikely(!first)) {
		errno = ENOMEM;
		return NULL;
	}
	owner_mark(first);
	self->allocations++;
	self->refills++;
	for (unsigned int i = 1; i < lists.batch[class]; i++) {
		void *block = jemalloc.mallocx(size, MALLOCX_TCACHE_NONE);

		if (!block)
			break;
		owner_mark(block);
		/* we were moved to a CPU whose list is full */
		if (!list_push(lists.method, self, class, block)) {
			sdallocx(block, size, MALLOCX_TCACHE_NONE);
			break;
		}
		self->pushed[class]++;
		self->refilled++;
	}
	return first;
}

void free_spill(struct local *self, unsigned int class, void *pointer)
{
	size_t size = class_sizes[class];
	int error = errno;
	void *block;

	self->frees++;
	self->spills++;
	sdallocx(pointer, size, MALLOCX_TCACHE_NONE);
	for (unsigned int i = 1;
	     i < lists.batch[class] && list_pop(lists.method, self, class, &block); i++) {
		self->popped[class]++;
		self->spilled++;
		sdallocx(block, size, MALLOCX_TCACHE_NONE);
	}
	errno = error;
}

void free_slow(void *pointer)
{
	struct local *self = local;
	int error = errno;

	if (!owner_is_jemalloc(pointer)) {
		__atomic_fetch_add(&late.foreign, 1, __ATOMIC_RELAXED);
		libc.free(pointer);
	} else if (!self && started && local_enter()) {
		ways.free(pointer);
	} else {
		if (self)
			self->frees++;
		else
			__atomic_fetch_add(&late.frees, 1, __ATOMIC_RELAXED);
		jemalloc.free(pointer);
	}
	errno = error;
}

void *realloc_whose(void *pointer, size_t size)
{
	void *moved;

	if (!owner_is_jemalloc(pointer)) {
		__atomic_fetch_add(&late.foreign, 1, __ATOMIC_RELAXED);
		return libc.realloc(pointer, size);
	}
	moved = jemalloc.rallocx(pointer, size < POOL_GRAIN ? POOL_GRAIN : size, 0);
	if (!moved)
		errno = ENOMEM;
	else if (moved != pointer)
		owner_mark(moved);
	return moved;
}

size_t usable_whose(void *pointer)
{
	return owner_is_jemalloc(pointer) ? sallocx(pointer, 0) : libc.usable(pointer);
}
