// SPDX-License-Identifier: MIT
/*
 * lttng: "LTTng-UST: write event 32-bit header, 32-bit payload into tracer per-cpu buffer", in LTTng-UST itself.
 *
 * LTTng asks a function for the CPU number and then reserves and commits with one atomic instruction each. The patch
 * replaced all three; what can be replaced in the library as it is shipped is the function, and it is before each
 * chunk. So these kernels differ in nothing but how the CPU number is read. group ring_buffer has the atomics.
 *
 * Exact means that every event is in the trace. That cannot be seen from in here: after a check or a round each method
 * leaves events that tell whose they are, PROOF of them, and whoever owns the session counts them there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "provider_lttng.h"
#include "kernel.h"
#include "percpu.h"
#include "provider.h"
#include "registration.h"

#define PROVIDER "RSEQBENCH_LTTNG" /* the environment says where the provider lies */
#define PROOF 1000 /* events: of each method after a round, of each of the threads after a check */
#define PROVERS 4
#define PROVES 0x80000000u /* of a value: PROVES, the method, the process in 24 bits */
#define PATIENCE_MS 3000 /* for the session daemon to ask for the event */

static const struct provider_lttng *provider;
static __thread struct rseq_area *area __attribute__((tls_model("initial-exec")));
static bool checking;

static const char *no_provider(void)
{
	return provider_missing(PROVIDER);
}

static int lttng_setup(const struct setup *setup)
{
	const struct timespec step = { .tv_nsec = 1000000 };

	checking = setup->check;
	if (!provider)
		provider = provider_open(PROVIDER, PROVIDER_LTTNG);
	if (!provider)
		return ELIBACC;
	/* Without a session daemon nothing is recorded, which is seen in the trace and is no matter of the others here. */
	for (int waited = 0; waited < PATIENCE_MS && !provider->enabled(); waited++)
		nanosleep(&step, NULL);
	return 0;
}

static int cpu_constant(void)
{
	return 0;
}

static int cpu_vdso(void)
{
	return (int)percpu_getcpu();
}

static int cpu_syscall(void)
{
	unsigned int cpu = 0;

	syscall(SYS_getcpu, &cpu, NULL, NULL);
	return (int)cpu;
}

static int cpu_rseq(void)
{
	return (int)READ_ONCE(area->cpu_id);
}

#ifdef ARCH_HAS_LSL
static int cpu_lsl(void)
{
	return (int)arch_cpu_lsl();
}
#endif

static void use(const struct thread *self, int (*get_cpu)(void))
{
	area = self->area;
	provider->override(get_cpu);
}

static uint32_t proof(unsigned int method)
{
	return PROVES | method << 24 | ((uint32_t)getpid() & 0xffffffu);
}

static void *prove_in_a_thread(void *value)
{
	area = registration_enter();
	provider->emit(PROOF, (uint32_t)(uintptr_t)value);
	registration_leave();
	return NULL;
}

/* Leave the events that are counted in the trace; of a check from several threads at once, wherever they run. */
static const char *prove(unsigned int method, int (*get_cpu)(void))
{
	pthread_t threads[PROVERS];
	unsigned int started = 0;

	area = registration_enter();
	provider->override(get_cpu);
	if (!checking) {
		provider->emit(PROOF, proof(method));
		return NULL;
	}
	while (started < PROVERS &&
	       !pthread_create(&threads[started], NULL, prove_in_a_thread, (void *)(uintptr_t)proof(method)))
		started++;
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return started == PROVERS ? NULL : "cannot start the threads that prove it";
}

#define LTTNG(symbol, number, doc_, flags_, get_cpu)                                                                   \
	static void run_##symbol(struct thread *self, unsigned long loops)                                             \
	{                                                                                                              \
		use(self, get_cpu);                                                                                    \
		provider->emit(loops, (number) << 24);                                                                 \
	}                                                                                                              \
	static const char *verify_##symbol(uint64_t operations)                                                        \
	{                                                                                                              \
		(void)operations;                                                                                      \
		return prove(number, get_cpu);                                                                         \
	}                                                                                                              \
	KERNEL(symbol, .name = "lttng/" #symbol, .doc = doc_, .flags = IS_SHARED | IS_LIBRARY | (flags_),              \
	       .unavailable = no_provider, .setup = lttng_setup, .run = run_##symbol, .verify = verify_##symbol)

#ifdef ARCH_HAS_LSL
LTTNG(lsl, 1u, "an event, the CPU number read by LSL: what the patch compared with", 0, cpu_lsl);
#else
KERNEL_ABSENT(lsl, "lttng/lsl", "an event, the CPU number read by LSL", "x86-64 only");
#endif
#ifdef ARCH_HAS_VDSO_GETCPU
LTTNG(vdso, 2u, "an event, the CPU number read by the vDSO's getcpu", 0, cpu_vdso);
#else
KERNEL_ABSENT(vdso, "lttng/vdso", "an event, the CPU number read by the vDSO's getcpu", NO_VDSO_GETCPU);
#endif
LTTNG(syscall, 3u, "an event, the CPU number read by the getcpu system call", 0, cpu_syscall);
LTTNG(rseq, 4u, "an event, the CPU number read from rseq cpu_id", NEEDS_RSEQ, cpu_rseq);
LTTNG(shipped, 5u, "an event as LTTng is shipped: the CPU number by the C library's sched_getcpu", 0, NULL);
LTTNG(constant, 6u, "an event, CPU 0 without asking: the floor", 0, cpu_constant);
