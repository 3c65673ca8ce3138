/* SPDX-License-Identifier: MIT */
/* A thread as a reader of the flavour: one and the same, whichever way it reads. */
#ifndef READER_H
#define READER_H

#define JOIN(a, b, c) a##b##c
#define API_(flavour, function) JOIN(urcu_, flavour, _##function)
#define API(function) API_(FLAVOUR, function)
void reader_begin(void) __attribute__((visibility("hidden")));
void reader_end(void) __attribute__((visibility("hidden")));
void reader_leave(void) __attribute__((visibility("hidden")));

#endif
