// SPDX-License-Identifier: MIT
#include "buffer.h"

#include <stdlib.h>
#include <unistd.h>

#define OUT_OF_MEMORY 3

static _Noreturn void give_up(void)
{
	dprintf(STDERR_FILENO, "out of memory for an answer\n");
	_exit(OUT_OF_MEMORY);
}

void buffer_open(struct buffer *buffer)
{
	buffer->out = open_memstream(&buffer->bytes, &buffer->length);
	if (!buffer->out)
		give_up();
}

void buffer_flush(struct buffer *buffer)
{
	if (fflush(buffer->out) || ferror(buffer->out))
		give_up();
}

void buffer_close(struct buffer *buffer)
{
	fclose(buffer->out);
	free(buffer->bytes);
}
