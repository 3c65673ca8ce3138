/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU pools as others see them: what an environment variable chooses, and what the library
 * counts.
 *
 *	LD_PRELOAD=.../libpools.so RSEQBENCH_POOLS=rseq|lsl_lock|vdso_lock|off program
 *
 *	RSEQBENCH_POOLS           how a list is protected; rseq by default, off: jemalloc alone
 *	RSEQBENCH_POOLS_FALLBACK  the method to take where that one cannot be had; by default the
 *	                          program ends there
 *	RSEQBENCH_POOLS_LIMIT     bytes that one list of one CPU may hold; POOLS_LIMIT if it is not set
 *	RSEQBENCH_POOLS_STATS     a file descriptor's number, or a file to which a line is added, when
 *	                          the program exits
 */
#ifndef POOLS_H
#define POOLS_H

#define POOLS_LIMIT 65536

/* The names are those of the line that is written at exit. */
#define POOLS_STATS(X)                                                                             \
	X(allocations) /* objects handed out, by whatever way */                                   \
	X(frees) /* objects taken back: allocations minus frees is what lives */                   \
	X(hits) /* allocations that found an object on this CPU's list */                          \
	X(kept) /* frees that put the object on it */                                              \
	X(refills) /* times that a list was empty and jemalloc was asked for a batch */            \
	X(refilled) /* objects that came so, beyond the one handed out */                          \
	X(spills) /* times that a list was full and a batch went back to jemalloc */               \
	X(spilled) /* objects that went so, beyond the one freed */                                \
	X(trimmed) /* objects that malloc_trim() gave back */                                      \
	X(untrimmed) /* times that it could not empty the lists of a CPU */                        \
	X(foreign) /* frees and reallocations of memory that is the C library's own */             \
	X(aborts) /* sequences that Linux made start again */                                      \
	X(cached) /* objects on all lists now */                                                   \
	X(cached_bytes) /* their bytes */                                                          \
	X(peak_bytes) /* the highest of each list, added up: at least what was cached at once */   \
	X(bound_bytes) /* what all lists together may hold */

struct pools_stats {
#define POOLS_STATS_FIELD(name) unsigned long name;
	POOLS_STATS(POOLS_STATS_FIELD)
#undef POOLS_STATS_FIELD
};

/* Exact when no other thread allocates meanwhile. To be found with dlsym(). */
void rseqbench_pools_stats(struct pools_stats *stats);
/* The method in use: "rseq", "lsl_lock", "vdso_lock", "off". */
const char *rseqbench_pools_method(void);

#endif
