// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "start.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"
#include "pools.h"
#include "registration.h"
#include "say.h"
#include "trim.h"

static void *symbol(void *library, const char *name)
{
	void *found = library ? dlsym(library, name) : NULL;

	if (!found)
		die(1, "start", "no %s: %s", name, dlerror());
	return found;
}

/*
 * Libraries loaded with us may allocate before we start; dlsym() itself does so only when it fails
 * (glibc 2.34).
 */
static void *first_mallocx(size_t size, int flags)
{
	jemalloc.mallocx = (void *(*)(size_t, int))symbol(RTLD_NEXT, "mallocx");
	return jemalloc.mallocx(size, flags);
}

static void *first_rallocx(void *block, size_t size, int flags)
{
	jemalloc.rallocx = (void *(*)(void *, size_t, int))symbol(RTLD_NEXT, "rallocx");
	return jemalloc.rallocx(block, size, flags);
}

static void *first_malloc(size_t size)
{
	return jemalloc.mallocx(size, 0);
}

static void first_free(void *block)
{
	dallocx(block, 0);
}

struct jemalloc jemalloc = { first_malloc, first_free, first_mallocx, first_rallocx };
struct libc libc;
bool started;

static void find_allocators(void)
{
	Dl_info info = { .dli_fname = "libjemalloc.so.2" };
	void *c, *je;

	dladdr((void *)mallctl, &info);
	je = dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	c = dlopen(LIBC_SO, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	jemalloc = (struct jemalloc){ symbol(je, "malloc"), symbol(je, "free"),
				      symbol(je, "mallocx"), symbol(je, "rallocx") };
	libc = (struct libc){ symbol(c, "free"), symbol(c, "realloc"),
			      symbol(c, "malloc_usable_size") };
}

static enum method named(const char *variable, const char *name)
{
	for (unsigned int i = 0; i < METHODS; i++)
		if (!strcmp(name, method_names[i]))
			return i;
	die(2, variable, "\"%s\" is none of rseq, lsl_lock, vdso_lock, off", name);
}

/* Why a method cannot be had here, or NULL. */
static const char *missing(enum method method)
{
	if (method == METHOD_RSEQ) {
		const char *refused = registration_start("auto");

		return refused ? refused : registration_missing();
	}
#ifndef ARCH_HAS_LSL
	if (method == METHOD_LSL_LOCK)
		return "lsl: x86 only";
#endif
#ifndef ARCH_HAS_VDSO_GETCPU
	if (method == METHOD_VDSO_LOCK)
		return NO_VDSO_GETCPU;
#endif
	return NULL;
}

static enum method choose(void)
{
	const char *name = secure_getenv("RSEQBENCH_POOLS"),
		   *other = secure_getenv("RSEQBENCH_POOLS_FALLBACK");
	enum method method = named("RSEQBENCH_POOLS", name ? name : "rseq");
	const char *why = missing(method);

	if (!why)
		return method;
	if (!other)
		die(1, method_names[method],
		    "%s (RSEQBENCH_POOLS_FALLBACK names what to take instead)", why);
	say("%s: %s: %s instead, as RSEQBENCH_POOLS_FALLBACK says", method_names[method], why,
	    other);
	method = named("RSEQBENCH_POOLS_FALLBACK", other);
	why = missing(method);
	if (why)
		die(1, method_names[method], "%s", why);
	return method;
}

static unsigned long limit(void)
{
	const char *text = secure_getenv("RSEQBENCH_POOLS_LIMIT");
	unsigned long bytes;
	char *end;

	if (!text)
		return POOLS_LIMIT;
	errno = 0;
	bytes = strtoul(text, &end, 10);
	if (errno || *end || bytes < 4 * POOL_MAX || bytes > 1ul << 30)
		die(2, "RSEQBENCH_POOLS_LIMIT", "\"%s\" is no number of bytes from %d to 1 GiB",
		    text, 4 * POOL_MAX);
	return bytes;
}

static void forked(void)
{
	lists_forked();
	trim_unlock();
}

/*
 * jemalloc has registered its own before: at a fork ours runs first, so the order is our lock, then
 * jemalloc's.
 */
static __attribute__((constructor)) void start(void)
{
	enum method method;
	int error;

	find_allocators();
	method = choose();
	error = lists_start(method, limit());
	if (!error)
		error = local_start();
	if (!error)
		error = pthread_atfork(trim_lock, trim_unlock, forked);
	if (error)
		die(1, "start", "%s", strerror(error));
	ways_start(method);
	__atomic_store_n(&started, true, __ATOMIC_RELEASE);
}
