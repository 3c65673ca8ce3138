/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks of group urcu see of one flavour of liburcu, which has two ways into it:
 * called, or inlined.
 */
#ifndef PROVIDER_URCU_H
#define PROVIDER_URCU_H

struct provider_object {
	unsigned long word;
} __attribute__((aligned(128)));

/*
 * A reader: what is published, the word that it must have, how often it had another, and what to do
 * in the middle.
 */
struct provider_reader {
	struct provider_object **published;
	unsigned long good;
	unsigned long failures;
	void (*hold)(void); /* only read_held() does */
};

struct provider_urcu {
	/* before a thread reads: it is one of the library's readers from then on */
	void (*begin)(void);
	void (*end)(void); /* after that: nobody waits for it any more */
	void (*leave)(void); /* before a thread ends that has begun */
	/* the loop that is timed */
	void (*read)(struct provider_reader *reader, unsigned long loops);
	void (*read_held)(struct provider_reader *reader, unsigned long loops);
	void (*publish)(struct provider_object **published,
			struct provider_object *next); /* and wait for a grace period */
};

#define PROVIDER_URCU_CALLED "provider_urcu_called"
#define PROVIDER_URCU_INLINED "provider_urcu_inlined"

#endif
