// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "pools_init.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "paths.h"
#include "pools.h"
#include "registration.h"
#include "trim.h"

/* Exit code 2 is a setting that means nothing; all else that ends the program is 1. */
const char log_prefix[] = "rseqbench pools: ";

static void *find_symbol(void *library, const char *name)
{
	void *address = library ? dlsym(library, name) : NULL;

	if (!address)
		die(1, "start: no %s: %s", name, dlerror());
	return address;
}

/*
 * Libraries loaded with us may allocate before we start; dlsym() itself does so only when it fails
 * (glibc 2.34).
 */
static void *early_mallocx(size_t size, int flags)
{
	jemalloc.mallocx = (void *(*)(size_t, int))find_symbol(RTLD_NEXT, "mallocx");
	return jemalloc.mallocx(size, flags);
}

static void *early_rallocx(void *block, size_t size, int flags)
{
	jemalloc.rallocx = (void *(*)(void *, size_t, int))find_symbol(RTLD_NEXT, "rallocx");
	return jemalloc.rallocx(block, size, flags);
}

static void *early_malloc(size_t size)
{
	return jemalloc.mallocx(size, 0);
}

static void early_free(void *block)
{
	dallocx(block, 0);
}

struct jemalloc jemalloc = { early_malloc, early_free, early_mallocx, early_rallocx };
struct libc libc;
bool pools_ready;

static void find_allocators(void)
{
	Dl_info info = { .dli_fname = "libjemalloc.so.2" };
	void *c, *je;

	dladdr((void *)mallctl, &info);
	je = dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	c = dlopen(LIBC_SO, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	jemalloc = (struct jemalloc){ find_symbol(je, "malloc"), find_symbol(je, "free"),
				      find_symbol(je, "mallocx"), find_symbol(je, "rallocx") };
	libc = (struct libc){ find_symbol(c, "free"), find_symbol(c, "realloc"),
			      find_symbol(c, "malloc_usable_size") };
}

static enum method parse_method(const char *variable, const char *name)
{
	for (unsigned int i = 0; i < METHODS; i++)
		if (!strcmp(name, method_names[i]))
			return i;
	die(2, "%s: \"%s\" is none of rseq, lsl_lock, vdso_lock, off", variable, name);
}

/* Why a method cannot be had here, or NULL. */
static const char *method_missing(enum method method)
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

static enum method choose_method(void)
{
	const char *name = secure_getenv("RSEQBENCH_POOLS"),
		   *other = secure_getenv("RSEQBENCH_POOLS_FALLBACK");
	enum method method = parse_method("RSEQBENCH_POOLS", name ? name : "rseq");
	const char *why = method_missing(method);

	if (!why)
		return method;
	if (!other)
		die(1, "%s: %s (RSEQBENCH_POOLS_FALLBACK names what to take instead)",
		    method_names[method], why);
	log_line("%s: %s: %s instead, as RSEQBENCH_POOLS_FALLBACK says", method_names[method], why,
		 other);
	method = parse_method("RSEQBENCH_POOLS_FALLBACK", other);
	why = method_missing(method);
	if (why)
		die(1, "%s: %s", method_names[method], why);
	return method;
}

static unsigned long parse_limit(void)
{
	const char *text = secure_getenv("RSEQBENCH_POOLS_LIMIT");
	unsigned long bytes;
	char *end;

	if (!text)
		return POOLS_LIMIT;
	errno = 0;
	bytes = strtoul(text, &end, 10);
	if (errno || *end || bytes < 4 * POOL_MAX || bytes > 1ul << 30)
		die(2, "RSEQBENCH_POOLS_LIMIT: \"%s\" is no number of bytes from %d to 1 GiB", text,
		    4 * POOL_MAX);
	return bytes;
}

static void after_fork_in_child(void)
{
	lists_forked();
	trim_unlock();
}

/*
 * jemalloc has registered its own before: at a fork ours runs first, so the order is our lock, then
 * jemalloc's.
 */
static __attribute__((constructor)) void pools_init(void)
{
	enum method method;
	int error;

	find_allocators();
	method = choose_method();
	error = lists_start(method, parse_limit());
	if (!error)
		error = thread_state_init();
	if (!error)
		error = pthread_atfork(trim_lock, trim_unlock, after_fork_in_child);
	if (error)
		die(1, "start: %s", strerror(error));
	pool_ops_choose(method);
	__atomic_store_n(&pools_ready, true, __ATOMIC_RELEASE);
}
