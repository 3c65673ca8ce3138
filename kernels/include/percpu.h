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

#endif
