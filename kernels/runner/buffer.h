/* SPDX-License-Identifier: MIT */
/*
 * Bytes in memory, written as a stream. Out of memory ends the process, whose parent says so.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>
#include <stdio.h>

/* @bytes, @length: what was written, as of buffer_flush() */
struct buffer {
	FILE *out;
	char *bytes;
	size_t length;
};

void buffer_open(struct buffer *buffer);
void buffer_flush(struct buffer *buffer);
void buffer_close(struct buffer *buffer);

#endif
