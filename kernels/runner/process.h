/* SPDX-License-Identifier: MIT */
/*
 * A process that we start and follow to its end, while we collect what it writes.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"

/*
 * @fd: our end of the pipe, -1 at its end
 * @limit: how much is kept
 * @lost: bytes beyond that, read and thrown away
 */
struct stream {
	int fd;
	struct buffer kept;
	size_t limit;
	unsigned long long lost;
};

/*
 * @streams: stdout and stderr
 * @begin_ns, @end_ns: from before its start to after its end, CLOCK_MONOTONIC
 * @status: of waitpid(2)
 */
struct process {
	pid_t pid;
	struct stream streams[2];
	uint64_t begin_ns, end_ns;
	int status;
};

enum process_end {
	PROCESS_ENDED,
	PROCESS_OUT_OF_TIME,
	PROCESS_UNREAD
};

/*
 * Fork a process that dies with us and has no input, and call become(context, error) in it, which
 * does not return; `error` is an errno where the process could not be made so. Returns 0 or an
 * errno; process_close() only after 0.
 */
int process_start(struct process *process, size_t limit, void (*become)(void *context, int error),
		  void *context);
/*
 * Collect what the process writes until it ends; kill it at the time `until_ns`, or when nobody
 * reads the descriptor `reader` (-1: none) any more.
 */
enum process_end process_follow(struct process *process, uint64_t until_ns, int reader);
void process_close(struct process *process);

#endif
