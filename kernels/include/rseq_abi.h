/* SPDX-License-Identifier: MIT */
/*
 * The memory area that a thread shares with Linux (rseq(2)), and the thread as a benchmark sees it.
 *
 * The layout is the system call's ABI: cpu_id_start .. flags since Linux 4.18, node_id and mm_cid
 * since 6.3.
 */
#ifndef RSEQ_ABI_H
#define RSEQ_ABI_H

#include <stdint.h>

#define RSEQ_ORIGINAL_SIZE 32 /* what 4.18 asked for, and what glibc registers */
#define RSEQ_CPU_ID_UNINITIALIZED ((uint32_t)-1)

struct rseq_area {
	uint32_t cpu_id_start; /* always a possible CPU number, even when unregistered */
	uint32_t cpu_id; /* the CPU number, or negative when unregistered */
	uint64_t rseq_cs; /* address of the descriptor of the sequence that runs, if any */
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t reserved;
} __attribute__((aligned(32)));

/* One thread of a check or of a timed run. */
struct thread {
	struct rseq_area *area; /* NULL when this process has no rseq */
	unsigned int index; /* 0, 1, ... within the run */
	uint64_t first; /* number of this thread's first operation within the run */
	unsigned long aborts; /* sequences that Linux made start again */
	unsigned long failures; /* operations that went wrong; anything but 0 voids the run */
	unsigned long retries; /* operations that had to wait for something, e.g. an empty list */
};

#endif
