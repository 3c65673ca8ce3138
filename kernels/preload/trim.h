/* SPDX-License-Identifier: MIT */
/* Memory given back: from the lists to jemalloc, and from there to Linux. */
#ifndef TRIM_H
#define TRIM_H

#include <stdbool.h>

#include "classes.h"

/* Objects that came off the lists so. */
extern unsigned long trimmed_objects[POOL_CLASSES] __attribute__((visibility("hidden")));
/*
 * Times that those of a CPU could not be emptied: no membarrier(2) for rseq, or it never hit a
 * quiet moment.
 */
extern unsigned long untrimmed_cpus __attribute__((visibility("hidden")));

/* Empty the lists of all CPUs, whoever runs there. Returns whether a list held anything. */
bool trim_lists(void);
/* No thread may be in the middle of trim() when the process forks. */
void trim_lock(void);
void trim_unlock(void);

#endif
