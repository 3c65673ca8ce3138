// SPDX-License-Identifier: MIT
#include "json.h"

#include <inttypes.h>

static void put_key(struct json *json, const char *key)
{
	if (json->comma)
		putc(',', json->out);
	json->comma = true;
	if (key)
		fprintf(json->out, "\"%s\":", key);
}

void json_open(struct json *json, const char *key, char bracket)
{
	put_key(json, key);
	putc(bracket, json->out);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->out);
	json->comma = true;
}

void json_bool(struct json *json, const char *key, bool value)
{
	put_key(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_integer(struct json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_integers(struct json *json, const char *key, const uint64_t *values, size_t count)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < count; i++)
		json_integer(json, NULL, values[i]);
	json_close(json, ']');
}

void json_number(struct json *json, const char *key, double value, int digits)
{
	put_key(json, key);
	fprintf(json->out, "%.*g", digits, value);
}

void json_string(struct json *json, const char *key, const char *value)
{
	put_key(json, key);
	putc('"', json->out);
	for (; value && *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if (byte >= 0x80)
			fprintf(json->out, "\\udc%02x", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(json->out, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			fprintf(json->out, "\\%c", byte);
		else
			putc(byte, json->out);
	}
	putc('"', json->out);
}

void json_base64(struct json *json, const char *key, const void *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = bytes;

	put_key(json, key);
	putc('"', json->out);
	for (; length; from += 3, length -= length < 3 ? length : 3) {
		uint32_t group = (uint32_t)from[0] << 16;

		if (length > 1)
			group |= (uint32_t)from[1] << 8;
		if (length > 2)
			group |= from[2];
		for (int i = 0; i < 4; i++)
			putc((size_t)i <= length ? digits[group >> (18 - 6 * i) & 63] : '=',
			     json->out);
	}
	putc('"', json->out);
}
