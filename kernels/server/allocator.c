// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "allocator.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

/* glibc 2.35 and newer. */
extern const unsigned int __rseq_size __attribute__((weak));

static const char *file_of(void *function)
{
	Dl_info info;
	const char *slash;

	if (!function || !dladdr(function, &info) || !info.dli_fname)
		return "";
	slash = strrchr(info.dli_fname, '/');
	return slash ? slash + 1 : info.dli_fname;
}

static const char *mallctl_text(const char *name)
{
	int (*ask)(const char *, void *, size_t *, void *, size_t) =
		(int (*)(const char *, void *, size_t *, void *, size_t))dlsym(RTLD_DEFAULT, "mallctl");
	const char *text = "";
	size_t size = sizeof(text);

	if (!ask || ask(name, &text, &size, NULL, 0))
		return "";
	return text;
}

struct allocator allocator_found(void)
{
	const char *(*pools)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "rseqbench_pools_method");

	return (struct allocator){
		.library = file_of(dlsym(RTLD_DEFAULT, "malloc")),
		.jemalloc = mallctl_text("version"),
		.percpu_arena = mallctl_text("opt.percpu_arena"),
		.pools = pools ? pools() : "",
		.rseq = &__rseq_size && __rseq_size,
	};
}

unsigned long allocator_peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (unsigned long)usage.ru_maxrss * 1024;
}
