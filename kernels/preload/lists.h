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
#include "thread_state.h"
#include "percpu.h"
#include "sequences.h"

#ifndef POOLS_STRESS
#define POOLS_STRESS 0 /* 1: hold every sequence and every lock for some hundred nanoseconds */
#endif

#define POOL_SLOT_SHIFT 8

enum method {
	METHOD_OFF,
	METHOD_RSEQ,
	METHOD_LSL_LOCK,
	METHOD_VDSO_LOCK,
	METHODS
};

extern const char *const method_names[METHODS] __attribute__((visibility("hidden")));

struct pool_object {
	struct pool_object *next; /* NULL: this is a sentinel */
	unsigned long count; /* of blocks from here down */
};

struct pool_slot {
	struct pool_object *head[POOL_CLASSES];
	uint32_t peak[POOL_CLASSES]; /* the most blocks that a list ever had */
	uint32_t locked;
};

struct lists {
	enum method method;
	struct pool_slot *slots; /* 1 << POOL_SLOT_SHIFT bytes apart */
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
int lists_steal(unsigned int cpu, struct pool_object *chains[POOL_CLASSES]);
void lists_peak(struct pool_slot *slot, unsigned int size_class, unsigned long count);

static __always_inline struct pool_slot *pool_slot_of(size_t cpu)
{
	return (struct pool_slot *)((char *)lists.slots + (cpu << POOL_SLOT_SHIFT));
}

static __always_inline unsigned long list_cpu(const enum method method)
{
	return method == METHOD_LSL_LOCK ? percpu_getcpu_2018() : percpu_getcpu();
}

static __always_inline void list_lock(struct pool_slot *slot)
{
	uint32_t unlocked = 0;

	while (unlikely(!__atomic_compare_exchange_n(&slot->locked, &unlocked, 1, false,
						     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
		unlocked = 0;
		sched_yield(); /* its holder was preempted here, or we were moved */
	}
}

static __always_inline void list_unlock(struct pool_slot *slot)
{
	__atomic_store_n(&slot->locked, 0, __ATOMIC_RELEASE);
}

/* What holds a sequence open does so before its commit, so here too. */
static __always_inline void hold_open(void)
{
	if (POOLS_STRESS)
		linger();
}

static __always_inline bool locked_pop(struct pool_slot *slot, unsigned int size_class,
				       void **block)
{
	struct pool_object *head;
	bool found;

	list_lock(slot);
	head = slot->head[size_class];
	found = head->next;
	hold_open();
	if (found)
		slot->head[size_class] = head->next;
	list_unlock(slot);
	*block = head;
	return found;
}

static __always_inline bool locked_push(struct pool_slot *slot, unsigned int size_class,
					struct pool_object *block, unsigned long *deep)
{
	struct pool_object *head;
	bool room;

	list_lock(slot);
	head = slot->head[size_class];
	*deep = head->count + 1;
	room = head->count != lists.limit[size_class];
	if (room) {
		block->next = head;
		block->count = *deep;
		hold_open();
		slot->head[size_class] = block;
	}
	list_unlock(slot);
	return room;
}

/*
 * Where the slots would begin if this class were the first: an offset into a slot must be a
 * constant.
 */
static __always_inline void *slots_of_class(unsigned int size_class)
{
	return (struct pool_object **)lists.slots + size_class;
}

/* Take a block from this CPU's list; false if it is empty. */
static __always_inline bool list_pop(const enum method method, struct thread_state *self,
				     unsigned int size_class, void **block)
{
	const size_t head = offsetof(struct pool_slot, head),
		     next = offsetof(struct pool_object, next);

	if (method == METHOD_RSEQ)
		return SEQ(POOLS_STRESS,
			   counted_pop(self->area, &self->aborts, slots_of_class(size_class),
				       POOL_SLOT_SHIFT, head, next, block));
	return locked_pop(pool_slot_of(list_cpu(method)), size_class, block);
}

/* Put one there; false if it is full. */
static __always_inline bool list_push(const enum method method, struct thread_state *self,
				      unsigned int size_class, void *block)
{
	const size_t head = offsetof(struct pool_slot, head);
	const size_t next = offsetof(struct pool_object, next),
		     count = offsetof(struct pool_object, count);
	struct pool_slot *slot;
	unsigned long deep;

	if (method == METHOD_RSEQ) {
		void *at;

		if (!SEQ(POOLS_STRESS,
			 counted_push(self->area, &self->aborts, slots_of_class(size_class),
				      POOL_SLOT_SHIFT, head, next, count, lists.limit[size_class],
				      block, &at, &deep)))
			return false;
		slot = (struct pool_slot *)((struct pool_object **)at - size_class);
	} else {
		slot = pool_slot_of(list_cpu(method));
		if (!locked_push(slot, size_class, block, &deep))
			return false;
	}
	if (unlikely(deep > READ_ONCE(slot->peak[size_class])))
		lists_peak(slot, size_class, deep);
	return true;
}

#endif
