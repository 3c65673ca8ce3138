/* SPDX-License-Identifier: MIT */
/*
 * The clock around a chunk, read in ticks: the architecture's own counter where it has one that
 * only ever ticks evenly, else CLOCK_MONOTONIC. How long a tick is, is measured, never assumed.
 */
#ifndef TICKS_H
#define TICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "rseq_arch.h"

/* Whether the architecture's own counter may be trusted on this machine. */
static inline bool ticks_are_steady(void)
{
#ifdef ARCH_HAS_CLOCK
	return arch_clock_steady();
#else
	return false;
#endif
}

/* Read the clock, before whatever follows in the program begins. `counter`: ticks_are_steady(). */
static inline uint64_t ticks_begin(bool counter)
{
#ifdef ARCH_HAS_CLOCK
	if (counter)
		return arch_clock_begin();
#endif
	(void)counter;
	return clock_ns();
}

/* Read the clock, after whatever went before in the program is done. */
static inline uint64_t ticks_end(bool counter)
{
#ifdef ARCH_HAS_CLOCK
	if (counter)
		return arch_clock_end();
#endif
	(void)counter;
	return clock_ns();
}

#endif
