// SPDX-License-Identifier: MIT
#include "blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exit_codes.h"
#include "log.h"
#include "xorshift.h"

/* How many sizes there are: a multiple of BLOCKS. */
#define SIZES 8192
#define LARGE_ONE_IN 128
#define SEED 0x9e3779b97f4a7c15

/* What every size is a multiple of, and every block is aligned to. */
typedef uint64_t pair __attribute__((vector_size(16), may_alias));

static uint32_t block_sizes[SIZES];

static uint32_t draw_between(uint64_t *state, double low, double high)
{
	double share;

	*state = xorshift64(*state);
	share = (double)(*state >> 11) / (double)(1ull << 53);

	return (uint32_t)(low * exp2(share * log2(high / low))) & ~15u;
}

static uint32_t draw_size(uint64_t *state)
{
	uint64_t range = *state = xorshift64(*state);

	if (range % LARGE_ONE_IN == 0)
		return draw_between(state, 1024, 16384 + 16);
	if (range >> 32 & 3)
		return draw_between(state, 16, 128 + 16);
	return draw_between(state, 128, 1024 + 16);
}

void blocks_draw(void)
{
	uint64_t state = SEED;

	for (unsigned int i = 0; i < SIZES; i++)
		block_sizes[i] = draw_size(&state);
}

void blocks_choose(struct block blocks[BLOCKS], unsigned int thread, uint64_t number)
{
	uint64_t first = number * BLOCKS;
	const uint32_t *sizes = block_sizes + (first + thread * (SIZES / 2 + BLOCKS)) % SIZES;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i].size = sizes[i];
		blocks[i].pattern = ((uint64_t)(thread + 1) << 48) ^ (first + i + 1);
	}
}

/*
 * How far apart words are written and read: one block in eight whole, of the others both ends, or
 * it all were that.
 */
static unsigned int stride(const struct block *block)
{
	unsigned int words = block->size / sizeof(pair);

	return block->pattern % 8 && words > 1 ? words - 1 : 1;
}

void blocks_allocate(struct block blocks[BLOCKS])
{
	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i].at = malloc(blocks[i].size);
		if (!blocks[i].at)
			die(EXIT_NO_MEMORY, "no memory for a block of %u bytes", blocks[i].size);
	}
}

uint64_t blocks_fill(struct block blocks[BLOCKS])
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		pair *words = blocks[i].at, pattern = { blocks[i].pattern, blocks[i].pattern };

		for (unsigned int word = 0; word < blocks[i].size / sizeof(pair);
		     word += stride(&blocks[i]))
			words[word] = pattern;
		sum += blocks[i].pattern;
	}
	return sum;
}

uint64_t blocks_verify(const struct block *blocks, unsigned int count)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		const pair *words = blocks[i].at,
			   pattern = { blocks[i].pattern, blocks[i].pattern };
		pair wrong = { 0 };

		for (unsigned int word = 0; word < blocks[i].size / sizeof(pair);
		     word += stride(&blocks[i]))
			wrong |= words[word] ^ pattern;
		if (wrong[0] | wrong[1])
			die(EXIT_WRONG_BLOCK,
			    "a block of %u bytes does not hold what was written to it: somebody else has it too",
			    blocks[i].size);
		sum += words[0][0];
	}
	return sum;
}
