/* SPDX-License-Identifier: MIT */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "kernel.h"

unsigned int registry_count(void);
/* The kernel of that number, or NULL. */
const struct kernel *registry_get(unsigned int number);
/* Why a kernel cannot run in this process, or NULL if it can. */
const char *registry_unavailable(const struct kernel *kernel);

#endif
