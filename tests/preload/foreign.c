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
	test_that_of_early_constructors();
	test_that_of_a_library_that_is_gone(argv[1]);
	return 0;
}
