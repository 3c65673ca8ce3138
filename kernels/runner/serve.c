// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "answer.h"
#include "child.h"
#include "request.h"

/* What was read and not yet served. */
struct input {
	int fd;
	char buffer[MAX_LINE];
	size_t length, served;
	bool too_long; /* the rest of a line that did not fit is being skipped */
};

/*
 * Read more; false at the end. A line that fills the whole buffer is thrown away, and remembered.
 */
static bool refill(struct input *input)
{
	ssize_t got;

	memmove(input->buffer, input->buffer + input->served, input->length - input->served);
	input->length -= input->served;
	input->served = 0;
	if (input->length == sizeof(input->buffer)) {
		input->too_long = true;
		input->length = 0;
	}
	do {
		/* it may be a non-blocking one */
		poll(&(struct pollfd){ .fd = input->fd, .events = POLLIN }, 1, -1);
		got = read(input->fd, input->buffer + input->length,
			   sizeof(input->buffer) - input->length);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got > 0)
		input->length += (size_t)got;
	return got > 0;
}

/*
 * The next line as a string of `length` bytes, without its newline; NULL at the end, where a cut
 * line is no line.
 */
static char *next_line(struct input *input, size_t *length)
{
	for (;;) {
		char *begin = input->buffer + input->served;
		char *end = memchr(begin, '\n', input->length - input->served);

		if (end) {
			input->served += (size_t)(end - begin) + 1;
			*length = (size_t)(end - begin);
			if (*length && end[-1] == '\r') /* a terminal may add it */
				--*length;
			begin[*length] = '\0';
			return begin;
		}
		if (!refill(input))
			return NULL;
	}
}

static bool is_printable(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

/* Cut a line into words, NULL at the end; returns how many, at most one too many. */
static unsigned int split(char *line, char *words[MAX_WORDS + 5])
{
	unsigned int count = 0;
	char *word;

	while (count < MAX_WORDS + 4 && (word = strsep(&line, " ")))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

/* What the host asks for that is answered here, not by a child. */
static bool is_quit(const struct request *request)
{
	return !strcmp(request->verb, "quit") && !request->count;
}

/* Serve one line; false when that was the last, because it says so or nobody reads the answer. */
static bool serve_line(char *line, size_t length, bool too_long, int out)
{
	char *words[MAX_WORDS + 5];
	struct request request = { .number = "0" };
	struct answer reply = { 0 }, answer = { 0 };
	bool quit = false, served = true;

	if (too_long)
		answer_fail(&answer, "a request of more than %d bytes", MAX_LINE - 1);
	else if (!is_printable(line, length))
		answer_fail(&answer, "a request must be printable ASCII");
	else if (!request_parse(&request, words, split(line, words)))
		answer_fail(&answer, "%s", request.wrong);
	else if (is_quit(&request))
		quit = true;
	else
		served = child_do(&request, words, out, &reply, &answer);
	if (quit)
		answer_put(&answer, "null");
	if (served && answer.length)
		served = answer_send(&answer, request.number, out);
	else if (served)
		served = write_all(out, reply.text, reply.length);
	free(reply.text);
	free(answer.text);
	return served && !quit;
}

int serve(int in, int out)
{
	static struct input input;
	bool more = true;
	size_t length;
	char *line;

	signal(SIGINT, SIG_IGN); /* the terminal's Ctrl-C reaches us too; the host decides */
	signal(SIGPIPE, SIG_IGN);
	input = (struct input){ .fd = in };
	while (more && (line = next_line(&input, &length))) {
		bool too_long = input.too_long;

		input.too_long = false;
		if (length || too_long)
			more = serve_line(line, length, too_long, out);
	}
	return 0;
}

static bool greet(int out)
{
	struct answer answer = { 0 };
	bool sent;

	answer_string(&answer, "ready");
	sent = answer_send(&answer, "0", out);
	free(answer.text);
	return sent;
}

int serve_device(const char *path, bool greets)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY), code = 0;
	struct termios before, raw;
	bool terminal;

	if (fd < 0) {
		fprintf(stderr, "rseqbench runner: %s: %s\n", path, strerror(errno));
		return 1;
	}
	terminal = !tcgetattr(fd, &before);
	if (terminal) {
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	if (!greets || greet(fd))
		code = serve(fd, fd);
	if (terminal)
		tcsetattr(fd, TCSADRAIN, &before);
	close(fd);
	return code;
}
