/* SPDX-License-Identifier: MIT */
/*
 * One benchmark of rseqbench for another tool to time: found by its name, set up, run, torn down.
 */
#ifndef SHIM_H
#define SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns NULL, or why the benchmark cannot run. One benchmark at a time. */
const char *shim_open(const char *name);
void shim_run(unsigned long operations);
void shim_close(void);

#ifdef __cplusplus
}
#endif

#endif
