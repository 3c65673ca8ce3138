/* SPDX-License-Identifier: MIT */
#ifndef PIN_H
#define PIN_H

/* Pin the calling thread to one CPU: NULL, or why that failed. */
const char *pin_to(int cpu);

#endif
