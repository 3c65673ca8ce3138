// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* In the child: make its standard files, and have it die with its parent. Returns 0 or an errno. */
static int child_prepare(pid_t parent, int out, int errors)
{
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return ESRCH;
	return dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0 ? errno : 0;
}

int process_start(struct process *process, size_t limit, void (*become)(void *context, int error),
		  void *context)
{
	int pipes[2][2] = { { -1, -1 }, { -1, -1 } }, error;
	pid_t parent = getpid();

	process->pid = -1;
	process->begin_ns = clock_ns();
	if (!pipe2(pipes[0], O_CLOEXEC) && !pipe2(pipes[1], O_CLOEXEC))
		process->pid = fork();
	error = errno;
	if (!process->pid)
		become(context, child_prepare(parent, pipes[0][1], pipes[1][1]));
	for (int i = 0; i < 2; i++) {
		struct stream *stream = &process->streams[i];

		close(pipes[i][1]);
		*stream = (struct stream){ .fd = pipes[i][0], .limit = limit };
		if (process->pid > 0)
			buffer_open(&stream->kept);
		else
			close(stream->fd);
	}
	return process->pid > 0 ? 0 : error;
}

/* Read what there is; at the end, close. */
static void stream_drain(struct stream *stream)
{
	static char block[65536];
	ssize_t got = read(stream->fd, block, sizeof(block));
	size_t room = stream->limit - (size_t)ftell(stream->kept.out), kept;

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
		return;
	}
	kept = (size_t)got < room ? (size_t)got : room;
	fwrite(block, 1, kept, stream->kept.out);
	stream->lost += (size_t)got - kept;
}

static enum process_end process_collect(struct process *process, uint64_t until_ns, int reader)
{
	struct stream *streams = process->streams;

	while (streams[0].fd >= 0 || streams[1].fd >= 0) {
		struct pollfd watched[] = { { .fd = streams[0].fd, .events = POLLIN },
					    { .fd = streams[1].fd, .events = POLLIN },
					    { .fd = reader } };
		uint64_t now = clock_ns(), left_ms = (until_ns - now) / 1000000;

		if (now >= until_ns)
			return PROCESS_OUT_OF_TIME;
		if (poll(watched, 3, left_ms < INT32_MAX ? (int)left_ms + 1 : -1) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (watched[i].revents)
				stream_drain(&streams[i]);
		if (watched[2].revents)
			return PROCESS_UNREAD;
	}
	return PROCESS_ENDED;
}

enum process_end process_follow(struct process *process, uint64_t until_ns, int reader)
{
	enum process_end end = process_collect(process, until_ns, reader);

	if (end != PROCESS_ENDED)
		kill(process->pid, SIGKILL);
	while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
		;
	process->end_ns = clock_ns();
	for (int i = 0; i < 2; i++)
		buffer_flush(&process->streams[i].kept);
	return end;
}

void process_close(struct process *process)
{
	for (int i = 0; i < 2; i++) {
		if (process->streams[i].fd >= 0)
			close(process->streams[i].fd);
		buffer_close(&process->streams[i].kept);
	}
}
