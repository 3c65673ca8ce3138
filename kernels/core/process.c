// SPDX-License-Identifier: MIT
/*
 * What a host asks of its process before anything runs: who registers rseq, and which benchmarks
 * there are.
 */
#include "host.h"
#include "registration.h"
#include "registry.h"

const char *host_start(const char *registration)
{
	return registration_start(registration);
}

void host_rseq(struct host_rseq *out)
{
	static const char *const names[] = { [REGISTRATION_NONE] = "none",
					     [REGISTRATION_LIBC] = "glibc",
					     [REGISTRATION_SELF] = "self" };

	out->registration = names[registration_mode()];
	out->reason = registration_missing();
	out->libc_size = registration_libc_size();
	out->registered = registration_mode() == REGISTRATION_NONE ? 0 : registration_length();
	out->feature_size = registration_feature_size();
}

unsigned int host_count(void)
{
	return registry_count();
}

const char *host_benchmark(unsigned int number, struct host_benchmark *out)
{
	const struct benchmark *benchmark = registry_get(number);

	if (!benchmark)
		return "no such benchmark";
	*out = (struct host_benchmark){ .name = benchmark->name,
					.doc = benchmark->doc,
					.unavailable = registry_unavailable(benchmark),
					.flags = benchmark->flags };
	return NULL;
}
