/* SPDX-License-Identifier: MIT */
/*
 * The answer to a request: JSON, and the line that it becomes.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>

#include "buffer.h"
#include "json.h"

/*
 * @json: writes into `text`
 * @failed: the text is a JSON string that says why
 */
struct answer {
	struct json json;
	struct buffer text;
	bool failed;
};

void answer_open(struct answer *answer);
void answer_close(struct answer *answer);
/* Make the answer an error, whatever it was before. */
void answer_fail(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Write the answer to request `number` as one line; false when nobody reads it. */
bool answer_send(struct answer *answer, const char *number, int fd);
/* Write all bytes; false when nobody reads them. */
bool write_all(int fd, const void *bytes, size_t length);

#endif
