// SPDX-License-Identifier: MIT
/* A library that allocates in its constructor, also from a thread, and frees in its destructor. */
#include "check.h"

static void *blocks[400];

void *early_block(unsigned int index)
{
	return blocks[index];
}

static void *fill(void *from)
{
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int index = (unsigned int)(uintptr_t)from + i;

		blocks[index] = malloc(1 + index * 10);
		paint(blocks[index], 1 + index * 10, index);
	}
	return NULL;
}

static __attribute__((constructor)) void begin(void)
{
	pthread_t thread;

	fill((void *)0);
	CHECK(!pthread_create(&thread, NULL, fill, (void *)100));
	pthread_join(thread, NULL);
	fill((void *)200);
	fill((void *)300);
}

static __attribute__((destructor)) void end(void)
{
	for (unsigned int i = 200; i < 400; i++) {
		CHECK(painted(blocks[i], 1 + i * 10, i));
		free(blocks[i]);
	}
}
