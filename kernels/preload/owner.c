// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "owner.h"

#include <sys/mman.h>

#include "jemalloc.h"
#include "log.h"

struct owner_leaf *owner_root[OWNER_ROOTS];

static bool jemalloc_retains(void)
{
	static enum {
		UNKNOWN,
		NO,
		YES
	} answer;
	bool retain = false;
	size_t size = sizeof(retain);

	if (unlikely(answer == UNKNOWN))
		answer = !mallctl("opt.retain", &retain, &size, NULL, 0) && retain ? YES : NO;
	return answer == YES;
}

static unsigned int region_of(const void *pointer)
{
	return (uintptr_t)pointer >> OWNER_REGION_SHIFT & (OWNER_REGIONS - 1);
}

static struct owner_leaf *make_leaf(uintptr_t root)
{
	struct owner_leaf *leaf, *there = NULL;

	leaf = mmap(NULL, sizeof(*leaf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (leaf == MAP_FAILED)
		/* unmarked, it would be taken for the C library's when it is freed */
		die(1, "marks: out of memory");
	if (__atomic_compare_exchange_n(&owner_root[root], &there, leaf, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return leaf;
	munmap(leaf, sizeof(*leaf));
	return there;
}

static struct owner_leaf *mark_region(const void *pointer)
{
	uintptr_t root = (uintptr_t)pointer >> OWNER_LEAF_SHIFT;
	struct owner_leaf *leaf = owner_leaf(pointer);

	if (root >= OWNER_ROOTS)
		return NULL;
	if (!leaf)
		leaf = make_leaf(root);
	__atomic_store_n(&leaf->region[region_of(pointer)], 1, __ATOMIC_RELAXED);
	return leaf;
}

void owner_mark(const void *pointer)
{
	unsigned int page = owner_page(pointer);
	struct owner_leaf *leaf;

	if (owner_known(pointer))
		return;
	leaf = mark_region(pointer);
	if (leaf && jemalloc_retains())
		__atomic_fetch_or(&leaf->page[page / 64], (uint64_t)1 << (page % 64),
				  __ATOMIC_RELAXED);
}

void owner_mark_direct(const void *pointer)
{
	mark_region(pointer);
}

bool owner_lookup(const void *pointer)
{
	const struct owner_leaf *leaf = owner_leaf(pointer);
	unsigned int arena;
	size_t size = sizeof(arena);

	if (!leaf || !__atomic_load_n(&leaf->region[region_of(pointer)], __ATOMIC_RELAXED))
		return false;
	return !mallctl("arenas.lookup", &arena, &size, &pointer, sizeof(pointer));
}
