// SPDX-License-Identifier: MIT
/* Threads that end: what they allocated stays, their destructors may allocate and free, their counters are kept. */
#include "check.h"

#define THREADS 300
#define BLOCKS 50

extern int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library);
extern void *__dso_handle;

static pthread_key_t keys[3];
static void *blocks[BLOCKS];

static void churn(void)
{
	void *some[20];

	for (unsigned int i = 0; i < 20; i++) {
		some[i] = malloc(1 + i * 60);
		paint(some[i], 1 + i * 60, i);
	}
	for (unsigned int i = 0; i < 20; i++) {
		CHECK(painted(some[i], 1 + i * 60, i));
		free(some[i]);
	}
}

/* Comes back in each round that glibc has, the last one behind the pools' own. */
static void late(void *data)
{
	struct round {
		pthread_key_t key;
		unsigned int number;
	} *round = data, *next;

	churn();
	if (round->number < 6) {
		next = malloc(sizeof(*next));
		*next = (struct round){ round->key, round->number + 1 };
		pthread_setspecific(round->key, next);
		if (round->number == 3) { /* glibc gives up now and would lose it */
			pthread_setspecific(round->key, NULL);
			free(next);
		}
	}
	free(round);
}

static void at_exit(void *data)
{
	churn();
	free(data);
}

static void *work(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int *round = malloc(2 * sizeof(*round));

		round[0] = keys[i];
		round[1] = 0;
		pthread_setspecific(keys[i], round);
	}
	__cxa_thread_atexit_impl(at_exit, malloc(100), &__dso_handle);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		free(blocks[i]); /* the thread before left it */
		blocks[i] = malloc(1 + i * 25);
		paint(blocks[i], 1 + i * 25, i);
	}
	churn();
	return NULL;
}

static void run(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, work, NULL));
		pthread_join(thread, NULL);
		for (unsigned int j = 0; j < BLOCKS; j++)
			CHECK(painted(blocks[j], 1 + j * 25, j));
	}
}

int main(void)
{
	long before;

	for (unsigned int i = 0; i < 3; i++)
		CHECK(!pthread_key_create(&keys[i], late));
	run(3); /* the C library keeps a stack, and what belongs to it */
	before = live();
	run(THREADS);
	CHECK(live() == before);
	for (unsigned int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	CHECK(live() == before - BLOCKS);
	return 0;
}
