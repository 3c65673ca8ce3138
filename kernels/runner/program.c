// SPDX-License-Identifier: MIT
/* program: runs a program that lies where we are, from outside. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "verbs.h"

/* Of each stream; what is more is read, counted and lost. */
#define MAX_OUTPUT (64u << 10)
#define MAX_LIMIT_MS 86400000
#define NOT_STARTED 127

extern char **environ;

/*
 * The leader of the group that the program and all it starts are in. Whatever ends us, our end of
 * the pipe is closed with us, and then it kills the group.
 */
struct watcher {
	pid_t pid;
	int lifeline;
};

static void watcher_main(int lifeline, int ready)
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
		watcher_main(lifeline[0], ready[1]);
		_exit(1);
	}
	close(lifeline[0]);
	close(ready[1]);
	watcher->lifeline = lifeline[1];
	(void)!read(ready[0], &byte, 1); /* ends when the other end is closed */
	close(ready[0]);
	if (watcher->pid < 0)
		close(lifeline[1]);
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

struct program_command {
	char **arguments;
	pid_t group;
	int failure;
};

/*
 * Become the program, in the watcher's group, so that all it starts can be ended with it. Where
 * that fails, the errno goes to the pipe `failure`.
 */
static void become_program(void *context, int error)
{
	struct program_command *command = context;

	/* serve_requests() ignores them, and an exec keeps that. */
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (!error && !setpgid(0, command->group))
		execve(command->arguments[0], command->arguments, environ);
	if (!error)
		error = errno;
	(void)!write(command->failure, &error, sizeof(error));
	_exit(NOT_STARTED);
}

/*
 * Run the program to its end, or its limit, and end whatever it left behind. Returns NULL, and then
 * the process is to be closed, or why it cannot be started.
 */
static const char *run_program(char **arguments, uint64_t limit_ms, struct process *process,
			       bool *in_time, int *failure)
{
	struct program_command command = { .arguments = arguments };
	struct watcher watcher;
	int pipe[2], error = 0;

	if (pipe2(pipe, O_CLOEXEC))
		return strerror(errno);
	if (watcher_start(&watcher)) {
		command.group = watcher.pid;
		command.failure = pipe[1];
		error = process_start(process, MAX_OUTPUT, become_program, &command);
	} else {
		error = errno;
	}
	close(pipe[1]);
	if (!error)
		*in_time = process_follow(process, process->begin_ns + limit_ms * 1000000, -1) ==
			   PROCESS_ENDED;
	if (watcher.pid > 0)
		watcher_end(&watcher);
	if (error || read(pipe[0], failure, sizeof(*failure)) != sizeof(*failure))
		*failure = 0;
	close(pipe[0]);
	return error ? strerror(error) : NULL;
}

static void put_program(struct json *json, const struct process *process)
{
	static const char *const names[] = { "stdout", "stderr" };
	const struct stream *streams = process->streams;

	json_open(json, NULL, '{');
	json_integer(json, "code", WEXITSTATUS(process->status));
	json_integer(json, "ns", process->end_ns - process->begin_ns);
	for (int i = 0; i < 2; i++)
		json_base64(json, names[i], streams[i].kept.bytes, streams[i].kept.length);
	json_integers(json, "lost", (uint64_t[]){ streams[0].lost, streams[1].lost }, 2);
	json_close(json, '}');
}

/* What we register ourselves ends where another program begins. */
static bool is_registered_by_us(const char *registration)
{
	return !strcmp(registration, "self") || !strcmp(registration, "full");
}

void verb_program(struct request *request, struct answer *answer)
{
	const char *arguments[MAX_LIST + 2] = { request_text(request, "path") }, *error;
	unsigned int count = request_has(request, "arguments")
				     ? request_texts(request, "arguments", arguments + 1)
				     : 0;
	uint64_t limit_ms = request_integer(request, "limit_ms", 1, MAX_LIMIT_MS);
	struct process process;
	bool in_time = true;
	int failure;

	if (refuses(request, answer))
		return;
	arguments[count + 1] = NULL;
	if (*arguments[0] != '/') {
		answer_fail(answer, "path: must begin with /");
		return;
	}
	if (is_registered_by_us(request->registration)) {
		answer_fail(
			answer,
			"registration=%s is of our own threads: a program has its C library's, or none",
			request->registration);
		return;
	}
	error = run_program((char **)(unsigned long)arguments, limit_ms, &process, &in_time,
			    &failure);
	if (error) {
		answer_fail(answer, "cannot start a process: %s", error);
		return;
	}
	if (failure)
		answer_fail(answer, "cannot execute %s: %s", arguments[0], strerror(failure));
	else if (!in_time)
		answer_fail(answer, "%s did not end within %llu ms", arguments[0],
			    (unsigned long long)limit_ms);
	else if (WIFSIGNALED(process.status))
		answer_fail(answer, "%s was ended by signal %d", arguments[0],
			    WTERMSIG(process.status));
	else
		put_program(&answer->json, &process);
	process_close(&process);
}
