// SPDX-License-Identifier: MIT
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void write_line(int fd, const char *text, int length)
{
	ssize_t written = write(fd, text, length);

	(void)written; /* there is nobody left to tell */
}

static void say_list(const char *before, const char *format, va_list arguments)
{
	char text[400];
	int length = snprintf(text, sizeof(text), "rseqbench pools: %s", before);

	length += vsnprintf(text + length, sizeof(text) - length, format, arguments);
	if (length > (int)sizeof(text) - 2)
		length = sizeof(text) - 2;
	text[length++] = '\n';
	write_line(STDERR_FILENO, text, length);
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_list("", format, arguments);
	va_end(arguments);
}

_Noreturn void die(int code, const char *what, const char *format, ...)
{
	char before[100];
	va_list arguments;

	snprintf(before, sizeof(before), "%s: ", what);
	va_start(arguments, format);
	say_list(before, format, arguments);
	va_end(arguments);
	_exit(code);
}
