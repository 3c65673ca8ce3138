/* SPDX-License-Identifier: MIT */
/*
 * What a program that hosts the kernels may call: cffi reads the declarations below, so they are plain C.
 *
 * A process chooses its registration first (host_start), then asks, checks and times. Functions that can fail return
 * 0, or leave a sentence in `message` and return -1. Not to be called from two threads at once.
 */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>

struct host_kernel {
	const char *name; /* group/method */
	const char *doc;
	const char *unavailable; /* why it cannot run in this process, or NULL */
	unsigned int flags; /* NEEDS_* and IS_* of kernel.h */
};

struct host_rseq {
	const char *registration; /* who registered this process's area: "glibc", "self" or "none" */
	const char *reason; /* why there is none, or NULL */
	unsigned int libc_size; /* __rseq_size, 0 when the C library did not register */
	unsigned int registered; /* length of the registered area, 0 when there is none */
	unsigned int feature_size; /* AT_RSEQ_FEATURE_SIZE of the running Linux, 0 before 6.3 */
};

struct host_check {
	uint64_t operations; /* done by all threads together */
	uint64_t aborts;
	uint64_t disturbances; /* migrations forced and signals sent */
	uint64_t retries;
	unsigned int threads;
	char message[256];
};

struct host_time {
	uint64_t ns; /* from the first thread's start to the last one's end */
	uint64_t aborts;
	char message[256];
};

int host_start(const char *registration, char message[256]);
void host_rseq(struct host_rseq *out);
unsigned int host_count(void);
int host_kernel(unsigned int kernel, struct host_kernel *out);
/* At most `loops` operations a thread, fewer when `wanted` disturbances have happened; `stress` holds sequences open. */
int host_check(unsigned int kernel, unsigned int threads, uint64_t loops, uint64_t wanted, int stress,
	       struct host_check *out);
/* `loops` operations in each of the threads, pinned to the CPUs of the list in turn. */
int host_time(unsigned int kernel, unsigned int threads, uint64_t loops, const int *cpus, unsigned int cpu_count,
	      struct host_time *out);

#endif
