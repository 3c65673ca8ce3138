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

#define MAX_OUTPUT (64u << 10) /* of each stream; what is more is read, counted and lost */
#define MAX_LIMIT_MS 86400000
#define NOT_STARTED 127

extern char **environ;

/* One of its streams: our end of the pipe, and what came. */
struct stream {
	int fd;
	struct answer text;
	unsigned long long lost; /* bytes beyond what is kept */
};

/*
 * The leader of the group that the program and all it starts are in. Whatever ends us, our end of
 * the pipe is closed with us, and then it kills the group.
 */
struct watcher {
	pid_t pid;
	int lifeline;
};

static void watch(int lifeline, int ready)
{
	char byte;

	setpgid(0, 0);
	close(ready);
	while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
		;
	kill(0, SIGKILL);
}

/* Start it, and wait until it leads its group; false when there can be none. */
static bool watcher_start(struct watcher *watcher)
{
	int lifeline[2] = { -1, -1 }, ready[2] = { -1, -1 };
	char byte;

	watcher->pid = -1;
	if (!pipe2(lifeline, O_CLOEXEC) && !pipe2(ready, O_CLOEXEC))
		watcher->pid = fork();
	if (!watcher->pid) {
		close(lifeline[1]);
		close(ready[0]);
		watch(lifeline[0], ready[1]);
		_exit(1);
	}
	close(lifeline[0]);
	close(ready[1]);
	watcher->lifeline = lifeline[1];
	(void)!read(ready[0], &byte, 1); /* ends when the other end is closed */
	close(ready[0]);
	return watcher->pid > 0;
}

/* End it with all of its group. */
static void watcher_end(struct watcher *watcher)
{
	kill(-watcher->pid, SIGKILL);
	while (waitpid(watcher->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(watcher->lifeline);
}

/* Become the program, in the watcher's group, so that all it starts can be ended with it. */
static void become(char **arguments, pid_t parent, pid_t group, const int out[2],
		   const int errors[2], int failure)
{
	int null = open("/dev/null", O_RDONLY), why;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL); /* which serve() ignores, and an exec keeps that */
	signal(SIGPIPE, SIG_DFL);
	if (getppid() == parent && !setpgid(0, group) && dup2(null, 0) >= 0 &&
	    dup2(out[1], 1) >= 0 && dup2(errors[1], 2) >= 0)
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
	size_t room = MAX_OUTPUT - stream->text.length, kept;

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
		return;
	}
	kept = (size_t)got < room ? (size_t)got : room;
	answer_bytes(&stream->text, block, kept);
	stream->lost += (size_t)got - kept;
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

/*
 * Start the program and follow it to its end, or to its limit; false when it could not even be
 * forked.
 */
static bool follow(char **arguments, uint64_t limit_ms, pid_t group, struct stream streams[2],
		   struct ended *ended)
{
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 }, failure[2] = { -1, -1 };
	pid_t parent = getpid(), pid = -1;
	uint64_t begin = 0;

	if (!pipe2(out, O_CLOEXEC) && !pipe2(errors, O_CLOEXEC) && !pipe2(failure, O_CLOEXEC)) {
		begin = clock_ns();
		pid = fork();
	}
	if (!pid)
		become(arguments, parent, group, out, errors, failure[1]);
	close(out[1]);
	close(errors[1]);
	close(failure[1]);
	if (pid < 0)
		return false;
	streams[0].fd = out[0];
	streams[1].fd = errors[0];
	ended->in_time = collect(streams, begin + limit_ms * 1000000);
	if (!ended->in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &ended->status, 0) < 0 && errno == EINTR)
		;
	ended->ns = clock_ns() - begin;
	if (read(failure[0], &ended->why, sizeof(ended->why)) != sizeof(ended->why))
		ended->why = 0;
	close(failure[0]);
	return true;
}

/* Run it to its end, and end whatever it left behind; false when no process can be started. */
static bool run(char **arguments, uint64_t limit_ms, struct stream streams[2], struct ended *ended)
{
	struct watcher watcher;
	bool done;
	int why;

	if (!watcher_start(&watcher))
		return false;
	done = follow(arguments, limit_ms, watcher.pid, streams, ended);
	why = errno;
	watcher_end(&watcher);
	errno = why;
	return done;
}

static void put_ended(struct answer *answer, const struct stream streams[2],
		      const struct ended *ended)
{
	static const char *const names[] = { "stdout", "stderr" };

	answer_put(answer, "{\"code\":%d,\"ns\":%llu", WEXITSTATUS(ended->status),
		   (unsigned long long)ended->ns);
	for (int i = 0; i < 2; i++) {
		answer_put(answer, ",\"%s\":", names[i]);
		answer_base64(answer, streams[i].text.text, streams[i].text.length);
	}
	answer_put(answer, ",\"lost\":[%llu,%llu]}", streams[0].lost, streams[1].lost);
}

/* What we register ourselves ends where another program begins. */
static bool is_our_own(const char *registration)
{
	return !strcmp(registration, "self") || !strcmp(registration, "full");
}

void verb_program(struct request *request, struct answer *answer)
{
	const char *arguments[MAX_LIST + 2] = { request_text(request, "path") };
	unsigned int count = request_has(request, "arguments")
				     ? request_texts(request, "arguments", arguments + 1)
				     : 0;
	uint64_t limit_ms = request_integer(request, "limit_ms", 1, MAX_LIMIT_MS);
	struct stream streams[2] = { { .fd = -1 }, { .fd = -1 } };
	struct ended ended = { 0 };

	if (refuses(request, answer))
		return;
	arguments[count + 1] = NULL;
	if (*arguments[0] != '/')
		answer_fail(answer, "path: must begin with /");
	else if (is_our_own(request->registration))
		answer_fail(
			answer,
			"registration=%s is of our own threads: a program has its C library's, or none",
			request->registration);
	else if (!run((char **)(unsigned long)arguments, limit_ms, streams, &ended))
		answer_fail(answer, "cannot start a process: %s", strerror(errno));
	else if (ended.why)
		answer_fail(answer, "cannot execute %s: %s", arguments[0], strerror(ended.why));
	else if (!ended.in_time)
		answer_fail(answer, "%s did not end within %llu ms", arguments[0],
			    (unsigned long long)limit_ms);
	else if (WIFSIGNALED(ended.status))
		answer_fail(answer, "%s was ended by signal %d", arguments[0],
			    WTERMSIG(ended.status));
	else
		put_ended(answer, streams, &ended);
	free(streams[0].text.text);
	free(streams[1].text.text);
}
