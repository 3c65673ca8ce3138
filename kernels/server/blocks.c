// SPDX-License-Identifier: MIT
#include "blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define DRAWN 8192 /* a multiple of BLOCKS */
#define LARGE_ONE_IN 128
#define SEED 0x9e3779b97f4a7c15

/* What every size is a multiple of, and every block is aligned to. */
typedef uint64_t pair __attribute__((vector_size(16), may_alias));

static uint32_t sizes[DRAWN];

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t drawn(uint64_t *state, double low, double high)
{
	double share = (double)(next(state) >> 11) / (double)(1ull << 53);

	return (uint32_t)(low * exp2(share * log2(high / low))) & ~15u;
}

static uint32_t any(uint64_t *state)
{
	uint64_t which = next(state);

	if (which % LARGE_ONE_IN == 0)
		return drawn(state, 1024, 16384 + 16);
	return which >> 32 & 3 ? drawn(state, 16, 128 + 16) : drawn(state, 128, 1024 + 16);
}

void blocks_draw(void)
{
	uint64_t state = SEED;

	for (unsigned int i = 0; i < DRAWN; i++)
		sizes[i] = any(&state);
}

void blocks_choose(struct block blocks[BLOCKS], unsigned int thread, uint64_t number)
{
	uint64_t first = number * BLOCKS;
	const uint32_t *own = sizes + (first + thread * (DRAWN / 2 + BLOCKS)) % DRAWN;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i].size = own[i];
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
			die(NO_MEMORY, "no memory for a block of %u bytes", blocks[i].size);
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
			die(WRONG_BLOCK,
			    "a block of %u bytes does not hold what was written to it: somebody else has it too",
			    blocks[i].size);
		sum += words[0][0];
	}
	return sum;
}
