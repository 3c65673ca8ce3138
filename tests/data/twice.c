/* An allocator with a defect, to be preloaded: now and then it hands out a block that somebody still has. */
#include <stddef.h>

#define ARENA (1ul << 30)
#define ONE_IN 500

static _Alignas(16) char arena[ARENA];
static size_t used;

void *malloc(size_t size)
{
	static unsigned long calls;
	static char *last;
	static size_t last_size;
	size_t rounded = (size + 15) & ~15ul;

	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % ONE_IN == 0 && size <= last_size)
		return last;
	last_size = size;
	return last = arena + __atomic_fetch_add(&used, rounded, __ATOMIC_RELAXED);
}

void *calloc(size_t count, size_t size)
{
	return arena + __atomic_fetch_add(&used, (count * size + 15) & ~15ul, __ATOMIC_RELAXED);
}

void free(void *block)
{
	(void)block;
}
