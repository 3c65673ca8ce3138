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
 * Do a request, given as NULL-terminated words that were parsed into `request`, and append its
 * reply line to `reply`. A child that fails to make one makes `answer` an error that says how.
 * False when nobody reads `out` any more: then the child is dead.
 */
bool child_do(struct request *request, char **words, int out, struct answer *reply,
	      struct answer *answer);

#endif
