// SPDX-License-Identifier: MIT
/* program: runs a program that lies where we are, from outside. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "verbs.h"

#define MAX_OUTPUT (64u << 10) /* of each stream; what is more is read and lost */
#define MAX_LIMIT_MS 86400000
#define NOT_STARTED 127

extern char **environ;

/* One of its streams: our end of the pipe, and what came. */
struct stream {
	int fd;
	struct answer text;
};

/* Become the program, in a session of its own, so that all it starts can be ended with it. */
static void become(char **arguments, const int out[2], const int errors[2], int failure)
{
	int null = open("/dev/null", O_RDONLY), why;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(null, 0) >= 0 && dup2(out[1], 1) >= 0 && dup2(errors[1], 2) >= 0)
		execve(arguments[0], arguments, environ);
	why = errno;
	(void)!write(failure, &why, sizeof(why));
	_exit(NOT_STARTED);
}

/* Read what there is; at the end, close. */
static void drain(struct stream *stream)
{
	char block[4096];
	ssize_t got = read(stream->fd, block, sizeof(block));

	if (got < 0 && errno == EINTR)
		return;
	if (got > 0 && stream->text.length + (size_t)got <= MAX_OUTPUT)
		answer_bytes(&stream->text, block, (size_t)got);
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
	}
}

/* Collect both streams until they end; false when that lasts longer than it may. */
static bool collect(struct stream streams[2], uint64_t until)
{
	while (streams[0].fd >= 0 || streams[1].fd >= 0) {
		struct pollfd watched[2] = { { .fd = streams[0].fd, .events = POLLIN },
					     { .fd = streams[1].fd, .events = POLLIN } };
		uint64_t now = clock_ns();

		if (now >= until)
			return false;
		if (poll(watched, 2, (int)((until - now) / 1000000) + 1) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (watched[i].revents)
				drain(&streams[i]);
	}
	return true;
}

struct ended {
	int status, why; /* errno of what could not be executed, or 0 */
	uint64_t ns;
	bool in_time;
};

/* Run it to its end, or to its limit; false when it could not even be forked. */
static bool run(char **arguments, uint64_t limit_ms, struct stream streams[2], struct ended *ended)
{
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 }, failure[2] = { -1, -1 };
	uint64_t begin;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) || pipe2(errors, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		return false;
	begin = clock_ns();
	pid = fork();
	if (!pid)
		become(arguments, out, errors, failure[1]);
	close(out[1]);
	close(errors[1]);
	close(failure[1]);
	if (pid < 0)
		return false;
	streams[0].fd = out[0];
	streams[1].fd = errors[0];
	ended->in_time = collect(streams, begin + limit_ms * 1000000);
	if (!ended->in_time)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &ended->status, 0) < 0 && errno == EINTR)
		;
	ended->ns = clock_ns() - begin;
	kill(-pid, SIGKILL); /* whatever it left behind */
	if (read(failure[0], &ended->why, sizeof(ended->why)) != sizeof(ended->why))
		ended->why = 0;
	close(failure[0]);
	return true;
}

static void put_ended(struct answer *answer, const struct stream streams[2], const struct ended *ended)
{
	static const char *const names[] = { "stdout", "stderr" };

	answer_put(answer, "{\"code\":%d,\"ns\":%llu", WEXITSTATUS(ended->status), (unsigned long long)ended->ns);
	for (int i = 0; i < 2; i++) {
		answer_put(answer, ",\"%s\":", names[i]);
		answer_base64(answer, streams[i].text.text, streams[i].text.length);
	}
	answer_put(answer, "}");
}

void verb_program(struct request *request, struct answer *answer)
{
	const char *arguments[MAX_LIST + 2] = { request_text(request, "path") };
	unsigned int count = request_has(request, "arguments") ? request_texts(request, "arguments", arguments + 1) : 0;
	uint64_t limit_ms = request_integer(request, "limit_ms", 1, MAX_LIMIT_MS);
	struct stream streams[2] = { { .fd = -1 }, { .fd = -1 } };
	struct ended ended = { 0 };

	if (refuses(request, answer))
		return;
	arguments[count + 1] = NULL;
	if (*arguments[0] != '/')
		answer_fail(answer, "path: must begin with /");
	else if (!run((char **)(unsigned long)arguments, limit_ms, streams, &ended))
		answer_fail(answer, "cannot start a process: %s", strerror(errno));
	else if (ended.why)
		answer_fail(answer, "cannot execute %s: %s", arguments[0], strerror(ended.why));
	else if (!ended.in_time)
		answer_fail(answer, "%s did not end within %llu ms", arguments[0], (unsigned long long)limit_ms);
	else if (WIFSIGNALED(ended.status))
		answer_fail(answer, "%s was ended by signal %d", arguments[0], WTERMSIG(ended.status));
	else
		put_ended(answer, streams, &ended);
	free(streams[0].text.text);
	free(streams[1].text.text);
}
