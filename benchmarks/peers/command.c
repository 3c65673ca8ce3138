// SPDX-License-Identifier: MIT
/*
 * `command BENCHMARK OPERATIONS`: a whole program that does one thing that many times, for
 * hyperfine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shim.h"

int main(int argc, char **argv)
{
	const char *refused = argc == 3 ? shim_open(argv[1])
					: "usage: command BENCHMARK OPERATIONS";

	if (refused) {
		fprintf(stderr, "%s\n", refused);
		return 1;
	}
	shim_run(strtoul(argv[2], NULL, 10));
	shim_close();
	return 0;
}
