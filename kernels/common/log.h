/* SPDX-License-Identifier: MIT */
/*
 * Lines for people, each written by one write(2): no buffer of stdio is involved and nothing is
 * allocated, because the program may be the one that provides malloc().
 */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>
#include <stdbool.h>

/* How every line of this program begins; each program defines it. */
extern const char log_prefix[];

/* Write a line to `fd`; return whether it arrived there as a whole. */
bool log_to(int fd, const char *format, va_list arguments);
/* Write a line to stderr. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Write a line to stderr and end the process with the exit code `code`. */
_Noreturn void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
