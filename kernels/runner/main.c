// SPDX-License-Identifier: MIT
/*
 * The benchmarks as a program: does one request, or serves requests line by line. docs/protocol.md
 * describes them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "init.h"
#include "log.h"
#include "request.h"
#include "serve.h"
#include "verbs.h"

#define BAD_USAGE 2

const char log_prefix[] = "rseqbench runner: ";

/* Called by this name the program does nothing: benchmarks execute it. */
extern const char runner_nothing[];
const char runner_nothing[] = "nothing";

/*
 * Whoever starts us may have closed them, and then the next file that is opened would be taken for
 * one.
 */
static void ensure_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int serve_once(char **words, unsigned int count)
{
	struct request request;
	struct answer answer;
	bool sent;

	answer_open(&answer);
	if (request_parse(&request, words, count))
		verb_do(&request, &answer);
	else
		answer_fail(&answer, "%s", request.wrong);
	sent = answer_send(&answer, request.number, STDOUT_FILENO);
	answer_close(&answer);
	return !sent;
}

/* Started by Linux itself, which hands us words of its command line that we did not ask for. */
static bool is_init(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	return getpid() == 1 && slash && !strcmp(slash, "/init");
}

int main(int argc, char **argv)
{
	if (argc && !strcmp(argv[0], runner_nothing))
		return 0;
	if (is_init(argv[0])) {
		run_as_init();
		return 1;
	}
	ensure_standard_files();
	if (argc >= 2 && !strcmp(argv[1], "once"))
		return serve_once(argv + 2, (unsigned int)argc - 2);
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve_requests(STDIN_FILENO, STDOUT_FILENO);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve_device(argv[2], false);
	if (argc == 2 && !strcmp(argv[1], "port"))
		return !serve_port();
	fprintf(stderr, "usage: runner once " PROTOCOL
			" NUMBER VERB [KEY=VALUE]...\n       runner serve [DEVICE]\n"
			"       runner port\n");
	return BAD_USAGE;
}
