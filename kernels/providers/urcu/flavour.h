/* SPDX-License-Identifier: MIT */
/*
 * One way into a flavour of liburcu. Compiled with URCU_HEADER, its header, and FLAVOUR, its name
 * there; called.c and inlined.c choose the way, which is decided by what a program defines before
 * it includes that.
 */
#include <stdbool.h>

#include URCU_HEADER

#include "provider_urcu.h"
#include "reader.h"

/* What readers of qsbr have to do now and then; nothing in the others. */
#define QUIESCENT_EVERY 1024

static inline __attribute__((always_inline)) void read_all(struct provider_reader *reader,
							   unsigned long loops, const bool held)
{
	struct provider_object **published = reader->published;
	unsigned long good = reader->good, failures = 0;

	for (; loops; loops--) {
		struct provider_object *object;

		API(read_lock)();
		object = rcu_dereference(*published);
		if (held)
			reader->hold();
		failures += *(volatile unsigned long *)&object->word != good;
		API(read_unlock)();
		if (!(loops % QUIESCENT_EVERY))
			API(quiescent_state)();
	}
	reader->failures += failures;
}

static void read_timed(struct provider_reader *reader, unsigned long loops)
{
	read_all(reader, loops, false);
}

static void read_held(struct provider_reader *reader, unsigned long loops)
{
	read_all(reader, loops, true);
}

static void publish(struct provider_object **published, struct provider_object *next)
{
	rcu_set_pointer(published, next);
	API(synchronize_rcu)();
}

extern const struct provider_urcu PROVIDER;
const struct provider_urcu PROVIDER = {
	.begin = reader_begin,
	.end = reader_end,
	.leave = reader_leave,
	.read = read_timed,
	.read_held = read_held,
	.publish = publish,
};
