/* SPDX-License-Identifier: MIT */
/*
 * Whose memory a pointer is, without reading it: jemalloc's, or the C library's.
 *
 * Whatever jemalloc gives us leaves a mark, one bit a page. It stays true because jemalloc never
 * unmaps what it once had (opt.retain); where it does, no page is marked. For a page without a mark
 * jemalloc is asked (arenas.lookup), under a mutex of its own. Up to 5.3 that crashes where
 * jemalloc never had memory nearby, because it finds no leaf of its radix tree; so we ask only in
 * regions, smaller than such a leaf, where it gave something before: to us, or to a program that
 * called mallocx() or rallocx() itself. Their pages get no mark: an arena of the program's own may
 * be destroyed.
 */
#ifndef OWNER_H
#define OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmark.h"

#define OWNER_PAGE_SHIFT 12
#define OWNER_LEAF_SHIFT 30 /* a leaf of ours covers a GiB */
#define OWNER_PAGES (1u << (OWNER_LEAF_SHIFT - OWNER_PAGE_SHIFT))
#if UINTPTR_MAX > UINT32_MAX
#define OWNER_ROOTS (1ul << (48 - OWNER_LEAF_SHIFT))
#define OWNER_REGION_SHIFT 26 /* jemalloc's leaves cover 128 MiB or more */
#else
#define OWNER_ROOTS 4ul
#define OWNER_REGION_SHIFT 22 /* 4 MiB */
#endif
#define OWNER_REGIONS (1u << (OWNER_LEAF_SHIFT - OWNER_REGION_SHIFT))

struct owner_leaf {
	uint64_t page[OWNER_PAGES / 64]; /* jemalloc's */
	uint8_t region[OWNER_REGIONS]; /* where jemalloc may be asked */
};

extern struct owner_leaf *owner_root[OWNER_ROOTS] __attribute__((visibility("hidden")));

/* This is jemalloc's: it just gave it to us. */
void owner_mark(const void *pointer);
/* This is jemalloc's: it just gave it to the program. */
void owner_mark_direct(const void *pointer);
/* Ask jemalloc. */
bool owner_lookup(const void *pointer);

static __always_inline struct owner_leaf *owner_leaf(const void *pointer)
{
	uintptr_t root = (uintptr_t)pointer >> OWNER_LEAF_SHIFT;

	return unlikely(root >= OWNER_ROOTS) ? NULL
					     : __atomic_load_n(&owner_root[root], __ATOMIC_ACQUIRE);
}

static __always_inline unsigned int owner_page(const void *pointer)
{
	return (uintptr_t)pointer >> OWNER_PAGE_SHIFT & (OWNER_PAGES - 1);
}

/* Whether its page is marked as jemalloc's. */
static __always_inline bool owner_known(const void *pointer)
{
	const struct owner_leaf *leaf = owner_leaf(pointer);
	unsigned int page = owner_page(pointer);

	return leaf && __atomic_load_n(&leaf->page[page / 64], __ATOMIC_RELAXED) >> (page % 64) & 1;
}

static __always_inline bool owner_is_jemalloc(const void *pointer)
{
	return owner_known(pointer) || owner_lookup(pointer);
}

#endif
