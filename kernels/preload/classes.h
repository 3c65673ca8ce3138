/* SPDX-License-Identifier: MIT */
/*
 * The size classes of the pools: jemalloc's own up to 1 KiB, so that what jemalloc says an object
 * holds is its class. They are four to each doubling, and 16 bytes apart at least, which is the
 * alignment that malloc() promises.
 */
#ifndef CLASSES_H
#define CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "benchmark.h"

#define POOL_CLASSES 20
#define POOL_MAX 1024
#define POOL_GRAIN 16

static const uint16_t class_sizes[POOL_CLASSES] = { 16,	 32,  48,  64,	80,  96,  112,
						    128, 160, 192, 224, 256, 320, 384,
						    448, 512, 640, 768, 896, 1024 };

/* The class of the grains that a size takes: of 0 to 16 bytes, 17 to 32, ... */
static const uint8_t classes_of_grains[POOL_MAX / POOL_GRAIN + 1] = {
	0,  0,	1,  2,	3,  4,	5,  6,	7,  8,	8,  9,	9,  10, 10, 11, 11, 12, 12, 12, 12, 13,
	13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17,
	17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19,
};

/* The smallest class that holds `size` bytes; size <= POOL_MAX. */
static __always_inline unsigned int class_of(size_t size)
{
	return classes_of_grains[(size + POOL_GRAIN - 1) / POOL_GRAIN];
}

#endif
