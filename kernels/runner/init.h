/* SPDX-License-Identifier: MIT */
/*
 * The runner in a guest: as its first and only program, or started by another.
 */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>

/*
 * Make the guest ready, serve its virtio port, and power it off. Returns only where that is
 * refused.
 */
void run_as_init(void);

/*
 * Serve the virtio port in a guest that is ready; false when there is none, or nobody at its other
 * end.
 */
bool serve_port(void);

#endif
