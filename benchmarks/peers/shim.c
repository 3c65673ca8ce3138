// SPDX-License-Identifier: MIT
#include "shim.h"

#include <stdbool.h>
#include <string.h>

#include "kernel.h"
#include "registration.h"
#include "registry.h"

static const struct kernel *open_kernel;
static struct thread self;

static const struct kernel *find(const char *name)
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
	open_kernel = find(name);
	if (refused || !open_kernel)
		return refused ? refused : "no such kernel";
	refused = registry_unavailable(open_kernel);
	if (refused)
		return refused;
	memset(&self, 0, sizeof(self));
	self.area = registration_enter();
	return open_kernel->setup && open_kernel->setup(&setup) ? "cannot set up the kernel" : NULL;
}

void shim_run(unsigned long operations)
{
	open_kernel->run(&self, operations);
}

void shim_close(void)
{
	if (open_kernel->teardown)
		open_kernel->teardown();
}
