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
#include "log.h"
#include "request.h"

/* What was read and not yet served. */
struct input {
	int fd;
	char buffer[MAX_LINE];
	size_t length, served;
	/* The rest of a line that did not fit is skipped. */
	bool too_long;
};

/*
 * Read more; false at the end. A line that fills the whole buffer is thrown away, and remembered.
 */
static bool read_more(struct input *input)
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
		if (!read_more(input))
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
static unsigned int split_words(char *line, char *words[MAX_WORDS + 5])
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

/* Answer a request without a child: an error, "null" to quit, or that we are ready. */
static bool reply_here(const char *number, const char *error, const char *value, int out)
{
	struct answer answer;
	bool sent;

	answer_open(&answer);
	if (error)
		answer_fail(&answer, "%s", error);
	else
		fputs(value, answer.json.out);
	sent = answer_send(&answer, number, out);
	answer_close(&answer);
	return sent;
}

/* Serve one line; false when that was the last, because it says so or nobody reads the answer. */
static bool serve_line(char *line, size_t length, bool too_long, int out)
{
	char *words[MAX_WORDS + 5];
	struct request request = { .number = "0" };

	if (too_long)
		request_note(&request, "a request of more than %d bytes", MAX_LINE - 1);
	else if (!is_printable(line, length))
		request_note(&request, "a request must be printable ASCII");
	else
		request_parse(&request, words, split_words(line, words));
	if (request.wrong[0])
		return reply_here(request.number, request.wrong, NULL, out);
	if (!is_quit(&request))
		return child_do(&request, words, out);
	reply_here(request.number, NULL, "null", out);
	return false;
}

int serve_requests(int in, int out)
{
	static struct input input;
	bool more = true;
	size_t length;
	char *line;

	/* The terminal's Ctrl-C reaches us too; the host decides. */
	signal(SIGINT, SIG_IGN);
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

int serve_device(const char *path, bool greets)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY), code = 0;
	struct termios before, raw;
	bool terminal;

	if (fd < 0) {
		log_line("%s: %s", path, strerror(errno));
		return 1;
	}
	terminal = !tcgetattr(fd, &before);
	if (terminal) {
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	if (!greets || reply_here("0", NULL, "\"ready\"", fd))
		code = serve_requests(fd, fd);
	if (terminal)
		tcsetattr(fd, TCSADRAIN, &before);
	close(fd);
	return code;
}
