// SPDX-License-Identifier: MIT
/* read and glob: what the facts about a machine are taken from. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verbs.h"

#define MAX_FILE (1 << 20)
#define MAX_MATCHES 4096

/* Read a whole file, whatever size it claims to have, and return why that failed. */
static const char *read_file(int fd, FILE *content)
{
	static char block[65536];
	struct stat status;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status))
		return strerror(errno);
	if (S_ISDIR(status.st_mode))
		return strerror(EISDIR);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	while ((got = read(fd, block, sizeof(block))) > 0) {
		fwrite(block, 1, (size_t)got, content);
		if (ftell(content) > MAX_FILE)
			return "larger than 1 MiB";
	}
	return got < 0 ? strerror(errno) : NULL;
}

void verb_read(struct request *request, struct answer *answer)
{
	const char *path = request_text(request, "path"), *error;
	struct buffer content;
	int fd;

	if (refuses(request, answer))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	buffer_open(&content);
	error = read_file(fd, content.out);
	buffer_flush(&content);
	if (fd >= 0)
		close(fd);
	if (error)
		answer_fail(answer, "%s: %s", path, error);
	else
		json_base64(&answer->json, NULL, content.bytes, content.length);
	buffer_close(&content);
}

struct matches {
	struct json *json;
	unsigned int count;
	bool too_many;
};

static void add_match(struct matches *matches, const char *path)
{
	matches->too_many |= matches->count++ == MAX_MATCHES;
	if (!matches->too_many)
		json_string(matches->json, NULL, path);
}

static void expand_pattern(struct matches *matches, const char *done, const char *rest);

/* Go on below `done`/`name`, with what follows this component of the pattern. */
static void match_below(struct matches *matches, const char *done, const char *name,
			const char *rest)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%s", done, name);

	/* No file has a longer name. */
	if (length < 0 || (size_t)length >= sizeof(path))
		return;
	if (*rest)
		expand_pattern(matches, path, rest);
	else if (!faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
		add_match(matches, path);
}

/*
 * The C library's own glob() knows ~user and so wants all of its name service, which a static
 * program must not have.
 */
static void expand_pattern(struct matches *matches, const char *done, const char *rest)
{
	char component[NAME_MAX + 1];
	struct dirent **entries;
	size_t length;
	int count;

	rest += strspn(rest, "/");
	length = strcspn(rest, "/");
	if (length > NAME_MAX)
		return;
	memcpy(component, rest, length);
	component[length] = '\0';
	rest += length;
	if (!strpbrk(component, "*?[\\")) {
		match_below(matches, done, component, rest);
		return;
	}
	count = scandir(*done ? done : "/", &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (!matches->too_many && !fnmatch(component, entries[i]->d_name, FNM_PERIOD))
			match_below(matches, done, entries[i]->d_name, rest);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

void verb_glob(struct request *request, struct answer *answer)
{
	const char *pattern = request_text(request, "pattern");
	struct matches matches = { .json = &answer->json };

	if (refuses(request, answer))
		return;
	if (*pattern != '/') {
		answer_fail(answer, "pattern: must begin with /");
		return;
	}
	json_open(&answer->json, NULL, '[');
	expand_pattern(&matches, "", pattern);
	json_close(&answer->json, ']');
	if (matches.too_many)
		answer_fail(answer, "%s: more than %d files", pattern, MAX_MATCHES);
}
