// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

#define TUNABLES "GLIBC_TUNABLES"
#define RSEQ_TUNABLE "glibc.pthread.rseq="
#define SELF "/proc/self/exe"
#define MAX_REPLY (64u << 20)
/* Of what a child says on stderr, of which the first line is shown. */
#define MAX_ERRORS 4096

struct child_command {
	struct request *request;
	char **words;
};

/* Make the registration possible for the next program that is executed; keep other tunables. */
static void choose_registration(const char *registration)
{
	const char *old = getenv(TUNABLES);
	char *copy = strdup(old ? old : ""), *rest = copy, *tunable;
	struct buffer tunables;

	buffer_open(&tunables);
	while (rest && (tunable = strsep(&rest, ":")))
		if (*tunable && strncmp(tunable, RSEQ_TUNABLE, strlen(RSEQ_TUNABLE)))
			fprintf(tunables.out, "%s:", tunable);
	fprintf(tunables.out, RSEQ_TUNABLE "%d", !strcmp(registration, "glibc"));
	buffer_flush(&tunables);
	setenv(TUNABLES, tunables.bytes, 1);
	buffer_close(&tunables);
	free(copy);
}

/* Become the process that does the request. */
static void become_child(void *context, int error)
{
	struct child_command *command = context;
	char *arguments[MAX_WORDS + 8] = { "runner", "once" };

	if (error)
		_exit(1);
	for (unsigned int i = 0; command->words[i]; i++)
		arguments[i + 2] = command->words[i];
	if (request_has(command->request, "registration")) {
		const char *registration = request_text(command->request, "registration");

		if (strcmp(registration, "auto"))
			choose_registration(registration);
	}
	execv(SELF, arguments);
	dprintf(STDERR_FILENO, "cannot execute " SELF ": %s\n", strerror(errno));
	_exit(1);
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

/* Whether this is one whole reply to the request. */
static bool is_reply(const struct request *request, const struct buffer *reply)
{
	char begin[64];
	size_t length = (size_t)snprintf(begin, sizeof(begin), PROTOCOL " %s ", request->number);

	return reply->length >= length && !strncmp(reply->bytes, begin, length) &&
	       memchr(reply->bytes, '\n', reply->length) == reply->bytes + reply->length - 1;
}

/*
 * Make the answer an error that says how the child ended, unless the child ended well and with a
 * reply.
 */
static void explain_end(const struct process *process, const struct request *request,
			struct answer *answer)
{
	const char *errors = process->streams[1].kept.bytes;

	if (WIFSIGNALED(process->status))
		explain_signal(answer, WTERMSIG(process->status));
	else if (WEXITSTATUS(process->status))
		answer_fail(answer, "exited with %d%s%.*s", WEXITSTATUS(process->status),
			    *errors ? ": " : "", (int)strcspn(errors, "\n"), errors);
	else if (process->streams[0].lost)
		answer_fail(answer, "the answer is larger than %u MiB", MAX_REPLY >> 20);
	else if (!is_reply(request, &process->streams[0].kept))
		answer_fail(answer, "ended without an answer");
}

bool child_do(struct request *request, char **words, int out)
{
	struct child_command command = { request, words };
	struct process process;
	struct answer answer;
	bool read = true;
	int error;

	answer_open(&answer);
	error = process_start(&process, MAX_REPLY, become_child, &command);
	if (error) {
		answer_fail(&answer, "cannot start a process: %s", strerror(error));
	} else {
		process.streams[1].limit = MAX_ERRORS;
		read = process_follow(&process, UINT64_MAX, out) != PROCESS_UNREAD;
		explain_end(&process, request, &answer);
	}
	if (read && answer.failed)
		read = answer_send(&answer, request->number, out);
	else if (read)
		read = write_all(out, process.streams[0].kept.bytes,
				 process.streams[0].kept.length);
	if (!error)
		process_close(&process);
	answer_close(&answer);
	return read;
}
