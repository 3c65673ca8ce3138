// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "request.h"

/* Of zlib's CRC-32, reflected. */
#define CRC_POLYNOMIAL 0xedb88320u

void answer_open(struct answer *answer)
{
	buffer_open(&answer->text);
	answer->json = (struct json){ .out = answer->text.out };
	answer->failed = false;
}

void answer_close(struct answer *answer)
{
	buffer_close(&answer->text);
}

void answer_fail(struct answer *answer, const char *format, ...)
{
	struct buffer reason;
	va_list arguments;

	buffer_open(&reason);
	va_start(arguments, format);
	vfprintf(reason.out, format, arguments);
	va_end(arguments);
	buffer_flush(&reason);
	answer_close(answer);
	answer_open(answer);
	answer->failed = true;
	json_string(&answer->json, NULL, reason.bytes);
	buffer_close(&reason);
}

static uint32_t crc_add(uint32_t crc, const char *bytes, size_t length)
{
	for (; length; bytes++, length--) {
		crc ^= (unsigned char)*bytes;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
	}
	return crc;
}

bool write_all(int fd, const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length) {
		ssize_t written = write(fd, from, length);

		if (written < 0 && (errno == EINTR || errno == EAGAIN)) {
			/* Others may have made it non-blocking. */
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
			continue;
		}
		if (written <= 0)
			return false;
		from += written;
		length -= (size_t)written;
	}
	return true;
}

bool answer_send(struct answer *answer, const char *number, int fd)
{
	const char *status = answer->failed ? "error" : "ok";
	const struct buffer *text = &answer->text;
	struct buffer line;
	char begin[64];
	uint32_t crc;
	bool sent;

	buffer_flush(&answer->text);
	crc = crc_add(~0u, begin, (size_t)snprintf(begin, sizeof(begin), "%s %s ", number, status));
	crc = ~crc_add(crc, text->bytes, text->length);
	buffer_open(&line);
	fprintf(line.out, PROTOCOL " %s %s %08x %s\n", number, status, (unsigned int)crc,
		text->bytes);
	buffer_flush(&line);
	sent = write_all(fd, line.bytes, line.length);
	buffer_close(&line);
	return sent;
}
