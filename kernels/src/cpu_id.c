// SPDX-License-Identifier: MIT
/*
 * cpu_id: "Benchmarking various approaches for reading the current CPU number". Exact means: pinned
 * to each CPU in turn, the method returns that CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"
#include "percpu.h"
#include "registration.h"

#define MAX_CPUS 4096

typedef const char *verify_cpu(unsigned int cpu);

/* Pin the caller to each CPU it may use and ask `on` there; return the first complaint. */
static const char *on_every_cpu(verify_cpu *on)
{
	cpu_set_t *allowed = CPU_ALLOC(MAX_CPUS), *one = CPU_ALLOC(MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
	const char *wrong = NULL;

	if (!allowed || !one || sched_getaffinity(0, size, allowed)) {
		CPU_FREE(allowed);
		CPU_FREE(one);
		return "cannot read the CPUs we may use";
	}
	for (int cpu = 0; cpu < MAX_CPUS && !wrong; cpu++) {
		if (!CPU_ISSET_S(cpu, size, allowed))
			continue;
		CPU_ZERO_S(size, one);
		CPU_SET_S(cpu, size, one);
		wrong = sched_setaffinity(0, size, one) ? "cannot pin to a CPU" : on(cpu);
	}
	sched_setaffinity(0, size, allowed);
	CPU_FREE(allowed);
	CPU_FREE(one);
	return wrong;
}

static const char *expect(unsigned int got, unsigned int cpu)
{
	return got == cpu ? NULL : complain("read %u on CPU %u", got, cpu);
}

/* A loop over one inline function, and the check that the same function is right on every CPU. */
#define CPU_ID(symbol, name_, doc_, flags_, read, ...)                                             \
	static void run_##symbol(struct thread *self, unsigned long loops)                         \
	{                                                                                          \
		struct rseq *area = self->area;                                                    \
                                                                                                   \
		(void)area;                                                                        \
		for (; loops; loops--) {                                                           \
			unsigned int value = read(area);                                           \
                                                                                                   \
			consume(value);                                                            \
		}                                                                                  \
	}                                                                                          \
	static const char *on_cpu_##symbol(unsigned int cpu)                                       \
	{                                                                                          \
		struct rseq *area = registration_enter();                                          \
                                                                                                   \
		(void)area;                                                                        \
		return expect(read(area), cpu);                                                    \
	}                                                                                          \
	static const char *verify_##symbol(uint64_t operations)                                    \
	{                                                                                          \
		(void)operations;                                                                  \
		return on_every_cpu(on_cpu_##symbol);                                              \
	}                                                                                          \
	BENCHMARK(symbol, .name = "cpu_id/" name_, .doc = doc_, .flags = flags_,                   \
		  .run = run_##symbol, .verify = verify_##symbol, __VA_ARGS__)

/*
 * The lines are empty and emit nothing, but gcc takes each for an instruction. Of a shorter loop it
 * makes two copies in a row, on arm32: one taken branch for two turns, where all other loops take
 * one each.
 */
static void run_baseline(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		__asm__ volatile("\n\n" ::: "memory");
}

BENCHMARK(baseline, .name = "cpu_id/baseline", .doc = "the empty loop", .flags = IS_TRIVIAL,
	  .run = run_baseline);

CPU_ID(rseq, "rseq", "one load of cpu_id", NEEDS_RSEQ, cpu_by_rseq);

/*
 * Out of line, as it would be in a library: what the first use in a thread costs is not what is
 * timed.
 */
static __attribute__((noinline, cold)) unsigned int register_now(struct rseq *area)
{
	registration_resume(area);
	return READ_ONCE(area->cpu_id);
}

static __always_inline unsigned int read_lazy(struct rseq *area)
{
	unsigned int cpu = READ_ONCE(area->cpu_id);

	return unlikely((int)cpu < 0) ? register_now(area) : cpu;
}

static void run_lazy(struct thread *self, unsigned long loops)
{
	struct rseq *area = self->area;

	for (; loops; loops--) {
		unsigned int cpu = read_lazy(area);

		consume(cpu);
	}
}

/* Unregistered, the first use must register; registered, it must read. */
static const char *lazy_on_cpu(unsigned int cpu)
{
	struct rseq *area = registration_enter();
	int error = registration_suspend(area);

	if (error)
		return complain("cannot unregister the area: errno %d", error);
	if ((int)READ_ONCE(area->cpu_id) >= 0)
		return "cpu_id is not reset when the area is unregistered";
	if (expect(read_lazy(area), cpu))
		return "the first use does not register";
	return expect(read_lazy(area), cpu);
}

static const char *verify_lazy(uint64_t operations)
{
	(void)operations;
	return on_every_cpu(lazy_on_cpu);
}

BENCHMARK(rseq_lazy, .name = "cpu_id/rseq_lazy",
	  .doc = "the load, and a test that registers at first use", .flags = NEEDS_RSEQ,
	  .run = run_lazy, .verify = verify_lazy);

#ifdef ARCH_HAS_GS
static unsigned int gs_cpu __attribute__((aligned(64)));
static unsigned long gs_before;

/* Per-CPU data behind gs: here the CPU's own number, as Linux would have to keep it. */
static int gs_setup(const struct setup *setup)
{
	(void)setup;
	gs_cpu = sched_getcpu();
	if (arch_gs_get(&gs_before))
		return errno;
	return arch_gs_set((unsigned long)&gs_cpu) ? errno : 0;
}

static void gs_teardown(void)
{
	arch_gs_set(gs_before);
}

static void run_gs(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--) {
		unsigned int cpu = arch_cpu_gs();

		consume(cpu);
	}
}

static const char *gs_on_cpu(unsigned int cpu)
{
	gs_cpu = cpu;
	return expect(arch_cpu_gs(), cpu);
}

static const char *gs_verify(uint64_t operations)
{
	(void)operations;
	return on_every_cpu(gs_on_cpu);
}

BENCHMARK(gs, .name = "cpu_id/gs", .doc = "one load through the gs segment (arch_prctl)",
	  .setup = gs_setup, .run = run_gs, .verify = gs_verify, .teardown = gs_teardown);
#else
BENCHMARK_ABSENT(gs, "cpu_id/gs", "one load through the gs segment", "x86 only");
#endif

#ifdef ARCH_HAS_LSL
static __always_inline unsigned int by_lsl(const struct rseq *area)
{
	(void)area;
	return arch_cpu_lsl();
}

CPU_ID(lsl, "lsl", "inline LSL on the segment whose limit holds the CPU number", 0, by_lsl);
#else
BENCHMARK_ABSENT(lsl, "cpu_id/lsl", "inline LSL on the segment whose limit holds the CPU number",
		 "x86 only");
#endif

#ifdef ARCH_HAS_RDPID
static __always_inline unsigned int by_rdpid(const struct rseq *area)
{
	(void)area;
	return arch_cpu_rdpid();
}

CPU_ID(rdpid, "rdpid", "the RDPID instruction (CPUs since 2017)", 0, by_rdpid,
       .unavailable = arch_no_rdpid);
#else
BENCHMARK_ABSENT(rdpid, "cpu_id/rdpid", "the RDPID instruction", "x86 only");
#endif

#ifdef ARCH_HAS_RDTSCP
static __always_inline unsigned int by_rdtscp(const struct rseq *area)
{
	(void)area;
	return arch_cpu_rdtscp();
}

CPU_ID(rdtscp, "rdtscp", "the RDTSCP instruction, time stamp thrown away", 0, by_rdtscp,
       .unavailable = arch_no_rdtscp);
#else
BENCHMARK_ABSENT(rdtscp, "cpu_id/rdtscp", "the RDTSCP instruction", "x86 only");
#endif

static __always_inline unsigned int by_sched_getcpu(const struct rseq *area)
{
	(void)area;
	return sched_getcpu();
}

CPU_ID(sched_getcpu, "sched_getcpu",
       "the C library's, which reads rseq by itself (glibc 2.35 and newer)",
       NEEDS_RSEQ | NEEDS_LIBC_RSEQ, by_sched_getcpu);
CPU_ID(sched_getcpu_norseq, "sched_getcpu_norseq",
       "the same with rseq off: the patch's \"glibc getcpu\"", NEEDS_NO_RSEQ, by_sched_getcpu);

#ifdef ARCH_HAS_VDSO_GETCPU
static const char *no_vdso(void)
{
	return getauxval(AT_SYSINFO_EHDR)
		       ? NULL
		       : "no vDSO: Linux runs with vdso=0, or an emulator without it";
}

CPU_ID(getcpu_vdso, "getcpu_vdso", "getcpu() through the vDSO", 0, cpu_by_getcpu,
       .unavailable = no_vdso);
#else
BENCHMARK_ABSENT(getcpu_vdso, "cpu_id/getcpu_vdso", "getcpu() through the vDSO", NO_VDSO_GETCPU);
#endif

static __always_inline unsigned int read_syscall(const struct rseq *area)
{
	unsigned int cpu;

	(void)area;
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	return cpu;
}

CPU_ID(getcpu_syscall, "getcpu_syscall", "the getcpu system call", ENTERS_LINUX, read_syscall);

/*
 * What the area holds beyond the original 20 bytes, where this Linux says so and the registration
 * covers it.
 */
static const char *field_missing(const char *name, size_t end)
{
	if (registration_feature_size() < end)
		return complain("%s: Linux < 6.3 (its rseq area ends after %u bytes)", name,
				registration_feature_size() ? registration_feature_size() : 20);
	if (registration_length() < end)
		return complain("%s: only %u bytes of the area are registered", name,
				registration_length());
	return NULL;
}

static const char *no_node_id(void)
{
	return field_missing("node_id", RSEQ_NODE_ID_OFFSET + 4);
}

static const char *no_mm_cid(void)
{
	return field_missing("mm_cid", RSEQ_MM_CID_OFFSET + 4);
}

static void run_node_id(struct thread *self, unsigned long loops)
{
	struct rseq *area = self->area;

	for (; loops; loops--)
		consume(rseq_field(area, RSEQ_NODE_ID_OFFSET));
}

static const char *node_on_cpu(unsigned int cpu)
{
	unsigned int seen = rseq_field(registration_enter(), RSEQ_NODE_ID_OFFSET), node;

	syscall(SYS_getcpu, NULL, &node, NULL);
	return seen == node ? NULL : complain("read node %u on node %u (CPU %u)", seen, node, cpu);
}

static const char *verify_node_id(uint64_t operations)
{
	(void)operations;
	return on_every_cpu(node_on_cpu);
}

BENCHMARK(node_id, .name = "cpu_id/node_id",
	  .doc = "one load of node_id, the NUMA node (Linux 6.3)", .flags = NEEDS_RSEQ,
	  .unavailable = no_node_id, .run = run_node_id, .verify = verify_node_id);

static void run_mm_cid(struct thread *self, unsigned long loops)
{
	struct rseq *area = self->area;

	for (; loops; loops--)
		consume(rseq_field(area, RSEQ_MM_CID_OFFSET));
}

/* A concurrency id says nothing of the CPU; it is only promised to be below the number of CPUs. */
static const char *cid_on_cpu(unsigned int cpu)
{
	unsigned int seen = rseq_field(registration_enter(), RSEQ_MM_CID_OFFSET);

	return seen < possible_cpus()
		       ? NULL
		       : complain("read mm_cid %u on CPU %u of %u", seen, cpu, possible_cpus());
}

static const char *verify_mm_cid(uint64_t operations)
{
	(void)operations;
	return on_every_cpu(cid_on_cpu);
}

BENCHMARK(mm_cid, .name = "cpu_id/mm_cid",
	  .doc = "one load of mm_cid, a per-process concurrency id (Linux 6.3)",
	  .flags = NEEDS_RSEQ, .unavailable = no_mm_cid, .run = run_mm_cid,
	  .verify = verify_mm_cid);
