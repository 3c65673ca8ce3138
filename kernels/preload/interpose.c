// SPDX-License-Identifier: MIT
/*
 * The C library's allocation functions, in its place, and jemalloc's two by which a program may get
 * memory from it directly, so that this is known when it comes to free() or realloc(). Where POSIX
 * and ISO C leave room, they do as glibc: realloc() to size 0 frees, free() keeps errno, memalign()
 * rounds its alignment up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"
#include "pools_init.h"
#include "trim.h"

#define EXPORT __attribute__((visibility("default")))

static bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

/* `alignment` is a power of two. */
static void *allocate_aligned(size_t alignment, size_t size)
{
	if (alignment <= POOL_GRAIN)
		return pool_ops.alloc(size);
	return alloc_direct(size ? size : 1, MALLOCX_LG_ALIGN(__builtin_ctzl(alignment)));
}

static void *out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

EXPORT void *malloc(size_t size)
{
	return pool_ops.alloc(size);
}

EXPORT void free(void *pointer)
{
	if (pointer)
		pool_ops.free(pointer);
}

EXPORT void cfree(void *pointer)
{
	free(pointer);
}

EXPORT void *calloc(size_t count, size_t each)
{
	size_t size;
	void *block;

	if (__builtin_mul_overflow(count, each, &size))
		return out_of_memory();
	if (size > POOL_MAX)
		return alloc_direct(size, MALLOCX_ZERO);
	block = pool_ops.alloc(size);
	return block ? memset(block, 0, size) : NULL;
}

EXPORT void *realloc(void *pointer, size_t size)
{
	if (!pointer)
		return pool_ops.alloc(size);
	if (size)
		return realloc_any(pointer, size);
	pool_ops.free(pointer);
	return NULL;
}

EXPORT void *reallocarray(void *pointer, size_t count, size_t each)
{
	size_t size;

	if (__builtin_mul_overflow(count, each, &size))
		return out_of_memory();
	return realloc(pointer, size);
}

EXPORT int posix_memalign(void **pointer, size_t alignment, size_t size)
{
	int error = errno;
	void *block;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	block = allocate_aligned(alignment, size);
	errno = error;
	if (!block)
		return ENOMEM;
	*pointer = block;
	return 0;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (is_power_of_two(alignment))
		return allocate_aligned(alignment, size);
	errno = EINVAL;
	return NULL;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	size_t rounded = POOL_GRAIN;

	while (rounded && rounded < alignment)
		rounded <<= 1;
	if (rounded)
		return allocate_aligned(rounded, size);
	errno = EINVAL; /* no power of two is as large */
	return NULL;
}

EXPORT void *valloc(size_t size)
{
	return allocate_aligned(sysconf(_SC_PAGESIZE), size);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), padded;

	if (__builtin_add_overflow(size, page - 1, &padded))
		return out_of_memory();
	return allocate_aligned(page, padded & ~(page - 1));
}

EXPORT size_t malloc_usable_size(void *pointer)
{
	return pointer ? usable_size_any(pointer) : 0;
}

EXPORT int malloc_trim(size_t keep)
{
	(void)keep; /* the top of a heap that jemalloc does not have */
	return trim_lists();
}

static void *mark_direct(void *pointer)
{
	if (pointer)
		owner_mark_direct(pointer);
	return pointer;
}

EXPORT void *mallocx(size_t size, int flags)
{
	return mark_direct(jemalloc.mallocx(size, flags));
}

EXPORT void *rallocx(void *pointer, size_t size, int flags)
{
	return mark_direct(jemalloc.rallocx(pointer, size, flags));
}
