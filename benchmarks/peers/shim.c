// SPDX-License-Identifier: MIT
#include "shim.h"

#include <stdbool.h>
#include <string.h>

#include "benchmark.h"
#include "registration.h"
#include "registry.h"

static const struct benchmark *open_benchmark;
static struct thread self;

static const struct benchmark *find(const char *name)
{
	for (unsigned int i = 0; i < registry_count(); i++)
		if (!strcmp(registry_get(i)->name, name))
			return registry_get(i);
	return NULL;
}

const char *shim_open(const char *name)
{
	static bool started;
	const struct setup setup = { .threads = 1, .loops = 1 };
	const char *refused = started ? NULL : registration_start("auto");

	started = true;
	open_benchmark = find(name);
	if (refused || !open_benchmark)
		return refused ? refused : "no such benchmark";
	refused = registry_unavailable(open_benchmark);
	if (refused)
		return refused;
	memset(&self, 0, sizeof(self));
	self.area = registration_enter();
	return open_benchmark->setup && open_benchmark->setup(&setup)
		       ? "cannot set up the benchmark"
		       : NULL;
}

void shim_run(unsigned long operations)
{
	open_benchmark->run(&self, operations);
}

void shim_close(void)
{
	if (open_benchmark->teardown)
		open_benchmark->teardown();
}
