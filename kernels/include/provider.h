/* SPDX-License-Identifier: MIT */
/*
 * A shipped library by way of a provider: a shared object that is compiled against it and loaded in
 * the process that measures it, where the environment names it. So nothing else here is linked with
 * it, or shares a process with it.
 */
#ifndef PROVIDER_H
#define PROVIDER_H

#include <stdlib.h>

/* Only a program with a dynamic loader can load one. */
#ifdef STATIC
static inline const void *provider_open(const char *variable, const char *symbol)
{
	(void)variable;
	(void)symbol;
	return NULL;
}
#else
#include <dlfcn.h>

/*
 * The symbol of the provider that the environment names by `variable`; NULL with dlerror() where
 * there is none.
 */
static inline const void *provider_open(const char *variable, const char *symbol)
{
	const char *path = getenv(variable);
	void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

	return library ? dlsym(library, symbol) : NULL;
}
#endif

/* Why its benchmarks cannot run in this process; NULL when it is named. */
static inline const char *provider_missing(const char *variable)
{
	return getenv(variable) ? NULL
				: "the shipped library is measured natively, where it is asked for";
}

#endif
