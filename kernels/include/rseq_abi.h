/* SPDX-License-Identifier: MIT */
/*
 * The memory area that a thread shares with Linux (rseq(2)), and the thread as a benchmark sees it.
 *
 * struct rseq is that of Linux's headers. Before 5.18 they have a union in place of rseq_cs: there,
 * and where RSEQ_ABI_COPY asks for it, it is a copy of the system call's original layout.
 */
#ifndef RSEQ_ABI_H
#define RSEQ_ABI_H

#include <linux/version.h>
#include <stddef.h>
#include <stdint.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0) || defined(RSEQ_ABI_COPY)
enum {
	RSEQ_FLAG_UNREGISTER = 1,
	RSEQ_CPU_ID_UNINITIALIZED = -1
};

struct rseq {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
} __attribute__((aligned(32)));
#elif __has_include(<sys/rseq.h>) /* glibc 2.35 */
#include <sys/rseq.h>
enum {
	LIBC_RSEQ_SIG = (int32_t)RSEQ_SIG
};
#define HAVE_LIBC_RSEQ_SIG 1
#undef RSEQ_SIG /* an architecture's header has it, in a form for assembly too */
#else
#include <linux/rseq.h>
#endif

/* The length that Linux 4.18 asked for, and that glibc registers. */
#define RSEQ_ORIGINAL_SIZE 32

/* Where the fields are: plain numbers, because assembly uses the first two. */
#define RSEQ_CPU_ID_OFFSET 4
#define RSEQ_CS_OFFSET 8
/* Since Linux 6.3; older headers do not have the two. */
#define RSEQ_NODE_ID_OFFSET 20
#define RSEQ_MM_CID_OFFSET 24

#define RSEQ_STR(x) RSEQ_STR_(x)
#define RSEQ_STR_(x) #x
#define CPU_ID_AT RSEQ_STR(RSEQ_CPU_ID_OFFSET)
#define RSEQ_CS_AT RSEQ_STR(RSEQ_CS_OFFSET)

_Static_assert(offsetof(struct rseq, cpu_id) == RSEQ_CPU_ID_OFFSET, "assembly loads it from there");
_Static_assert(offsetof(struct rseq, rseq_cs) == RSEQ_CS_OFFSET, "assembly stores it there");
_Static_assert(sizeof(((struct rseq *)0)->cpu_id) == 4, "assembly loads 32 bits");
_Static_assert(sizeof(((struct rseq *)0)->rseq_cs) == 8, "assembly stores a word of it");
_Static_assert(_Alignof(struct rseq) == 32, "Linux demands it");
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
_Static_assert(sizeof(struct rseq) == RSEQ_ORIGINAL_SIZE, "what is registered");
#elif !defined(RSEQ_ABI_COPY)
_Static_assert(sizeof(struct rseq) >= RSEQ_ORIGINAL_SIZE, "what is registered, or more");
_Static_assert(offsetof(struct rseq, node_id) == RSEQ_NODE_ID_OFFSET, "read from there");
_Static_assert(offsetof(struct rseq, mm_cid) == RSEQ_MM_CID_OFFSET, "read from there");
#endif

/* One field of the area that older headers do not name. */
static inline __attribute__((always_inline)) uint32_t rseq_field(const struct rseq *area,
								 size_t offset)
{
	return *(const volatile uint32_t *)((const char *)area + offset);
}

/* One thread of a check or of a timed run. */
struct thread {
	struct rseq *area; /* NULL when this process has no rseq */
	unsigned int index; /* 0, 1, ... within the run */
	uint64_t first; /* number of this thread's first operation within the run */
	unsigned long aborts; /* sequences that Linux made start again */
	unsigned long failures; /* operations that went wrong; anything but 0 voids the run */
	unsigned long retries; /* operations that had to wait for something, e.g. an empty list */
};

#endif
