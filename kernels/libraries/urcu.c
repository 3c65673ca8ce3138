// SPDX-License-Identifier: MIT
/*
 * urcu: "liburcu percpu: lock-unlock pair, dereference, read/compare word", in the flavours that
 * liburcu ships.
 *
 * None of them counts readers by CPU, as the patch's branch did: what they do instead is what a
 * user has today. Group rcu has the patch's ways. The reader is the same in both groups, and so is
 * its proof: a writer publishes, waits for a grace period by the library, and poisons what nobody
 * can see any more; a reader that sees poison has failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "benchmark.h"
#include "provider.h"
#include "provider_urcu.h"

#define GOOD 0x600du
#define POISON 0xdeadu
/* a freed word stays poisoned for a while, so that a late reader meets the poison */
#define OBJECTS 1024

#define HOLDS_EVERY 1024 /* operations of a thread, under stress, until one is held for long */
#define HOLDS_MS 100 /* for so long, or until two grace periods have ended, which they must not */
#define HOLDS 2 /* a check sees at least so many */

static unsigned long grace_periods;
static unsigned long holds;
static bool held, stressed;
static struct provider_object objects[OBJECTS], *published;

/* A thread of the harness does not say when it ends; the library has to know. */
static void ended(void *provider)
{
	((const struct provider_urcu *)provider)->leave();
}

static bool note_end(pthread_key_t *key, const struct provider_urcu *provider)
{
	return !pthread_getspecific(*key) && pthread_setspecific(*key, provider);
}

/*
 * A grace period may take longer by itself than any reader, which then proves nothing. So one
 * reader at a time keeps its word until what it has would be poisoned: the writer is about to free
 * it after the next grace period but one at most.
 */
static void hold_for_long(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	unsigned long before = READ_ONCE(grace_periods);

	if (__atomic_exchange_n(&held, true, __ATOMIC_RELAXED))
		return;
	for (int waited = 0; waited < HOLDS_MS && READ_ONCE(grace_periods) - before < 2; waited++)
		nanosleep(&step, NULL);
	WRITE_ONCE(holds, holds + 1);
	__atomic_store_n(&held, false, __ATOMIC_RELEASE);
}

static void hold(void)
{
	static __thread unsigned int turn;

	if (++turn % 64)
		linger();
	else if (turn % HOLDS_EVERY)
		doze();
	else
		hold_for_long();
}

static void read_through(const struct provider_urcu *provider, pthread_key_t *key,
			 struct thread *self, unsigned long loops, bool held)
{
	struct provider_reader reader = { .published = &published, .good = GOOD, .hold = hold };

	provider->begin();
	if (note_end(key, provider))
		self->failures++;
	(held ? provider->read_held : provider->read)(&reader, loops);
	provider->end();
	self->failures += reader.failures;
}

static void write_through(const struct provider_urcu *provider, const bool *stop)
{
	for (unsigned int next = 1; !READ_ONCE(*stop); next = (next + 1) % OBJECTS) {
		struct provider_object *old = published;

		WRITE_ONCE(objects[next].word, GOOD);
		provider->publish(&published, &objects[next]);
		WRITE_ONCE(old->word, POISON);
		WRITE_ONCE(grace_periods, grace_periods + 1);
	}
}

static const char *unmet(void)
{
	if (!READ_ONCE(grace_periods))
		return "no grace period ended, so nothing was poisoned";
	return !stressed || READ_ONCE(holds) >= HOLDS
		       ? NULL
		       : "no reader held a word for longer than a grace period";
}

static int ready(const struct setup *setup, const struct provider_urcu **provider,
		 pthread_key_t *key, const char *variable, const char *symbol)
{
	if (!*provider) {
		*provider = provider_open(variable, symbol);
		if (*provider && pthread_key_create(key, ended))
			return EAGAIN;
	}
	grace_periods = 0;
	holds = 0;
	stressed = setup->check && setup->stress;
	objects[0].word = GOOD;
	published = &objects[0];
	return *provider ? 0 : ELIBACC;
}

#define URCU(symbol, flavour, way, doc_)                                                           \
	static const struct provider_urcu *provider_##symbol;                                      \
	static pthread_key_t key_##symbol;                                                         \
	static const char *missing_##symbol(void)                                                  \
	{                                                                                          \
		return provider_missing("RSEQBENCH_URCU_" flavour);                                \
	}                                                                                          \
	static int setup_##symbol(const struct setup *setup)                                       \
	{                                                                                          \
		return ready(setup, &provider_##symbol, &key_##symbol, "RSEQBENCH_URCU_" flavour,  \
			     way);                                                                 \
	}                                                                                          \
	static void run_##symbol(struct thread *self, unsigned long loops)                         \
	{                                                                                          \
		read_through(provider_##symbol, &key_##symbol, self, loops, false);                \
	}                                                                                          \
	static void stress_##symbol(struct thread *self, unsigned long loops)                      \
	{                                                                                          \
		read_through(provider_##symbol, &key_##symbol, self, loops, true);                 \
	}                                                                                          \
	static void beside_##symbol(const bool *stop)                                              \
	{                                                                                          \
		write_through(provider_##symbol, stop);                                            \
	}                                                                                          \
	BENCHMARK(symbol, .name = "urcu/" #symbol, .doc = doc_,                                    \
		  .flags = IS_SHARED | IS_THREADED | IS_LIBRARY, .unavailable = missing_##symbol,  \
		  .setup = setup_##symbol, .run = run_##symbol, .stress = stress_##symbol,         \
		  .beside = beside_##symbol, .unmet = unmet)

#define URCU_BOTH(symbol, doc)                                                                     \
	URCU(symbol, #symbol, PROVIDER_URCU_CALLED, doc ", called");                               \
	URCU(symbol##_inline, #symbol, PROVIDER_URCU_INLINED, doc ", inlined")

URCU_BOTH(memb, "liburcu's default: readers without barriers, the writer has them by membarrier");
URCU_BOTH(mb, "liburcu with a full barrier in each reader's lock and unlock");
URCU_BOTH(bp, "liburcu for readers that do not register, as tracers use it");
URCU_BOTH(qsbr, "liburcu whose readers say now and then that they hold nothing");
URCU_BOTH(signal, "liburcu whose writer makes readers' barriers by a signal; gone in 0.15");
