/* SPDX-License-Identifier: MIT */
/*
 * Serving requests line by line, each in a process of its own.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>

/* Until quit, the end of `in`, or nobody reads `out`. Returns an exit code. */
int serve_requests(int in, int out);
/*
 * The same on a device, whose terminal settings are raw meanwhile; complains on stderr when it
 * cannot be opened. Where nobody can know when we are there to listen, it begins with the reply
 * "ready" to request 0, which nobody made.
 */
int serve_device(const char *path, bool greets);

#endif
