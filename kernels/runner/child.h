/* SPDX-License-Identifier: MIT */
/*
 * The process that does one request: a fresh one, because the C library decides at its start who
 * registers rseq.
 */
#ifndef CHILD_H
#define CHILD_H

#include "answer.h"
#include "request.h"

/*
 * Do a request, given as NULL-terminated words that were parsed into `request`, and pass its reply
 * line on to `out`. Where the child makes none, say there how it ended. False when nobody reads
 * `out` any more: then the child is dead.
 */
bool child_do(struct request *request, char **words, int out);

#endif
