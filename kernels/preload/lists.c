// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "lists.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MEMBARRIER_CMD_FLAG_CPU /* Linux 5.10 */
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ (1 << 7)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ (1 << 8)
#define MEMBARRIER_CMD_FLAG_CPU (1 << 0)
#endif

#define BATCH 32
#define STEAL_TRIES 1000

const char *const method_names[METHODS] = { "off", "rseq", "lsl_lock", "vdso_lock" };

struct lists lists;

/* What every list ends in: count 0, next NULL. */
static struct pool_object list_end;
/* As a head: nothing to take, and no room. */
static struct pool_object frozen_heads[POOL_CLASSES];

int lists_start(enum method method, unsigned long limit_bytes)
{
	lists.cpus = possible_cpus();
	lists.slots = mmap(NULL, (size_t)lists.cpus << POOL_SLOT_SHIFT, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lists.slots == MAP_FAILED)
		return errno;
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
		lists.limit[size_class] = limit_bytes / class_sizes[size_class];
		lists.batch[size_class] =
			lists.limit[size_class] / 2 < BATCH ? lists.limit[size_class] / 2 : BATCH;
		frozen_heads[size_class].count = lists.limit[size_class];
		for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
			pool_slot_of(cpu)->head[size_class] = &list_end;
	}
	lists.method = method;
	return 0;
}

void lists_forked(void)
{
	for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
		pool_slot_of(cpu)->locked = 0;
}

void lists_peak(struct pool_slot *slot, unsigned int size_class, unsigned long count)
{
	uint32_t peak = __atomic_load_n(&slot->peak[size_class], __ATOMIC_RELAXED);

	while (count > peak &&
	       !__atomic_compare_exchange_n(&slot->peak[size_class], &peak, count, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Returns 0 or an errno. */
static int membarrier(int command, unsigned int flags, unsigned int cpu)
{
	return syscall(SYS_membarrier, command, flags, cpu) ? errno : 0;
}

/* Have Linux restart what sequence runs on `cpu`, and see there and here what was stored before. */
static int restart_on(unsigned int cpu)
{
	return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, cpu);
}

/*
 * Take the lists of a CPU while sequences run there. A head is replaced by a sentinel at which
 * sequences turn away, and then whatever sequence read the old head is restarted. One may have
 * committed in between: then its head stands there, made from the old one, the list is as if we had
 * not touched it, and we try again. Otherwise the sentinel stands, and nobody knows the old head
 * but us. A CPU that is offline runs no sequence, and it makes no difference if it comes back.
 */
static bool freeze_and_take(unsigned int cpu, struct pool_object *chains[POOL_CLASSES])
{
	struct pool_slot *slot = pool_slot_of(cpu);
	struct pool_object *old[POOL_CLASSES] = { NULL };
	bool done = true;

	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++)
		if (!chains[size_class] &&
		    __atomic_load_n(&slot->head[size_class], __ATOMIC_RELAXED) != &list_end)
			old[size_class] = __atomic_exchange_n(&slot->head[size_class],
							      &frozen_heads[size_class],
							      __ATOMIC_SEQ_CST);
	restart_on(cpu);
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
		const struct pool_object *head;

		if (!old[size_class])
			continue;
		head = __atomic_load_n(&slot->head[size_class], __ATOMIC_ACQUIRE);
		if (head != &frozen_heads[size_class]) {
			done = false;
			continue;
		}
		chains[size_class] = old[size_class];
		__atomic_store_n(&slot->head[size_class], &list_end, __ATOMIC_RELEASE);
	}
	return done;
}

static void steal_locked(unsigned int cpu, struct pool_object *chains[POOL_CLASSES])
{
	struct pool_slot *slot = pool_slot_of(cpu);

	list_lock(slot);
	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++) {
		chains[size_class] = slot->head[size_class];
		slot->head[size_class] = &list_end;
	}
	list_unlock(slot);
}

int lists_steal(unsigned int cpu, struct pool_object *chains[POOL_CLASSES])
{
	int error;

	for (unsigned int size_class = 0; size_class < POOL_CLASSES; size_class++)
		chains[size_class] = NULL;
	if (lists.method != METHOD_RSEQ) {
		steal_locked(cpu, chains);
		return 0;
	}
	error = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0);
	if (!error)
		error = restart_on(cpu);
	for (unsigned int tries = 0; !error && tries < STEAL_TRIES; tries++)
		if (freeze_and_take(cpu, chains))
			return 0;
	return error ? error : EBUSY;
}
