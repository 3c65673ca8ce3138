/* SPDX-License-Identifier: MIT */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "benchmark.h"

unsigned int registry_count(void);
/* The benchmark of that number, or NULL. */
const struct benchmark *registry_get(unsigned int number);
/* Why a benchmark cannot run in this process, or NULL if it can. */
const char *registry_unavailable(const struct benchmark *benchmark);

#endif
