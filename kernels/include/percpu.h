/* SPDX-License-Identifier: MIT */
/*
 * The ways without a sequence to choose this CPU's slot, the same for every group that has per-CPU
 * data.
 */
#ifndef PERCPU_H
#define PERCPU_H

#include <sched.h>

#include "benchmark.h"
#include "rseq_arch.h"

#define NO_VDSO_GETCPU "no vDSO getcpu on this architecture: the C library makes the system call"

/*
 * getcpu() of the C library, which never takes the shortcut through rseq: the vDSO where there is
 * one.
 */
static __always_inline unsigned long percpu_getcpu(void)
{
	unsigned int cpu;

	getcpu(&cpu, NULL);
	return cpu;
}

/*
 * The message's "getcpu", as we read it (docs/method.md): inlined LSL on x86-64, the C library's
 * getcpu elsewhere.
 */
#ifdef ARCH_HAS_LSL
#define GETCPU_2018_DOC "inline LSL"
static __always_inline unsigned long percpu_getcpu_2018(void)
{
	return arch_cpu_lsl();
}
#else
#define GETCPU_2018_DOC "the C library's getcpu"
static __always_inline unsigned long percpu_getcpu_2018(void)
{
	return percpu_getcpu();
}
#endif

/* How a benchmark finds the slot of its CPU; `area` is the calling thread's, NULL without rseq. */
typedef unsigned long read_cpu_fn(const struct rseq *area);

static __always_inline unsigned long cpu_by_getcpu(const struct rseq *area)
{
	(void)area;
	return percpu_getcpu();
}

static __always_inline unsigned long cpu_by_getcpu_2018(const struct rseq *area)
{
	(void)area;
	return percpu_getcpu_2018();
}

static __always_inline unsigned long cpu_by_rseq(const struct rseq *area)
{
	return READ_ONCE(area->cpu_id);
}

#endif
