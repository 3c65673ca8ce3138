/* SPDX-License-Identifier: MIT */
/* What is said to people, without stdio's buffers. */
#ifndef SAY_H
#define SAY_H

/*
 * Say on stderr what cannot be, and end the process with that code: 2 for a setting that means
 * nothing, else 1.
 */
_Noreturn void die(int code, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Write to stderr without stdio. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
