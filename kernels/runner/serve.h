/* SPDX-License-Identifier: MIT */
/*
 * Serving requests line by line, each in a process of its own.
 */
#ifndef SERVE_H
#define SERVE_H

/* Until quit, the end of `in`, or nobody reads `out`. Returns an exit code. */
int serve(int in, int out);
/* The same on a device, whose terminal settings are raw meanwhile; complains on stderr when it cannot be opened. */
int serve_device(const char *path);

#endif
