// SPDX-License-Identifier: MIT
/* Each of the C library's allocation functions, as its manual page says. */
#include "check.h"

static volatile size_t huge = SIZE_MAX, half = (size_t)1 << (sizeof(size_t) * 4); /* gcc warns of what it knows */

static void test_every_size(void)
{
	for (size_t size = 0; size <= 2100; size++) {
		unsigned char *block = malloc(size);

		CHECK(block);
		CHECK((uintptr_t)block % 16 == 0);
		CHECK(malloc_usable_size(block) >= size);
		memset(block, 0xa5, malloc_usable_size(block)); /* all of it is ours */
		free(block);
		block = calloc(1, size);
		CHECK(block);
		for (size_t i = 0; i < size; i++)
			CHECK(!block[i]);
		memset(block, 0x5a, malloc_usable_size(block));
		free(block);
	}
}

static void test_size_zero(void)
{
	void *one = malloc(0), *two = malloc(0);

	CHECK(one && two && one != two);
	free(one);
	CHECK(!realloc(two, 0)); /* frees it, as glibc does */
	one = calloc(0, 8);
	CHECK(one);
	free(one);
	CHECK((one = realloc(NULL, 0)));
	free(one);
	free(NULL);
	CHECK(malloc_usable_size(NULL) == 0);
}

#define REFUSED(call)                                                                                                  \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK(!(call));                                                                                        \
		CHECK(errno == ENOMEM);                                                                                \
	} while (0)

static void test_too_much(void)
{
	void *block = malloc(10), *kept = &kept;

	REFUSED(malloc(huge));
	REFUSED(malloc(huge / 2));
	REFUSED(calloc(huge, 2));
	REFUSED(calloc(huge / 8, 9));
	REFUSED(calloc(half, half)); /* 0 if it wraps */
	REFUSED(realloc(block, huge));
	REFUSED(reallocarray(block, huge / 8, 9));
	REFUSED(reallocarray(block, huge, 2));
	REFUSED(memalign(64, huge));
	REFUSED(aligned_alloc(64, huge));
	REFUSED(valloc(huge));
	REFUSED(pvalloc(huge));
	errno = 77;
	CHECK(posix_memalign(&kept, 64, huge) == ENOMEM);
	CHECK(errno == 77 && kept == &kept);
	free(block);
}

static void test_realloc_keeps_content(void)
{
	for (size_t from = 1; from <= 9000; from += from / 3 + 1) {
		for (size_t to = 1; to <= 9000; to += to / 3 + 1) {
			void *block = malloc(from);
			long before = live();

			paint(block, from, from * 7);
			block = realloc(block, to);
			CHECK(block && (uintptr_t)block % 16 == 0);
			CHECK(malloc_usable_size(block) >= to);
			CHECK(painted(block, from < to ? from : to, from * 7));
			CHECK(live() == before);
			free(block);
			CHECK(live() == before - 1);
		}
	}
}

static void test_reallocarray(void)
{
	void *block = reallocarray(NULL, 10, 10);

	CHECK(block);
	paint(block, 100, 3);
	block = reallocarray(block, 100, 30);
	CHECK(malloc_usable_size(block) >= 3000 && painted(block, 100, 3));
	free(block);
}

static void aligned_by(void *block, size_t alignment, size_t size)
{
	CHECK(block);
	CHECK((uintptr_t)block % alignment == 0);
	CHECK(malloc_usable_size(block) >= size);
	paint(block, size, alignment);
	CHECK(painted(block, size, alignment));
	free(block);
}

static void test_alignment(void)
{
	static const size_t sizes[] = { 0, 1, 16, 24, 64, 100, 1000, 1024, 1025, 5000, 300000 };

	for (size_t alignment = sizeof(void *); alignment <= 1 << 20; alignment *= 2) {
		for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			void *block;

			CHECK(!posix_memalign(&block, alignment, sizes[i]));
			aligned_by(block, alignment, sizes[i]);
			aligned_by(aligned_alloc(alignment, sizes[i]), alignment, sizes[i]);
			aligned_by(memalign(alignment, sizes[i]), alignment, sizes[i]);
		}
	}
}

static void test_odd_alignment(void)
{
	void *block = &block;

	CHECK(posix_memalign(&block, 0, 10) == EINVAL);
	CHECK(posix_memalign(&block, 3 * sizeof(void *), 10) == EINVAL);
	CHECK(posix_memalign(&block, sizeof(void *) / 2, 10) == EINVAL);
	CHECK(block == &block);
	errno = 0;
	CHECK(!aligned_alloc(24, 48) && errno == EINVAL);
	aligned_by(memalign(24, 48), 32, 48); /* glibc rounds up */
	aligned_by(memalign(0, 48), 16, 48);
	errno = 0;
	CHECK(!memalign(huge, 1) && errno == EINVAL);
}

static void test_pages(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	aligned_by(valloc(10), page, 10);
	aligned_by(pvalloc(10), page, page);
	aligned_by(pvalloc(page + 1), page, 2 * page);
	CHECK(!((uintptr_t)pvalloc(0) % page));
}

/* Of each class too many for a list, so that spills are among them. */
static void test_free_keeps_errno(void)
{
	static void *blocks[10000];

	for (size_t size = 8; size < 3000; size += 200) {
		for (unsigned int i = 0; i < 10000; i++)
			CHECK((blocks[i] = malloc(size)));
		for (unsigned int i = 0; i < 10000; i++) {
			errno = 4711;
			free(blocks[i]);
			CHECK(errno == 4711);
		}
	}
}

int main(void)
{
	long before;

	puts("begin"); /* stdio's buffer is made now */
	test_pages();
	before = live();
	test_every_size();
	test_size_zero();
	test_too_much();
	test_realloc_keeps_content();
	test_reallocarray();
	test_alignment();
	test_odd_alignment();
	test_free_keeps_errno();
	CHECK(live() == before);
	return 0;
}
