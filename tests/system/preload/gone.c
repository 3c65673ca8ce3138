// SPDX-License-Identifier: MIT
/* A library that allocates and is unloaded. */
#include <stdlib.h>

void *make(size_t size);

void *make(size_t size)
{
	return malloc(size);
}
