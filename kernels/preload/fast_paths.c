// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "paths.h"

#include "pools_init.h"

static __always_inline void *alloc_from(const enum method method, size_t size)
{
	struct thread_state *self = thread_state;
	unsigned int size_class;
	void *block;

	if (unlikely(!self || size > POOL_MAX))
		return alloc_slow(size);
	size_class = class_of(size);
	if (unlikely(!list_pop(method, self, size_class, &block)))
		return alloc_refill(self, size_class);
	self->popped[size_class]++;
	return block;
}

static __always_inline void free_to(const enum method method, void *pointer)
{
	struct thread_state *self = thread_state;
	unsigned int size_class;
	size_t size;

	if (unlikely(!self || !owner_known(pointer))) {
		free_slow(pointer);
		return;
	}
	size = sallocx(pointer, 0);
	size_class = class_of(size > POOL_MAX ? 0 : size);
	/* Not of a class: too large, or jemalloc's own class of 8 bytes */
	if (unlikely(size != class_sizes[size_class]))
		free_slow(pointer);
	else if (unlikely(!list_push(method, self, size_class, pointer)))
		free_spill(self, size_class, pointer);
	else
		self->pushed[size_class]++;
}

#define POOL_OPS(name, method)                                                                     \
	static void *alloc_##name(size_t size)                                                     \
	{                                                                                          \
		return alloc_from(method, size);                                                   \
	}                                                                                          \
	static void free_##name(void *pointer)                                                     \
	{                                                                                          \
		free_to(method, pointer);                                                          \
	}

POOL_OPS(rseq, METHOD_RSEQ)
POOL_OPS(lsl_lock, METHOD_LSL_LOCK)
POOL_OPS(vdso_lock, METHOD_VDSO_LOCK)

/* jemalloc alone, counted like the others and with the same care for foreign memory. */
static void *alloc_off(size_t size)
{
	struct thread_state *self = thread_state;
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
	struct thread_state *self = thread_state;

	if (unlikely(!self || !owner_known(pointer))) {
		free_slow(pointer);
		return;
	}
	self->frees++;
	jemalloc.free(pointer);
}

struct pool_ops pool_ops = { alloc_slow, free_slow };

void pool_ops_choose(enum method method)
{
	static const struct pool_ops all[] = {
		[METHOD_OFF] = { alloc_off, free_off },
		[METHOD_RSEQ] = { alloc_rseq, free_rseq },
		[METHOD_LSL_LOCK] = { alloc_lsl_lock, free_lsl_lock },
		[METHOD_VDSO_LOCK] = { alloc_vdso_lock, free_vdso_lock }
	};

	pool_ops = all[method];
}
