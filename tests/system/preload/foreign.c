// SPDX-License-Identifier: MIT
/* Memory that did not come from the pools: the C library's own, jemalloc's own, and what was there before us. */
#include "check.h"

#include <gnu/lib-names.h>

static void test_the_c_library_s(void)
{
	void *library = dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD);
	void *(*theirs)(size_t) = (void *(*)(size_t))dlsym(library, "malloc");
	static const size_t sizes[] = { 1, 24, 100, 1000, 5000, 1 << 20 }; /* the last one by mmap() */
	unsigned long foreign = counted().foreign;

	CHECK(theirs && theirs != malloc);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		void *block = theirs(sizes[i]);

		CHECK(malloc_usable_size(block) >= sizes[i]);
		errno = 4711;
		free(block);
		CHECK(errno == 4711);
		block = theirs(sizes[i]);
		paint(block, sizes[i], i);
		block = realloc(block, 3 * sizes[i]);
		CHECK(block && painted(block, sizes[i], i));
		free(block);
	}
	CHECK(counted().foreign == foreign + 3 * sizeof(sizes) / sizeof(*sizes));
}

/* Of every size, since jemalloc has classes that the pools do not: 8 bytes, and all above 1 KiB. */
static void test_jemalloc_s(void)
{
	void *(*mallocx)(size_t, int) = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	unsigned long foreign = counted().foreign;

	CHECK(mallocx);
	for (size_t size = 1; size < 20000; size += size / 20 + 1) {
		void *block = mallocx(size, 0);

		CHECK(block && malloc_usable_size(block) >= size);
		paint(block, size, size);
		block = realloc(block, size + 100);
		CHECK(block && painted(block, size, size));
		free(block);
		free(mallocx(size, 0));
		block = malloc(16); /* must not be one of jemalloc's smaller ones */
		CHECK(malloc_usable_size(block) >= 16);
		free(block);
	}
	CHECK(counted().foreign == foreign);
}

static uintptr_t page_of(const void *block)
{
	return (uintptr_t)block >> 12;
}

/* A page on which the pools' objects lay may come back with objects of 8 bytes, a class that the pools have not. */
static void test_jemalloc_s_on_pages_that_were_ours(void)
{
	void *(*mallocx)(size_t, int) = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	enum {
		BLOCKS = 20000
	};
	static void *blocks[BLOCKS], *small[BLOCKS];
	static bool ours[1 << 20]; /* of 4 GiB around the first */
	const uintptr_t first = page_of(malloc(16)) - (1 << 19);
	unsigned long again = 0;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(16);
		if (page_of(blocks[i]) - first < 1 << 20)
			ours[page_of(blocks[i]) - first] = true;
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		small[i] = mallocx(8, 1 << 8); /* MALLOCX_TCACHE_NONE */
		again += page_of(small[i]) - first < 1 << 20 && ours[page_of(small[i]) - first];
	}
	CHECK(again || getenv("MALLOC_CONF")); /* retain:false maps other pages */
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(small[i]);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(16);
		CHECK(malloc_usable_size(blocks[i]) >= 16);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

/* Where the pools themselves never had memory: a block that large begins in a region of its own. */
static void test_jemalloc_s_far_away(void)
{
	void *(*mallocx)(size_t, int) = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	void *(*rallocx)(void *, size_t, int) = (void *(*)(void *, size_t, int))dlsym(RTLD_DEFAULT, "rallocx");
	const size_t far = 256ul << 20;
	unsigned long foreign = counted().foreign;
	void *block;

	CHECK(mallocx && rallocx);
	block = mallocx(far, 0);
	CHECK(block && malloc_usable_size(block) >= far);
	free(block);
	block = rallocx(mallocx(16, 0), far + (64 << 20), 0);
	CHECK(block && malloc_usable_size(block) >= far + (64 << 20));
	block = realloc(block, 100);
	CHECK(block && malloc_usable_size(block) >= 100);
	free(block);
	CHECK(counted().foreign == foreign);
}

/* An arena of the program's own may be destroyed, so nothing of it may stay on our lists. */
static void test_that_of_an_arena_of_the_program_s_own(void)
{
	void *(*mallocx)(size_t, int) = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	int (*mallctl)(const char *, void *, size_t *, void *, size_t) =
		(int (*)(const char *, void *, size_t *, void *, size_t))dlsym(RTLD_DEFAULT, "mallctl");
	const int no_thread_cache = 1 << 8; /* MALLOCX_TCACHE_NONE */
	struct pools_stats before = counted();
	char destroy[64];
	unsigned int arena;
	size_t size = sizeof(arena);

	CHECK(!mallctl("arenas.create", &arena, &size, NULL, 0));
	for (unsigned int i = 0; i < 1000; i++) {
		void *block = mallocx(64, no_thread_cache | (int)(arena + 1) << 20); /* MALLOCX_ARENA */

		CHECK(block);
		free(i % 2 ? block : realloc(block, 60));
	}
	CHECK(counted().kept == before.kept && counted().spills == before.spills);
	CHECK(!mallctl("thread.tcache.flush", NULL, NULL, NULL, 0)); /* as jemalloc(3) asks */
	snprintf(destroy, sizeof(destroy), "arena.%u.destroy", arena);
	CHECK(!mallctl(destroy, NULL, NULL, NULL, 0));
	CHECK(counted().foreign == before.foreign);
}

/* A library's constructor may run before ours, and its destructor after. */
static void test_that_of_early_constructors(void)
{
	void *(*early)(unsigned int) = (void *(*)(unsigned int))dlsym(RTLD_DEFAULT, "early_block");

	CHECK(early);
	for (unsigned int i = 0; i < 200; i++) {
		CHECK(painted(early(i), 1 + i * 10, i));
		free(early(i));
	}
}

/* What a library allocated stays when it goes. */
static void test_that_of_a_library_that_is_gone(const char *path)
{
	for (unsigned int round = 0; round < 20; round++) {
		void *library = dlopen(path, RTLD_NOW), *blocks[100];
		void *(*make)(size_t) = (void *(*)(size_t))dlsym(library, "make");

		CHECK(library && make);
		for (size_t i = 0; i < 100; i++) {
			blocks[i] = make(1 + i * 20);
			paint(blocks[i], 1 + i * 20, i);
		}
		CHECK(!dlclose(library));
		CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
		for (size_t i = 0; i < 100; i++) {
			CHECK(painted(blocks[i], 1 + i * 20, i));
			free(blocks[i]);
		}
	}
}

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	test_the_c_library_s();
	test_jemalloc_s();
	test_jemalloc_s_on_pages_that_were_ours();
	test_jemalloc_s_far_away();
	test_that_of_an_arena_of_the_program_s_own();
	test_that_of_early_constructors();
	test_that_of_a_library_that_is_gone(argv[1]);
	return 0;
}
