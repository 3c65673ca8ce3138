/* SPDX-License-Identifier: MIT */
/* How the process ends where it cannot go on. */
#ifndef SAY_H
#define SAY_H

enum {
	MISUSE = 2,
	WRONG_BLOCK = 3,
	NO_MEMORY = 4,
	LOST = 5
};

/*
 * Say why on stderr, in one line and without allocating, and end with `code`; nothing is printed of
 * what was timed.
 */
_Noreturn void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
