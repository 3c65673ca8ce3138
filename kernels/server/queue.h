/* SPDX-License-Identifier: MIT */
/*
 * What one thread hands to one other: a ring, one at each end, no lock. A full one makes the first
 * wait.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "blocks.h"

#define QUEUE_BATCHES 256 /* a power of two */

struct queue {
	_Alignas(128) uint64_t put;
	_Alignas(128) uint64_t taken;
	bool closed; /* nobody takes any more: what still comes is freed by who has it */
	_Alignas(128) struct block batches[QUEUE_BATCHES][HANDED];
};

static inline bool queue_put(struct queue *queue, const struct block batch[HANDED])
{
	uint64_t put = queue->put;

	if (put - __atomic_load_n(&queue->taken, __ATOMIC_ACQUIRE) == QUEUE_BATCHES)
		return false;
	memcpy(queue->batches[put % QUEUE_BATCHES], batch, sizeof(queue->batches[0]));
	__atomic_store_n(&queue->put, put + 1, __ATOMIC_RELEASE);
	return true;
}

static inline bool queue_take(struct queue *queue, struct block batch[HANDED])
{
	uint64_t taken = queue->taken;

	if (__atomic_load_n(&queue->put, __ATOMIC_ACQUIRE) == taken)
		return false;
	memcpy(batch, queue->batches[taken % QUEUE_BATCHES], sizeof(queue->batches[0]));
	__atomic_store_n(&queue->taken, taken + 1, __ATOMIC_RELEASE);
	return true;
}

#endif
