/* SPDX-License-Identifier: MIT */
#ifndef XORSHIFT_H
#define XORSHIFT_H

#include <stdint.h>

/* The number after `x`, which must not be 0, in a sequence of 2^64 - 1 (Marsaglia 2003). */
static inline uint64_t xorshift64(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

#endif
