/* SPDX-License-Identifier: MIT */
/*
 * What we use of jemalloc's public interface (jemalloc(3)). Declared here so that only the library
 * need be installed, not its headers; tests/system/preload/ compares the constants. Its malloc()
 * and free() have our names and are looked up.
 */
#ifndef JEMALLOC_H
#define JEMALLOC_H

#include <stddef.h>

#define MALLOCX_LG_ALIGN(lg) ((int)(lg))
#define MALLOCX_ZERO ((int)0x40)
#define MALLOCX_TCACHE_NONE ((int)((-1 + 2) << 8))
#define MALLCTL_ARENAS_ALL 4096

void *mallocx(size_t size, int flags); /* ours, and so is rallocx(): pools_init.h has jemalloc's */
void *rallocx(void *block, size_t size, int flags);
size_t sallocx(const void *block, int flags);
void dallocx(void *block, int flags);
void sdallocx(void *block, size_t size, int flags);
int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

#endif
