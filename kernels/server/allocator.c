// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "allocator.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* glibc 2.35 and newer. */
extern const unsigned int __rseq_size __attribute__((weak));

static const char *file_name_of(void *function)
{
	Dl_info info;
	const char *slash;

	if (!function || !dladdr(function, &info) || !info.dli_fname)
		return "";
	slash = strrchr(info.dli_fname, '/');
	return slash ? slash + 1 : info.dli_fname;
}

static const char *read_mallctl(const char *name)
{
	int (*ask)(const char *, void *, size_t *, void *, size_t) = (int (*)(
		const char *, void *, size_t *, void *, size_t))dlsym(RTLD_DEFAULT, "mallctl");
	const char *text = "";
	size_t size = sizeof(text);

	if (!ask || ask(name, &text, &size, NULL, 0))
		return "";
	return text;
}

struct allocator allocator_identify(void)
{
	const char *(*pools)(void) =
		(const char *(*)(void))dlsym(RTLD_DEFAULT, "rseqbench_pools_method");

	return (struct allocator){
		.library = file_name_of(dlsym(RTLD_DEFAULT, "malloc")),
		.jemalloc = read_mallctl("version"),
		.percpu_arena = read_mallctl("opt.percpu_arena"),
		.pools = pools ? pools() : "",
		.rseq = &__rseq_size && __rseq_size,
	};
}

/* Not getrusage(2): what it says began before exec, as what our parent had. */
unsigned long allocator_peak_bytes(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long peak = 0;
	char line[128];

	if (!status)
		return 0;
	while (!peak && fgets(line, sizeof(line), status))
		sscanf(line, "VmHWM: %lu kB", &peak);
	fclose(status);
	return peak * 1024;
}
