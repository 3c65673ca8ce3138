// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TUNABLES "GLIBC_TUNABLES"
#define RSEQ_TUNABLE "glibc.pthread.rseq="
#define SELF "/proc/self/exe"
#define MAX_REPLY (64u << 20)
#define MAX_ERRORS 4096 /* of what a child says on stderr, of which the first line is shown */

/* A child and the ends of its pipes: what it answers and what it complains about. */
struct child {
	pid_t pid;
	int reply, errors;
};

/* Make the registration possible in what is executed next, and keep all other tunables. */
static void choose_registration(const char *registration)
{
	const char *old = getenv(TUNABLES);
	char *copy = strdup(old ? old : ""), *rest = copy, *tunable;
	struct answer wanted = { 0 };

	while (rest && (tunable = strsep(&rest, ":")))
		if (*tunable && strncmp(tunable, RSEQ_TUNABLE, strlen(RSEQ_TUNABLE)))
			answer_put(&wanted, "%s:", tunable);
	answer_put(&wanted, RSEQ_TUNABLE "%d", !strcmp(registration, "glibc"));
	setenv(TUNABLES, wanted.text, 1);
	free(wanted.text);
	free(copy);
}

/* Become the process that does the request; never returns. */
static void become(struct request *request, char **words, pid_t parent, const int reply[2],
		   const int errors[2])
{
	char *arguments[MAX_WORDS + 8] = { "runner", "once" };
	int null = open("/dev/null", O_RDONLY);

	for (unsigned int i = 0; words[i]; i++)
		arguments[i + 2] = words[i];
	if (dup2(null, 0) < 0 || dup2(reply[1], 1) < 0 || dup2(errors[1], 2) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (request_has(request, "registration")) {
		const char *registration = request_text(request, "registration");

		if (strcmp(registration, "auto"))
			choose_registration(registration);
	}
	execv(SELF, arguments);
	fprintf(stderr, "cannot execute " SELF ": %s\n", strerror(errno));
	_exit(1);
}

static bool start(struct child *child, struct request *request, char **words)
{
	int reply[2] = { -1, -1 }, errors[2] = { -1, -1 };
	pid_t parent = getpid();

	child->pid = -1;
	if (!pipe2(reply, O_CLOEXEC) && !pipe2(errors, O_CLOEXEC))
		child->pid = fork();
	if (!child->pid)
		become(request, words, parent, reply, errors);
	close(reply[1]);
	close(errors[1]);
	child->reply = reply[0];
	child->errors = errors[0];
	if (child->pid > 0)
		return true;
	close(child->reply);
	close(child->errors);
	return false;
}

/*
 * Read what there is, up to a limit; false at the end. What is beyond the limit is lost, but for
 * one byte to tell.
 */
static bool drain(int fd, struct answer *into, size_t most)
{
	static char block[65536];
	ssize_t got = read(fd, block, sizeof(block));

	if (got < 0 && errno == EINTR)
		return true;
	if (got > 0 && into->length <= most)
		answer_bytes(into, block, (size_t)got);
	return got > 0;
}

/*
 * Collect all that a child says until it ends. False when nobody reads `out`: the client is gone,
 * so the child goes.
 */
static bool collect(const struct child *child, int out, struct answer *reply, struct answer *errors)
{
	struct pollfd watched[] = { { .fd = child->reply, .events = POLLIN },
				    { .fd = child->errors, .events = POLLIN },
				    { .fd = out } };

	while (watched[0].fd >= 0 || watched[1].fd >= 0) {
		if (poll(watched, 3, -1) < 0)
			continue;
		if (watched[0].revents && !drain(child->reply, reply, MAX_REPLY))
			watched[0].fd = -1;
		if (watched[1].revents && !drain(child->errors, errors, MAX_ERRORS))
			watched[1].fd = -1;
		if (watched[2].revents) {
			kill(child->pid, SIGKILL);
			return false;
		}
	}
	return true;
}

static void explain_signal(struct answer *answer, int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
#define NAME(signal) { signal, #signal }
		NAME(SIGSEGV), NAME(SIGBUS),  NAME(SIGILL),  NAME(SIGFPE),
		NAME(SIGABRT), NAME(SIGKILL), NAME(SIGTERM), NAME(SIGTRAP),
		NAME(SIGSYS),  NAME(SIGXCPU), NAME(SIGHUP),  NAME(SIGALRM),
#undef NAME
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == number) {
			answer_fail(answer, "killed by %s", names[i].name);
			return;
		}
	}
	answer_fail(answer, "killed by signal %d", number);
}

/*
 * Whether the child ended well and with one whole reply to this request; if not, the answer says
 * what happened.
 */
static bool ended_well(int status, const struct request *request, const struct answer *reply,
		       const struct answer *errors, struct answer *answer)
{
	const char *said = errors->length ? errors->text : "";
	char begin[64];
	int length = snprintf(begin, sizeof(begin), PROTOCOL " %s ", request->number);

	if (WIFSIGNALED(status))
		explain_signal(answer, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		answer_fail(answer, "exited with %d%s%.*s", WEXITSTATUS(status), *said ? ": " : "",
			    (int)strcspn(said, "\n"), said);
	else if (reply->length > MAX_REPLY)
		answer_fail(answer, "the answer is larger than %u MiB", MAX_REPLY >> 20);
	else if (reply->length < (size_t)length || strncmp(reply->text, begin, (size_t)length) ||
		 memchr(reply->text, '\n', reply->length) != reply->text + reply->length - 1)
		answer_fail(answer, "ended without an answer");
	return !answer->failed;
}

bool child_do(struct request *request, char **words, int out, struct answer *reply,
	      struct answer *answer)
{
	struct answer errors = { 0 };
	struct child child;
	bool read;
	int status;

	if (!start(&child, request, words)) {
		answer_fail(answer, "cannot start a process: %s", strerror(errno));
		return true;
	}
	read = collect(&child, out, reply, &errors);
	close(child.reply);
	close(child.errors);
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (read)
		ended_well(status, request, reply, &errors, answer);
	free(errors.text);
	return read;
}
