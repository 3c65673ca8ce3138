// SPDX-License-Identifier: MIT
#include <stdbool.h>

#include URCU_HEADER

#include "reader.h"

static __thread bool registered;

void reader_begin(void)
{
	if (!registered)
		API(register_thread)();
	registered = true;
	API(thread_online)();
}

void reader_end(void)
{
	API(thread_offline)();
}

void reader_leave(void)
{
	if (registered)
		API(unregister_thread)();
	registered = false;
}
