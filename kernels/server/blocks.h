/* SPDX-License-Identifier: MIT */
/*
 * The blocks of a request: how large each is, and the pattern that proves that it was nobody else's
 * meanwhile.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdint.h>
#include <stddef.h>

#define BLOCKS 64 /* that a request allocates */
#define HANDED (BLOCKS / 4) /* of them, every fourth, that another thread frees */

struct block {
	void *at;
	uint32_t size; /* a multiple of 16 */
	/* no two blocks of a phase have the same; all are freed before the next phase */
	uint64_t pattern;
};

/*
 * Draw the sizes, the same in every process: three of four from 16 to 128 bytes, the others up to 1
 * KiB, and one in 128 up to 16 KiB; in each of these ranges every doubling is as likely as every
 * other.
 */
void blocks_draw(void);
/* Choose the sizes and patterns of request `number` of a thread. */
void blocks_choose(struct block blocks[BLOCKS], unsigned int thread, uint64_t number);
/* Allocate all; ends the process where there is no memory. */
void blocks_allocate(struct block blocks[BLOCKS]);
/*
 * Write the pattern to both ends of each, and throughout every eighth; return the sum of their
 * patterns.
 */
uint64_t blocks_fill(struct block blocks[BLOCKS]);
/*
 * Read what was written to `count` blocks and return the sum of patterns; ends the process where it
 * is not there.
 */
uint64_t blocks_verify(const struct block *blocks, unsigned int count);

#endif
