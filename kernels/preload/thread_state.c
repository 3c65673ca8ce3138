// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "thread_state.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "jemalloc.h"
#include "lists.h"
#include "log.h"
#include "registration.h"

/*
 * One less than glibc's, PTHREAD_DESTRUCTOR_ITERATIONS: the last that other destructors may free
 * in.
 */
#define ROUNDS 3

__thread struct thread_state *thread_state __attribute__((tls_model("initial-exec")));
struct thread_state *thread_states;

static __thread enum {
	NEW,
	BETWEEN,
	IN
} stage __attribute__((tls_model("initial-exec")));
static pthread_key_t key;

/*
 * Destructors of the program's own keys may still allocate and free, so we let them run before us.
 */
static void leave_thread(void *data)
{
	struct thread_state *self = data;

	if (self->rounds++ < ROUNDS && !pthread_setspecific(key, self))
		return;
	/* For good: from here on the thread passes the lists by. */
	stage = BETWEEN;
	thread_state = NULL;
	self->area = NULL;
	registration_leave();
	__atomic_store_n(&self->busy, false, __ATOMIC_RELEASE);
}

static struct thread_state *take_over(void)
{
	struct thread_state *state = __atomic_load_n(&thread_states, __ATOMIC_ACQUIRE);

	for (; state; state = state->next) {
		bool busy = false;

		if (!__atomic_load_n(&state->busy, __ATOMIC_RELAXED) &&
		    __atomic_compare_exchange_n(&state->busy, &busy, true, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			break;
	}
	return state;
}

static struct thread_state *allocate_state(void)
{
	struct thread_state *self = mallocx(sizeof(*self), MALLOCX_LG_ALIGN(6) | MALLOCX_ZERO);

	if (!self)
		return NULL;
	self->busy = true;
	self->next = __atomic_load_n(&thread_states, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&thread_states, &self->next, self, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return self;
}

static struct rseq *register_thread(void)
{
	struct rseq *area = registration_enter();

	if (!area)
		die(1, "rseq: this thread cannot register it: %s", strerror(errno));
	if ((int32_t)READ_ONCE(area->cpu_id) < 0)
		die(1, "rseq: this thread is not registered, though others are");
	return area;
}

int thread_state_init(void)
{
	return pthread_key_create(&key, leave_thread);
}

struct thread_state *thread_state_enter(void)
{
	struct thread_state *self;

	if (stage != NEW)
		return thread_state;
	/* What is allocated in here passes the lists by. */
	stage = BETWEEN;
	self = take_over();
	if (!self)
		self = allocate_state();
	if (!self) {
		stage = NEW;
		return NULL;
	}
	self->rounds = 0;
	self->area = lists.method == METHOD_RSEQ ? register_thread() : NULL;
	/* If it fails, the thread's counters are never taken over, and that is all. */
	pthread_setspecific(key, self);
	stage = IN;
	thread_state = self;
	return self;
}
