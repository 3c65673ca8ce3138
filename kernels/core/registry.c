// SPDX-License-Identifier: MIT
#include "registry.h"

#include "registration.h"

/* The linker gathers every KERNEL() here; objects must be linked directly, not out of an archive. */
extern const struct kernel *const __start_kernels[] __attribute__((visibility("hidden")));
extern const struct kernel *const __stop_kernels[] __attribute__((visibility("hidden")));

unsigned int registry_count(void)
{
	return __stop_kernels - __start_kernels;
}

const struct kernel *registry_get(unsigned int number)
{
	return number < registry_count() ? __start_kernels[number] : NULL;
}

const char *registry_unavailable(const struct kernel *kernel)
{
	if (kernel->absent)
		return kernel->absent;
	if (kernel->flags & NEEDS_RSEQ && registration_missing())
		return registration_missing();
	if (kernel->flags & NEEDS_LIBC_RSEQ && !registration_libc_size())
		return registration_missing() ? registration_missing() : "the C library does not use rseq here";
	if (kernel->flags & NEEDS_NO_RSEQ && registration_libc_size())
		return "the C library uses rseq in this process";
	return kernel->unavailable ? kernel->unavailable() : NULL;
}
