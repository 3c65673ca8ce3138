// SPDX-License-Identifier: MIT
/* What lies on the lists of a CPU that goes offline is still counted, and malloc_trim() has it back. */
#include "check.h"

#include <fcntl.h>

static void set_online(const char *digit)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);

	CHECK(fd >= 0 && write(fd, digit, 1) == 1);
	close(fd);
}

int main(void)
{
	void *blocks[100];

	pin(1);
	for (unsigned int i = 0; i < 100; i++)
		CHECK((blocks[i] = malloc(1 + i * 10)));
	for (unsigned int i = 0; i < 100; i++)
		free(blocks[i]);
	pin(0);
	CHECK(malloc_trim(0) == 1); /* what this CPU has is gone, what that one has, too */
	pin(1);
	for (unsigned int i = 0; i < 100; i++)
		CHECK((blocks[i] = malloc(1 + i * 10)));
	for (unsigned int i = 0; i < 100; i++)
		free(blocks[i]);
	pin(0);
	set_online("0");
	CHECK(counted().cached >= 100);
	CHECK(malloc_trim(0) == 1);
	CHECK(counted().cached == 0 && counted().untrimmed == 0);
	set_online("1");
	return 0;
}
