/* SPDX-License-Identifier: MIT */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "benchmark.h"

unsigned int registry_count(void);
/* The benchmark of that number, or NULL. */
const struct benchmark *registry_get(unsigned int number);
/* Why a benchmark cannot run in this process, or NULL if it can. */
const char *registry_unavailable(const struct benchmark *benchmark);
/* Set a benchmark up, where it wants that. Returns NULL, or why that failed. */
const char *registry_set_up(const struct benchmark *benchmark, const struct setup *setup);

#endif
