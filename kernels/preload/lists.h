/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU lists, one a class and CPU, and the three ways to protect them. All three do the same
 * to the same list:
 *
 *	rseq       the sequences counted_pop and counted_push, no lock
 *	lsl_lock   as in 2018: the CPU number by lsl, and a spin lock a CPU taken by compare-and-swap
 *	vdso_lock  the same with the vDSO's getcpu
 *
 * The method is a constant wherever an allocation or a free comes along often, so each has code of
 * its own.
 *
 * An object on a list holds the list's link and length in its first two words; an object that is
 * out has no header.
 */
#ifndef LISTS_H
#define LISTS_H

#include "classes.h"
#include "local.h"
#include "percpu.h"
#include "sequences.h"

#ifndef POOLS_STRESS
#define POOLS_STRESS 0 /* 1: hold every sequence and every lock for some hundred nanoseconds */
#endif

#define SLOT_SHIFT 8

enum method {
	METHOD_OFF,
	METHOD_RSEQ,
	METHOD_LSL_LOCK,
	METHOD_VDSO_LOCK,
	METHODS
};

extern const char *const method_names[METHODS] __attribute__((visibility("hidden")));

struct block {
	struct block *next; /* NULL: this is a sentinel */
	unsigned long count; /* of blocks from here down */
};

struct slot {
	struct block *head[POOL_CLASSES];
	uint32_t peak[POOL_CLASSES]; /* the most blocks that a list ever had */
	uint32_t locked;
};

struct lists {
	enum method method;
	struct slot *slots; /* 1 << SLOT_SHIFT bytes apart */
	unsigned int cpus;
	unsigned long limit[POOL_CLASSES]; /* blocks on a list, at most */
	unsigned int batch[POOL_CLASSES]; /* blocks that a refill or a spill moves */
};

extern struct lists lists __attribute__((visibility("hidden")));

/* Make the lists, empty, for `method`. Returns 0 or an errno. */
int lists_start(enum method method, unsigned long limit_bytes);
/* In the child of a fork: no other thread is left that could hold a lock. */
void lists_forked(void);
/*
 * Take all that lies on the lists of one CPU, whoever runs there: a chain a class up to its
 * sentinel, or NULL. One thread at a time. Returns 0, or why some or all was left there: EBUSY, or
 * what Linux says to membarrier(2).
 */
int lists_steal(unsigned int cpu, struct block *chains[POOL_CLASSES]);
void lists_peak(struct slot *slot, unsigned int class, unsigned long count);

static __always_inline struct slot *slot_of(size_t cpu)
{
	return (struct slot *)((char *)lists.slots + (cpu << SLOT_SHIFT));
}

static __always_inline unsigned long list_cpu(const enum method method)
{
	(void)method;
#ifdef ARCH_HAS_LSL
	if (method == METHOD_LSL_LOCK)
		return arch_cpu_lsl();
#endif
	return percpu_getcpu();
}

static __always_inline void list_lock(struct slot *slot)
{
	uint32_t unlocked = 0;

	while (unlikely(!__atomic_compare_exchange_n(&slot->locked, &unlocked, 1, false,
						     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
		unlocked = 0;
		sched_yield(); /* its holder was preempted here, or we were moved */
	}
}

static __always_inline void list_unlock(struct slot *slot)
{
	__atomic_store_n(&slot->locked, 0, __ATOMIC_RELEASE);
}

/* What holds a sequence open does so before its commit, so here too. */
static __always_inline void hold_open(void)
{
	if (POOLS_STRESS)
		linger();
}

static __always_inline bool locked_pop(struct slot *slot, unsigned int class, void **block)
{
	struct block *head;
	bool found;

	list_lock(slot);
	head = slot->head[class];
	found = head->next;
	hold_open();
	if (found)
		slot->head[class] = head->next;
	list_unlock(slot);
	*block = head;
	return found;
}

static __always_inline bool locked_push(struct slot *slot, unsigned int class, struct block *block,
					unsigned long *deep)
{
	struct block *head;
	bool room;

	list_lock(slot);
	head = slot->head[class];
	*deep = head->count + 1;
	room = head->count != lists.limit[class];
	if (room) {
		block->next = head;
		block->count = *deep;
		hold_open();
		slot->head[class] = block;
	}
	list_unlock(slot);
	return room;
}

/*
 * Where the slots would begin if this class were the first: an offset into a slot must be a
 * constant.
 */
static __always_inline void *slots_from(unsigned int class)
{
	return (struct block **)lists.slots + class;
}

/* Take a block from this CPU's list; false if it is empty. */
static __always_inline bool list_pop(const enum method method, struct local *self,
				     unsigned int class, void **block)
{
	const size_t head = offsetof(struct slot, head), next = offsetof(struct block, next);

	if (method == METHOD_RSEQ)
		return SEQ(POOLS_STRESS, counted_pop(self->area, &self->aborts, slots_from(class),
						     SLOT_SHIFT, head, next, block));
	return locked_pop(slot_of(list_cpu(method)), class, block);
}

/* Put one there; false if it is full. */
static __always_inline bool list_push(const enum method method, struct local *self,
				      unsigned int class, void *block)
{
	const size_t head = offsetof(struct slot, head);
	const size_t next = offsetof(struct block, next), count = offsetof(struct block, count);
	struct slot *slot;
	unsigned long deep;

	if (method == METHOD_RSEQ) {
		void *at;

		if (!SEQ(POOLS_STRESS,
			 counted_push(self->area, &self->aborts, slots_from(class), SLOT_SHIFT,
				      head, next, count, lists.limit[class], block, &at, &deep)))
			return false;
		slot = (struct slot *)((struct block **)at - class);
	} else {
		slot = slot_of(list_cpu(method));
		if (!locked_push(slot, class, block, &deep))
			return false;
	}
	if (unlikely(deep > READ_ONCE(slot->peak[class])))
		lists_peak(slot, class, deep);
	return true;
}

#endif
