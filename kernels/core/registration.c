// SPDX-License-Identifier: MIT
#include "registration.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq_arch.h"

#ifndef SYS_rseq
#error "this C library's headers do not know the rseq system call (Linux 4.18); install newer ones"
#endif
#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN 28
#endif

/*
 * glibc 2.35 and newer; absent before. The offset is valid even when nothing is registered: only
 * the size tells.
 */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static enum registration mode;
static char missing[128] = "rseq: registration not settled yet";
static unsigned int length; /* of what is registered */
static __thread struct rseq *own __attribute__((tls_model("initial-exec")));

static long sys_rseq(struct rseq *area, unsigned int size, int flags)
{
	return syscall(SYS_rseq, area, size, flags, RSEQ_SIG) ? errno : 0;
}

unsigned int registration_libc_size(void)
{
	return &__rseq_size ? __rseq_size : 0;
}

unsigned int registration_feature_size(void)
{
	return getauxval(AT_RSEQ_FEATURE_SIZE);
}

/* The length that the running Linux advertises, at least the original one, in whole alignments. */
static unsigned int advertised_length(void)
{
	unsigned int size = registration_feature_size();
	unsigned int align = getauxval(AT_RSEQ_ALIGN);

	if (align < RSEQ_ORIGINAL_SIZE)
		align = RSEQ_ORIGINAL_SIZE;
	if (size < RSEQ_ORIGINAL_SIZE)
		return RSEQ_ORIGINAL_SIZE;
	return (size + align - 1) / align * align;
}

static struct rseq *libc_area(void)
{
	return (struct rseq *)((char *)arch_thread_pointer() + __rseq_offset);
}

static const char *refuse(const char *what, int error)
{
	const char *why = error == ENOSYS
				  ? "ENOSYS: Linux without CONFIG_RSEQ, or an emulator without it"
			  : error == EPERM ? "EPERM: refused, by seccomp perhaps"
					   : strerror(error);

	snprintf(missing, sizeof(missing), "%s: %s", what, why);
	return missing;
}

/* Ask Linux without changing anything: a NULL area is EINVAL where rseq exists. */
static int probe(void)
{
	int error = sys_rseq(NULL, 0, 0);

	return error == EINVAL ? 0 : error;
}

static const char *start_libc(void)
{
	if (!registration_libc_size()) {
		int error = probe();

		if (error)
			return refuse("rseq", error);
		snprintf(missing, sizeof(missing),
			 "rseq: this C library does not register it, or is told not to");
		return missing;
	}
	mode = REGISTRATION_LIBC;
	/* Up to 2.40, glibc says how much of the area is useful, not how much is registered. */
	length = registration_libc_size() <= RSEQ_ORIGINAL_SIZE ? RSEQ_ORIGINAL_SIZE
								: registration_libc_size();
	return NULL;
}

static const char *start_self(void)
{
	int error;

	if (registration_libc_size()) {
		snprintf(
			missing, sizeof(missing),
			"rseq: the C library owns the registration (GLIBC_TUNABLES=glibc.pthread.rseq=0 frees it)");
		return missing;
	}
	error = probe();
	if (error)
		return refuse("rseq", error);
	mode = REGISTRATION_SELF;
	length = advertised_length();
	if (!registration_enter()) {
		mode = REGISTRATION_NONE;
		length = 0;
		return refuse("rseq: registering an area", errno);
	}
	return NULL;
}

/*
 * The same, only where Linux asks for more than the original area, and so knows a mode for such a
 * registration.
 */
static const char *start_full(void)
{
	if (advertised_length() > RSEQ_ORIGINAL_SIZE)
		return start_self();
	snprintf(
		missing, sizeof(missing),
		"rseq: this Linux asks for %u bytes, so the original %d are the full length: needs Linux 6.19 or newer",
		registration_feature_size(), RSEQ_ORIGINAL_SIZE);
	return missing;
}

const char *registration_start(const char *wanted)
{
	const char *refused;
	int error;

	mode = REGISTRATION_NONE;
	if (!strcmp(wanted, "none")) {
		if (registration_libc_size())
			return "rseq: the C library registered it, so this process cannot be without";
		error = probe(); /* whether there is any to do without */
		if (error)
			refuse("rseq", error);
		else
			snprintf(missing, sizeof(missing),
				 "rseq: not registered in this process, as asked");
		return NULL;
	}
	if (!strcmp(wanted, "glibc"))
		return start_libc();
	if (!strcmp(wanted, "self"))
		return start_self();
	if (!strcmp(wanted, "full"))
		return start_full();
	if (strcmp(wanted, "auto"))
		return "registration must be auto, glibc, self, full or none";
	refused = registration_libc_size() ? start_libc() : start_self();
	(void)refused; /* none is an answer too; `missing` says why */
	return NULL;
}

enum registration registration_mode(void)
{
	return mode;
}

const char *registration_missing(void)
{
	return mode == REGISTRATION_NONE ? missing : NULL;
}

unsigned int registration_length(void)
{
	return length;
}

struct rseq *registration_enter(void)
{
	int error;

	if (mode == REGISTRATION_LIBC)
		return libc_area();
	if (mode != REGISTRATION_SELF)
		return NULL;
	if (own)
		return own;
	own = aligned_alloc(length < 128 ? 128 : length, length < 128 ? 128 : length);
	if (!own)
		return NULL;
	memset(own, 0, length);
	own->cpu_id = RSEQ_CPU_ID_UNINITIALIZED;
	error = sys_rseq(own, length, 0);
	if (error) {
		free(own);
		own = NULL;
		errno = error;
	}
	return own;
}

const char *registration_enter_thread(struct thread *thread)
{
	thread->area = registration_enter();
	if (thread->area || mode == REGISTRATION_NONE)
		return NULL;
	return "cannot register the rseq area of a thread";
}

void registration_leave(void)
{
	if (mode != REGISTRATION_SELF || !own)
		return;
	if (own->cpu_id != (uint32_t)RSEQ_CPU_ID_UNINITIALIZED)
		sys_rseq(own, length, RSEQ_FLAG_UNREGISTER);
	free(own);
	own = NULL;
}

int registration_suspend(struct rseq *area)
{
	return sys_rseq(area, length, RSEQ_FLAG_UNREGISTER);
}

int registration_resume(struct rseq *area)
{
	return sys_rseq(area, length, 0);
}
