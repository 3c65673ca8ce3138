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

static struct block list_end; /* what every list ends in: count 0, next NULL */
static struct block frozen[POOL_CLASSES]; /* as a head: nothing to take, and no room */

int lists_start(enum method method, unsigned long limit_bytes)
{
	lists.cpus = possible_cpus();
	lists.slots = mmap(NULL, (size_t)lists.cpus << SLOT_SHIFT, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lists.slots == MAP_FAILED)
		return errno;
	for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
		lists.limit[class] = limit_bytes / class_sizes[class];
		lists.batch[class] = lists.limit[class] / 2 < BATCH ? lists.limit[class] / 2
								    : BATCH;
		frozen[class].count = lists.limit[class];
		for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
			slot_of(cpu)->head[class] = &list_end;
	}
	lists.method = method;
	return 0;
}

void lists_forked(void)
{
	for (unsigned int cpu = 0; cpu < lists.cpus; cpu++)
		slot_of(cpu)->locked = 0;
}

void lists_peak(struct slot *slot, unsigned int class, unsigned long count)
{
	uint32_t peak = __atomic_load_n(&slot->peak[class], __ATOMIC_RELAXED);

	while (count > peak && !__atomic_compare_exchange_n(&slot->peak[class], &peak, count, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/*
 * Have Linux restart what sequence runs on `cpu`, and see there and here what was stored before. 0
 * or an errno.
 */
static int restart_on(unsigned int cpu)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		       MEMBARRIER_CMD_FLAG_CPU, cpu)
		       ? errno
		       : 0;
}

static int restarts_start(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) ? errno
											     : 0;
}

/*
 * Take the lists of a CPU while sequences run there. A head is replaced by a sentinel at which
 * sequences turn away, and then whatever sequence read the old head is restarted. One may have
 * committed in between: then its head stands there, made from the old one, the list is as if we had
 * not touched it, and we try again. Otherwise the sentinel stands, and nobody knows the old head
 * but us. A CPU that is offline runs no sequence, and it makes no difference if it comes back.
 */
static bool freeze_and_take(unsigned int cpu, struct block *chains[POOL_CLASSES])
{
	struct slot *slot = slot_of(cpu);
	struct block *old[POOL_CLASSES] = { NULL };
	bool done = true;

	for (unsigned int class = 0; class < POOL_CLASSES; class ++)
		if (!chains[class] &&
		    __atomic_load_n(&slot->head[class], __ATOMIC_RELAXED) != &list_end)
			old[class] = __atomic_exchange_n(&slot->head[class], &frozen[class],
							 __ATOMIC_SEQ_CST);
	restart_on(cpu);
	for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
		if (!old[class])
			continue;
		if (__atomic_load_n(&slot->head[class], __ATOMIC_ACQUIRE) != &frozen[class]) {
			done = false;
			continue;
		}
		chains[class] = old[class];
		__atomic_store_n(&slot->head[class], &list_end, __ATOMIC_RELEASE);
	}
	return done;
}

static void steal_locked(unsigned int cpu, struct block *chains[POOL_CLASSES])
{
	struct slot *slot = slot_of(cpu);

	list_lock(slot);
	for (unsigned int class = 0; class < POOL_CLASSES; class ++) {
		chains[class] = slot->head[class];
		slot->head[class] = &list_end;
	}
	list_unlock(slot);
}

int lists_steal(unsigned int cpu, struct block *chains[POOL_CLASSES])
{
	int error;

	for (unsigned int class = 0; class < POOL_CLASSES; class ++)
		chains[class] = NULL;
	if (lists.method != METHOD_RSEQ) {
		steal_locked(cpu, chains);
		return 0;
	}
	error = restarts_start();
	if (!error)
		error = restart_on(cpu);
	for (unsigned int tries = 0; !error && tries < STEAL_TRIES; tries++)
		if (freeze_and_take(cpu, chains))
			return 0;
	return error ? error : EBUSY;
}
