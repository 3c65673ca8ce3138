/* SPDX-License-Identifier: MIT */
/*
 * JSON, written to a stream as it comes. Every value has the key that it is known by in the object
 * around it; the key is NULL in an array, and for the whole text.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* @comma: the next value follows another one */
struct json {
	FILE *out;
	bool comma;
};

/* `bracket` is { or [, and } or ]. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

void json_bool(struct json *json, const char *key, bool value);
void json_integer(struct json *json, const char *key, uint64_t value);
void json_integers(struct json *json, const char *key, const uint64_t *values, size_t count);
/* A finite number, with at most `digits` significant digits. */
void json_number(struct json *json, const char *key, double value, int digits);
/* NULL is empty; a byte that is not ASCII becomes a lone surrogate, as Python keeps such. */
void json_string(struct json *json, const char *key, const char *value);
/* A string that holds bytes in base64. */
void json_base64(struct json *json, const char *key, const void *bytes, size_t length);

#endif
