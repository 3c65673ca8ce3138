/* SPDX-License-Identifier: MIT */
/*
 * The clock around a chunk: the architecture's own counter where it has one that only ever ticks
 * evenly, else CLOCK_MONOTONIC. Its tick is measured against CLOCK_MONOTONIC, never assumed.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "rseq_arch.h"

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Nothing that follows in the program starts before begin has read the clock; nothing that went
 * before is open at end.
 */
static inline uint64_t clock_begin(bool own)
{
#ifdef ARCH_HAS_CLOCK
	if (own)
		return arch_clock_begin();
#endif
	(void)own;
	return clock_ns();
}

static inline uint64_t clock_end(bool own)
{
#ifdef ARCH_HAS_CLOCK
	if (own)
		return arch_clock_end();
#endif
	(void)own;
	return clock_ns();
}

/* Whether the architecture's own counter may be trusted on this machine. */
static inline bool clock_own(void)
{
#ifdef ARCH_HAS_CLOCK
	return arch_clock_steady();
#else
	return false;
#endif
}

#endif
