/* SPDX-License-Identifier: MIT */
#ifndef EXIT_CODES_H
#define EXIT_CODES_H

/* How the server ends where it cannot go on; nothing is printed of what was timed. */
enum exit_code {
	EXIT_MISUSE = 2,
	EXIT_WRONG_BLOCK = 3,
	EXIT_NO_MEMORY = 4,
	EXIT_LOST = 5
};

#endif
