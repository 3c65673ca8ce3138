// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "paths.h"

#include "start.h"

static __always_inline void *alloc_from(const enum method method, size_t size)
{
	struct local *self = local;
	unsigned int class;
	void *block;

	if (unlikely(!self || size > POOL_MAX))
		return alloc_slow(size);
	class = class_of(size);
	if (unlikely(!list_pop(method, self, class, &block)))
		return alloc_refill(self, class);
	self->popped[class]++;
	return block;
}

static __always_inline void free_to(const enum method method, void *pointer)
{
	struct local *self = local;
	unsigned int class;
	size_t size;

	if (unlikely(!self || !owner_known(pointer))) {
		free_slow(pointer);
		return;
	}
	size = sallocx(pointer, 0);
	class = class_of(size > POOL_MAX ? 0 : size);
	/* not of a class: too large, or jemalloc's own class of 8 bytes */
	if (unlikely(size != class_sizes[class]))
		free_slow(pointer);
	else if (unlikely(!list_push(method, self, class, pointer)))
		free_spill(self, class, pointer);
	else
		self->pushed[class]++;
}

#define WAYS(name, method)                                                                         \
	static void *alloc_##name(size_t size)                                                     \
	{                                                                                          \
		return alloc_from(method, size);                                                   \
	}                                                                                          \
	static void free_##name(void *pointer)                                                     \
	{                                                                                          \
		free_to(method, pointer);                                                          \
	}

WAYS(rseq, METHOD_RSEQ)
WAYS(lsl_lock, METHOD_LSL_LOCK)
WAYS(vdso_lock, METHOD_VDSO_LOCK)

/* jemalloc alone, counted like the others and with the same care for foreign memory. */
static void *alloc_off(size_t size)
{
	struct local *self = local;
	void *block;

	if (unlikely(!self))
		return alloc_slow(size);
	block = jemalloc.malloc(size < POOL_GRAIN ? POOL_GRAIN : size);
	if (unlikely(!block))
		return NULL;
	owner_mark(block);
	self->allocations++;
	return block;
}

static void free_off(void *pointer)
{
	struct local *self = local;

	if (unlikely(!self || !owner_known(pointer))) {
		free_slow(pointer);
		return;
	}
	self->frees++;
	jemalloc.free(pointer);
}

struct ways ways = { alloc_slow, free_slow };

void ways_start(enum method method)
{
	static const struct ways all[] = { [METHOD_OFF] = { alloc_off, free_off },
					   [METHOD_RSEQ] = { alloc_rseq, free_rseq },
					   [METHOD_LSL_LOCK] = { alloc_lsl_lock, free_lsl_lock },
					   [METHOD_VDSO_LOCK] = { alloc_vdso_lock,
								  free_vdso_lock } };

	ways = all[method];
}
