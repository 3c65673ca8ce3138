// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request.h"

#define OUT_OF_MEMORY 3 /* exit code */
#define CRC_POLYNOMIAL 0xedb88320u /* of zlib's CRC-32, reflected */

static void reserve(struct answer *answer, size_t more)
{
	size_t room = answer->room ? answer->room : 256;

	while (room - answer->length <= more)
		room *= 2;
	if (room == answer->room)
		return;
	answer->room = room;
	answer->text = realloc(answer->text, room);
	if (!answer->text) {
		fprintf(stderr, "out of memory for an answer of %zu bytes\n", room);
		_exit(OUT_OF_MEMORY);
	}
}

void answer_bytes(struct answer *answer, const void *bytes, size_t length)
{
	reserve(answer, length);
	memcpy(answer->text + answer->length, bytes, length);
	answer->length += length;
	answer->text[answer->length] = '\0';
}

static void put(struct answer *answer, const char *format, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	reserve(answer, (size_t)length);
	vsnprintf(answer->text + answer->length, (size_t)length + 1, format, arguments);
	answer->length += (size_t)length;
}

void answer_put(struct answer *answer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put(answer, format, arguments);
	va_end(arguments);
}

void answer_string(struct answer *answer, const char *text)
{
	answer_put(answer, "\"");
	for (; text && *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= 0x80)
			answer_put(answer, "\\udc%02x", byte);
		else if (byte < 0x20 || byte == 0x7f)
			answer_put(answer, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			answer_put(answer, "\\%c", byte);
		else
			answer_bytes(answer, text, 1);
	}
	answer_put(answer, "\"");
}

void answer_base64(struct answer *answer, const void *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = bytes;

	answer_put(answer, "\"");
	for (; length; from += 3, length -= length < 3 ? length : 3) {
		uint32_t group = (uint32_t)from[0] << 16;
		char four[4];

		if (length > 1)
			group |= (uint32_t)from[1] << 8;
		if (length > 2)
			group |= from[2];
		for (int i = 0; i < 4; i++)
			four[i] = (size_t)i <= length ? digits[group >> (18 - 6 * i) & 63] : '=';
		answer_bytes(answer, four, sizeof(four));
	}
	answer_put(answer, "\"");
}

void answer_fail(struct answer *answer, const char *format, ...)
{
	struct answer reason = { 0 };
	va_list arguments;

	va_start(arguments, format);
	put(&reason, format, arguments);
	va_end(arguments);
	answer->failed = true;
	answer->length = 0;
	answer_string(answer, reason.text);
	free(reason.text);
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
			/* others may have made it so */
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

bool answer_send(const struct answer *answer, const char *number, int fd)
{
	const char *status = answer->failed ? "error" : "ok";
	struct answer line = { 0 };
	uint32_t crc = ~0u;
	bool sent;

	answer_put(&line, "%s %s ", number, status);
	crc = crc_add(crc, line.text, line.length);
	crc = ~crc_add(crc, answer->text, answer->length);
	line.length = 0;
	answer_put(&line, PROTOCOL " %s %s %08x ", number, status, (unsigned int)crc);
	answer_bytes(&line, answer->text, answer->length);
	answer_bytes(&line, "\n", 1);
	sent = write_all(fd, line.text, line.length);
	free(line.text);
	return sent;
}
