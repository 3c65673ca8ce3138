// SPDX-License-Identifier: MIT
#include "slots.h"

#include <string.h>

#include "registry.h"

const char *slot_refuses(const struct benchmark *benchmark, unsigned int threads)
{
	if (!benchmark)
		return "no such benchmark";
	if (!threads)
		return "a chunk needs a thread";
	if (threads > 1 && !(benchmark->flags & IS_THREADED))
		return "measured with one thread only";
	/* One that needs rseq off gets that for as long as it runs. */
	return benchmark->flags & NEEDS_NO_RSEQ ? NULL : registry_unavailable(benchmark);
}

const char *slots_choose(struct slots *self, const struct host_slot *slots, unsigned int count)
{
	if (!count || count > MAX_SLOTS)
		return "too few or too many benchmarks for one round";
	self->count = count;
	self->ready = 0;
	for (unsigned int i = 0; i < count; i++) {
		const struct benchmark *benchmark = registry_get(slots[i].benchmark);
		const char *why = slot_refuses(benchmark, slots[i].threads);

		if (why)
			return why;
		self->list[i] = (struct slot){ .benchmark = benchmark,
					       .threads = slots[i].threads,
					       .wanted = slots[i].wanted,
					       .loops = slots[i].loops };
	}
	return NULL;
}

/*
 * Benchmarks of one group share their state: whoever comes first sets it up, verifies it for all
 * and tears it down.
 */
static bool leads(const struct slots *slots, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (slots->list[i].benchmark->setup == slots->list[number].benchmark->setup)
			return false;
	return true;
}

static bool verified_before(const struct slots *slots, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (slots->list[i].benchmark->flags & IS_SHARED &&
		    slots->list[i].benchmark->verify == slots->list[number].benchmark->verify)
			return true;
	return false;
}

static uint64_t operations_with(const struct slots *slots, unsigned int number)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < slots->count; i++)
		if (slots->list[i].benchmark->setup == slots->list[number].benchmark->setup)
			sum += slots->list[i].operations;
	return sum;
}

unsigned int slots_most_threads(const struct slots *slots)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < slots->count; i++)
		most = slots->list[i].threads > most ? slots->list[i].threads : most;
	return most;
}

const char *slots_set_up(struct slots *slots)
{
	const struct setup setup = { .threads = slots_most_threads(slots), .loops = 1 };

	for (; slots->ready < slots->count; slots->ready++) {
		const struct benchmark *benchmark = slots->list[slots->ready].benchmark;
		int error = benchmark->setup && leads(slots, slots->ready)
				    ? benchmark->setup(&setup)
				    : 0;

		if (error)
			return complain("cannot set up %s: %s", benchmark->name, strerror(error));
	}
	return NULL;
}

/*
 * The sums, lists and events that a whole round left behind must be exact, like those of a check.
 */
const char *slots_conclude(const struct slots *slots, const struct thread *counts,
			   const char *failed)
{
	for (unsigned int i = 0; i < slots->count; i++) {
		const struct benchmark *benchmark = slots->list[i].benchmark;

		if (!failed && benchmark->verify && benchmark->flags & IS_SHARED &&
		    !verified_before(slots, i))
			failed = benchmark->verify(operations_with(slots, i));
	}
	for (unsigned int i = 0; i < slots->ready; i++)
		if (slots->list[i].benchmark->teardown && leads(slots, i))
			slots->list[i].benchmark->teardown();
	if (!failed && (counts->failures || counts->retries))
		failed = "an operation went wrong or had to be repeated";
	return failed;
}
