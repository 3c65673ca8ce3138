// SPDX-License-Identifier: MIT
#include "registry.h"

#include <string.h>

#include "registration.h"

/*
 * The linker gathers every BENCHMARK() here; objects must be linked directly, not out of an
 * archive.
 */
extern const struct benchmark *const __start_benchmarks[] __attribute__((visibility("hidden")));
extern const struct benchmark *const __stop_benchmarks[] __attribute__((visibility("hidden")));

unsigned int registry_count(void)
{
	return __stop_benchmarks - __start_benchmarks;
}

const struct benchmark *registry_get(unsigned int number)
{
	return number < registry_count() ? __start_benchmarks[number] : NULL;
}

const char *registry_unavailable(const struct benchmark *benchmark)
{
	if (benchmark->absent)
		return benchmark->absent;
	if (benchmark->flags & NEEDS_RSEQ && registration_missing())
		return registration_missing();
	if (benchmark->flags & NEEDS_LIBC_RSEQ && !registration_libc_size())
		return registration_missing() ? registration_missing()
					      : "the C library does not use rseq here";
	if (benchmark->flags & NEEDS_NO_RSEQ && registration_libc_size())
		return "the C library uses rseq in this process";
	return benchmark->unavailable ? benchmark->unavailable() : NULL;
}

const char *registry_set_up(const struct benchmark *benchmark, const struct setup *setup)
{
	int error = benchmark->setup ? benchmark->setup(setup) : 0;

	return error ? complain("cannot set up %s: %s", benchmark->name, strerror(error)) : NULL;
}
