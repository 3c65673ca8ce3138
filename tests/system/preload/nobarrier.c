// SPDX-License-Identifier: MIT
/* A Linux without membarrier(2), as syscall() sees it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>

long syscall(long number, long a, long b, long c, long d, long e, long f);

long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*next)(long, long, long, long, long, long, long);

	if (number == SYS_membarrier) {
		errno = ENOSYS;
		return -1;
	}
	if (!next)
		next = (long (*)(long, long, long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
	return next(number, a, b, c, d, e, f);
}
