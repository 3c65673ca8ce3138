/* SPDX-License-Identifier: MIT */
/*
 * Who registers the rseq area of each thread. A property of the process, settled once before
 * anything runs.
 */
#ifndef REGISTRATION_H
#define REGISTRATION_H

#include "rseq_abi.h"

enum registration {
	REGISTRATION_NONE,
	REGISTRATION_LIBC,
	REGISTRATION_SELF
};

/*
 * Settle it: "glibc", "self", "full" (self, and more than the original 32 bytes), "none", or "auto"
 * for what there is. Returns NULL, or why it cannot be had.
 */
const char *registration_start(const char *wanted);
enum registration registration_mode(void);
/* Why this process has no registered area; NULL when it has one. */
const char *registration_missing(void);
unsigned int registration_libc_size(void);
unsigned int registration_length(void);
unsigned int registration_feature_size(void);

/* The calling thread's area, registered; NULL when this process has none. */
struct rseq *registration_enter(void);
/* Give the calling thread its area. Returns NULL, or why it has none in a process that has rseq. */
const char *registration_enter_thread(struct thread *thread);
void registration_leave(void);

/*
 * Unregister the calling thread's area for a while, and register it again. Returns 0 or an errno.
 */
int registration_suspend(struct rseq *area);
int registration_resume(struct rseq *area);

#endif
