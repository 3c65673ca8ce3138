// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "local.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "jemalloc.h"
#include "lists.h"
#include "registration.h"
#include "say.h"

/*
 * one less than glibc's, PTHREAD_DESTRUCTOR_ITERATIONS: the last that other destructors may free in
 */
#define ROUNDS 3

__thread struct local *local __attribute__((tls_model("initial-exec")));
struct local *locals;

static __thread enum {
	NEW,
	BETWEEN,
	IN
} stage __attribute__((tls_model("initial-exec")));
static pthread_key_t key;

/*
 * Destructors of the program's own keys may still allocate and free, so we let them run before us.
 */
static void leave(void *data)
{
	struct local *self = data;

	if (self->rounds++ < ROUNDS && !pthread_setspecific(key, self))
		return;
	stage = BETWEEN; /* for good: from here on the thread passes the lists by */
	local = NULL;
	self->area = NULL;
	registration_leave();
	__atomic_store_n(&self->busy, false, __ATOMIC_RELEASE);
}

static struct local *taken_over(void)
{
	for (struct local *l = __atomic_load_n(&locals, __ATOMIC_ACQUIRE); l; l = l->next) {
		bool busy = false;

		if (!__atomic_load_n(&l->busy, __ATOMIC_RELAXED) &&
		    __atomic_compare_exchange_n(&l->busy, &busy, true, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return l;
	}
	return NULL;
}

static struct local *made(void)
{
	struct local *self = mallocx(sizeof(*self), MALLOCX_LG_ALIGN(6) | MALLOCX_ZERO);

	if (!self)
		return NULL;
	self->busy = true;
	self->next = __atomic_load_n(&locals, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&locals, &self->next, self, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	return self;
}

static struct rseq_area *registered(void)
{
	struct rseq_area *area = registration_enter();

	if (!area)
		die(1, "rseq", "this thread cannot register it: %s", strerror(errno));
	if ((int32_t)READ_ONCE(area->cpu_id) < 0)
		die(1, "rseq", "this thread is not registered, though others are");
	return area;
}

int local_start(void)
{
	return pthread_key_create(&key, leave);
}

struct local *local_enter(void)
{
	struct local *self;

	if (stage != NEW)
		return local;
	stage = BETWEEN; /* what is allocated in here passes the lists by */
	self = taken_over();
	if (!self)
		self = made();
	if (!self) {
		stage = NEW;
		return NULL;
	}
	self->rounds = 0;
	self->area = lists.method == METHOD_RSEQ ? registered() : NULL;
	/* if it fails, the thread's counters are never taken over, and that is all */
	pthread_setspecific(key, self);
	stage = IN;
	local = self;
	return self;
}
