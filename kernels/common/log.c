// SPDX-License-Identifier: MIT
#include "log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool log_to(int fd, const char *format, va_list arguments)
{
	char text[512];
	size_t length = strlen(log_prefix);

	memcpy(text, log_prefix, length);
	vsnprintf(text + length, sizeof(text) - length - 1, format, arguments);
	length = strlen(text);
	text[length++] = '\n';
	return write(fd, text, length) == (ssize_t)length;
}

void log_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_to(STDERR_FILENO, format, arguments);
	va_end(arguments);
}

_Noreturn void die(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_to(STDERR_FILENO, format, arguments);
	va_end(arguments);
	_exit(code);
}
