/* SPDX-License-Identifier: MIT */
/*
 * The runner as the first and only program of a guest.
 */
#ifndef INIT_H
#define INIT_H

/* Make the guest ready, serve its virtio port, and power it off. Returns only where that is refused. */
void init(void);

#endif
