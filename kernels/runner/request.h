/* SPDX-License-Identifier: MIT */
/*
 * A request of the protocol, taken apart: its number, its verb and its keys. docs/protocol.md
 * describes it.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL "rseqbench/1"
/* Of a request, its newline included. */
#define MAX_LINE 65536
#define MAX_WORDS 32
#define MAX_LIST 1024 /* values of one key */

struct pair {
	const char *key; /* up to its equals sign */
	size_t key_length;
	char *value;
	bool used; /* somebody asked for it */
};

struct request {
	const char *number; /* "0" for a request whose number cannot be read */
	const char *verb;
	struct pair pairs[MAX_WORDS];
	unsigned int count;
	/* who is to register rseq: a key of all verbs, which verb_do() reads */
	const char *registration;
	char wrong[256]; /* the first thing that is wrong with it, or empty */
};

/* Take apart the words of a request, which it keeps. False, with `wrong` set, when it is none. */
bool request_parse(struct request *request, char **words, unsigned int count);

/*
 * The values of keys, decoded in place, so each can be asked for once. A key that is missing or
 * malformed is noted in `wrong` and reads as the least there is, so that a verb may read all its
 * keys first and then ask request_refused() once.
 */
const char *request_text(struct request *request, const char *key);
uint64_t request_integer(struct request *request, const char *key, uint64_t least, uint64_t most);
/* The items of a comma list, percent-decoded, at most MAX_LIST; returns how many. */
unsigned int request_texts(struct request *request, const char *key, const char *items[MAX_LIST]);
unsigned int request_integers(struct request *request, const char *key, uint64_t least,
			      uint64_t most, uint64_t items[MAX_LIST]);
/* Note what is wrong, unless something else was before. */
void request_note(struct request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool request_has(const struct request *request, const char *key);

/* Why the request cannot be done, a key that nobody asked for included; NULL if it can. */
const char *request_refused(struct request *request);

#endif
