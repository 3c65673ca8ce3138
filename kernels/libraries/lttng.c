// SPDX-License-Identifier: MIT
/*
 * lttng: "LTTng-UST: write event 32-bit header, 32-bit payload into tracer per-cpu buffer", in
 * LTTng-UST itself.
 *
 * LTTng asks a function for the CPU number and then reserves and commits with one atomic
 * instruction each. The patch replaced all three; what can be replaced in the library as it is
 * shipped is the function, and it is before each chunk. So these benchmarks differ in nothing but
 * how the CPU number is read. group ring_buffer has the atomics.
 *
 * Exact means that every event is in the trace. That cannot be seen from in here, so whoever owns
 * the session is told in the trace itself: after a check or a round each method leaves events that
 * say whose they are, and then how many those were and how many it has emitted in all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "provider_lttng.h"
#include "benchmark.h"
#include "percpu.h"
#include "provider.h"
#include "registration.h"

#define PROVIDER "RSEQBENCH_LTTNG" /* the environment says where the provider lies */
#define PROOF 1000 /* events: of each method after a round, of each of the threads after a check */
#define PROVERS 4
/* of a value: PROVES, the method, which of its proofs it is in 24 bits */
#define PROVES 0x80000000u
#define METHODS 8
/* for the session daemon to ask for the event: LTTng itself waits for it as it is loaded */
#define PATIENCE_MS 1000

static const struct provider_lttng *provider;
static __thread struct rseq *area __attribute__((tls_model("initial-exec")));
static bool checking;
static uint64_t emitted[METHODS]; /* in this process, those that prove among them */
static uint32_t proofs[METHODS];

static const char *no_provider(void)
{
	return provider_missing(PROVIDER);
}

static int lttng_setup(const struct setup *setup)
{
	/* in all that this process sets up: a daemon that is gone stays so, and costs it no more */
	static int waited;
	const struct timespec step = { .tv_nsec = 1000000 };

	checking = setup->check;
	if (!provider)
		provider = provider_open(PROVIDER, PROVIDER_LTTNG);
	if (!provider)
		return ELIBACC;
	/*
	 * Without a session daemon nothing is recorded, which is seen in the trace and is no matter
	 * of the others here.
	 */
	for (; waited < PATIENCE_MS && !provider->enabled(); waited++)
		nanosleep(&step, NULL);
	return 0;
}

static int cpu_constant(void)
{
	return 0;
}

#ifdef ARCH_HAS_VDSO_GETCPU
static int cpu_vdso(void)
{
	return (int)percpu_getcpu();
}
#endif

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

static void emit(unsigned int method, unsigned long events, uint32_t value)
{
	provider->emit(events, value);
	__atomic_fetch_add(&emitted[method], events, __ATOMIC_RELAXED);
}

static void *prove_in_a_thread(void *value)
{
	uint32_t proof = (uint32_t)(uintptr_t)value;

	area = registration_enter();
	emit(proof >> 24 & 0x7f, PROOF, proof);
	registration_leave();
	return NULL;
}

/*
 * Leave the events that are counted in the trace; of a check from several threads at once, wherever
 * they run.
 */
static const char *prove(unsigned int method, int (*get_cpu)(void))
{
	uint32_t number = ++proofs[method] & 0xffffffu, proof = PROVES | method << 24 | number;
	pthread_t threads[PROVERS];
	unsigned int started = 0, wanted = checking ? PROVERS : 0;

	area = registration_enter();
	provider->override(get_cpu);
	if (!wanted)
		emit(method, PROOF, proof);
	while (started < wanted && !pthread_create(&threads[started], NULL, prove_in_a_thread,
						   (void *)(uintptr_t)proof))
		started++;
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	/* Whatever this method makes of the CPU number, what it tells arrives. */
	provider->override(cpu_constant);
	provider->tell(method, number, PROOF * (wanted ? wanted : 1), emitted[method]);
	return started == wanted ? NULL : "cannot start the threads that prove it";
}

#define LTTNG(symbol, number, doc_, flags_, get_cpu)                                               \
	static void run_##symbol(struct thread *self, unsigned long loops)                         \
	{                                                                                          \
		use(self, get_cpu);                                                                \
		emit(number, loops, (number) << 24);                                               \
	}                                                                                          \
	static const char *verify_##symbol(uint64_t operations)                                    \
	{                                                                                          \
		(void)operations;                                                                  \
		return prove(number, get_cpu);                                                     \
	}                                                                                          \
	BENCHMARK(symbol, .name = "lttng/" #symbol, .doc = doc_,                                   \
		  .flags = IS_SHARED | IS_LIBRARY | (flags_), .unavailable = no_provider,          \
		  .setup = lttng_setup, .run = run_##symbol, .verify = verify_##symbol)

#ifdef ARCH_HAS_LSL
LTTNG(lsl, 1u, "an event, the CPU number read by LSL: the message's \"getcpu\"", IS_THREADED,
      cpu_lsl);
#else
BENCHMARK_ABSENT(lsl, "lttng/lsl", "an event, the CPU number read by LSL", "x86-64 only",
		 .flags = IS_LIBRARY);
#endif
#ifdef ARCH_HAS_VDSO_GETCPU
LTTNG(vdso, 2u, "an event, the CPU number read by the vDSO's getcpu", IS_THREADED, cpu_vdso);
#else
BENCHMARK_ABSENT(vdso, "lttng/vdso", "an event, the CPU number read by the vDSO's getcpu",
		 NO_VDSO_GETCPU, .flags = IS_LIBRARY);
#endif
LTTNG(syscall, 3u, "an event, the CPU number read by the getcpu system call", IS_THREADED,
      cpu_syscall);
LTTNG(rseq, 4u, "an event, the CPU number read from rseq cpu_id", NEEDS_RSEQ | IS_THREADED,
      cpu_rseq);
LTTNG(shipped, 5u, "an event as LTTng is shipped: the CPU number by the C library's sched_getcpu",
      IS_THREADED, NULL);
/*
 * Not by several threads at once: all of them would meet in the buffer of CPU 0, which is no floor.
 */
LTTNG(constant, 6u, "an event, CPU 0 without asking: the floor", 0, cpu_constant);
