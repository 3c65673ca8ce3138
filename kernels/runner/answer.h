/* SPDX-License-Identifier: MIT */
/*
 * The answer to a request: JSON in a buffer that grows, and the line that it becomes.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct answer {
	char *text;
	size_t length, room;
	bool failed; /* the text is a JSON string that says why */
};

/*
 * Append to a buffer that need not be text; out of memory ends the process, whose parent says so.
 */
void answer_bytes(struct answer *answer, const void *bytes, size_t length);
/* Append JSON in the form of printf. */
void answer_put(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Append a JSON string; NULL is an empty one, and a byte that is not ASCII a lone surrogate, as
 * Python keeps such.
 */
void answer_string(struct answer *answer, const char *text);
/* Append a JSON string that holds bytes in base64. */
void answer_base64(struct answer *answer, const void *bytes, size_t length);
/* Make the answer an error, whatever it was before. */
void answer_fail(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Write the answer to request `number` as one line; false when nobody reads it. */
bool answer_send(const struct answer *answer, const char *number, int fd);
/* Write all bytes; false when nobody reads them. */
bool write_all(int fd, const void *bytes, size_t length);

#endif
