// SPDX-License-Identifier: MIT
/*
 * freelist: "per-cpu memory pools": take a block and give it back.
 *
 * Exact means: at the end every block lies on exactly one list, and while the check ran nobody was
 * given a block that another thread held.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "benchmark.h"
#include "percpu.h"
#include "sequences.h"

#define SLOT_SHIFT 7
#define BLOCKS_PER_THREAD 4

struct pool_block {
	struct pool_block *next;
	/* the same for the tagged list: number of the next block plus one, 0 at the end */
	uint32_t next_tagged;
	uint32_t owned; /* while a check runs: whether a thread holds it */
	bool seen;
	char payload[40];
} __attribute__((aligned(64)));

/*
 * A list head: a pointer for sequences; for compare-and-swap a block number and a tag, against ABA.
 */
struct percpu_list {
	struct pool_block *head;
	uint64_t tagged __attribute__((aligned(8)));
};

static char *slots;
static struct pool_block *blocks;
static unsigned int block_count;

static __always_inline struct percpu_list *list_at(char *base, size_t cpu)
{
	return (struct percpu_list *)(base + (cpu << SLOT_SHIFT));
}

static struct percpu_list *list_of_cpu(size_t cpu)
{
	return list_at(slots, cpu);
}

static int freelist_allocate(const struct setup *setup)
{
	/* Any number of the threads may be on one CPU, and each holds a block. */
	block_count = possible_cpus() * (BLOCKS_PER_THREAD + setup->threads);
	slots = percpu_alloc(SLOT_SHIFT);
	blocks = aligned_alloc(4096, (block_count * sizeof(*blocks) + 4095) / 4096 * 4096);
	if (slots && blocks)
		return 0;
	free(slots);
	free(blocks);
	return ENOMEM;
}

static void freelist_fill(unsigned int number, struct percpu_list *slot)
{
	struct pool_block *block = &blocks[number];

	*block = (struct pool_block){ .next = slot->head, .next_tagged = (uint32_t)slot->tagged };
	slot->head = block;
	slot->tagged = number + 1;
}

static int freelist_setup(const struct setup *setup)
{
	int error = freelist_allocate(setup);

	for (unsigned int i = 0; !error && i < block_count; i++)
		freelist_fill(i, list_of_cpu(i % possible_cpus()));
	return error;
}

static void freelist_teardown(void)
{
	free(slots);
	free(blocks);
}

static void freelist_forget(void)
{
	for (unsigned int i = 0; i < block_count; i++)
		blocks[i].seen = false;
}

static const char *freelist_see(struct pool_block *block, unsigned int *found)
{
	if (block < blocks || block >= blocks + block_count)
		return "a list leads out of the pool";
	if (block->seen)
		return complain("block %td lies on a list twice", block - blocks);
	block->seen = true;
	(*found)++;
	return NULL;
}

static const char *verify_pointers(uint64_t operations)
{
	const char *wrong = NULL;
	unsigned int found = 0;

	(void)operations;
	freelist_forget();
	for (unsigned int cpu = 0; cpu < possible_cpus() && !wrong; cpu++)
		for (struct pool_block *b = list_of_cpu(cpu)->head; b && !wrong;
		     b = wrong ? NULL : b->next)
			wrong = freelist_see(b, &found);
	if (wrong || found == block_count)
		return wrong;
	return complain("%u of %u blocks are lost", block_count - found, block_count);
}

static const char *verify_tagged(uint64_t operations)
{
	const char *wrong = NULL;
	unsigned int found = 0;

	(void)operations;
	freelist_forget();
	for (unsigned int cpu = 0; cpu < possible_cpus() && !wrong; cpu++)
		for (uint32_t n = (uint32_t)list_of_cpu(cpu)->tagged; n && !wrong;
		     n = wrong ? 0 : blocks[n - 1].next_tagged)
			wrong = freelist_see(&blocks[n - 1], &found);
	if (wrong || found == block_count)
		return wrong;
	return complain("%u of %u blocks are lost", block_count - found, block_count);
}

/*
 * Hold the block for a moment; nobody else may have it. Only while a check holds everything open.
 */
static __always_inline void hold(struct thread *self, struct pool_block *block, const bool stress)
{
	if (!stress)
		return;
	if (__atomic_exchange_n(&block->owned, 1, __ATOMIC_ACQUIRE))
		self->failures++;
	linger();
	__atomic_store_n(&block->owned, 0, __ATOMIC_RELEASE);
}

/* This CPU's list is empty because others hold its blocks: let them run. */
static void wait_for_block(struct thread *self)
{
	self->retries++;
	sched_yield();
}

#define FREELIST(symbol, name_, doc_, flags_, verify_)                                             \
	BENCHMARK(symbol, .name = "freelist/" name_, .doc = doc_,                                  \
		  .flags = IS_SHARED | IS_THREADED | (flags_), .setup = freelist_setup,            \
		  .run = run_##symbol, .stress = stress_##symbol, .verify = verify_,               \
		  .teardown = freelist_teardown)

static __always_inline uint64_t next_tag(uint64_t tagged, uint32_t number)
{
	return ((tagged >> 32) + 1) << 32 | number;
}

static __always_inline struct pool_block *take_tagged(struct percpu_list *slot,
						      struct pool_block *pool, const bool stress)
{
	uint64_t head = __atomic_load_n(&slot->tagged, __ATOMIC_ACQUIRE);

	while ((uint32_t)head) {
		struct pool_block *block = &pool[(uint32_t)head - 1];
		uint64_t next = next_tag(head, READ_ONCE(block->next_tagged));

		if (stress)
			linger();
		if (__atomic_compare_exchange_n(&slot->tagged, &head, next, false, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
			return block;
	}
	return NULL;
}

static __always_inline void give_tagged(struct percpu_list *slot, struct pool_block *pool,
					struct pool_block *block)
{
	uint32_t number = block - pool + 1;
	uint64_t head = __atomic_load_n(&slot->tagged, __ATOMIC_RELAXED);

	do {
		WRITE_ONCE(block->next_tagged, (uint32_t)head);
	} while (!__atomic_compare_exchange_n(&slot->tagged, &head, next_tag(head, number), false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static __always_inline void loop_cas(struct thread *self, unsigned long loops, const bool stress,
				     read_cpu_fn *read_cpu)
{
	char *base = slots;
	struct pool_block *pool = blocks;

	while (loops) {
		struct pool_block *block =
			take_tagged(list_at(base, read_cpu(self->area)), pool, stress);

		if (unlikely(!block)) {
			wait_for_block(self);
			continue;
		}
		hold(self, block, stress);
		give_tagged(list_at(base, read_cpu(self->area)), pool, block);
		loops--;
	}
}

static void run_getcpu_cas(struct thread *self, unsigned long loops)
{
	loop_cas(self, loops, false, cpu_by_getcpu_2018);
}

static void stress_getcpu_cas(struct thread *self, unsigned long loops)
{
	loop_cas(self, loops, true, cpu_by_getcpu_2018);
}

FREELIST(getcpu_cas, "getcpu_cas",
	 GETCPU_2018_DOC " and a tagged compare-and-swap, twice: acquire to take, release to give",
	 0, verify_tagged);

#ifdef ARCH_HAS_VDSO_GETCPU
static void run_vdso_cas(struct thread *self, unsigned long loops)
{
	loop_cas(self, loops, false, cpu_by_getcpu);
}

static void stress_vdso_cas(struct thread *self, unsigned long loops)
{
	loop_cas(self, loops, true, cpu_by_getcpu);
}

FREELIST(vdso_cas, "vdso_cas",
	 "vDSO getcpu and a tagged compare-and-swap, twice: acquire to take, release to give", 0,
	 verify_tagged);
#else
BENCHMARK_ABSENT(
	vdso_cas, "freelist/vdso_cas",
	"vDSO getcpu and a tagged compare-and-swap, twice: acquire to take, release to give",
	NO_VDSO_GETCPU);
#endif

static __always_inline void loop_rseq(struct thread *self, unsigned long loops, const bool stress)
{
	const size_t head = offsetof(struct percpu_list, head),
		     next = offsetof(struct pool_block, next);
	struct rseq *area = self->area;
	char *base = slots;

	while (loops) {
		void *block;

		if (unlikely(!SEQ(stress, pop(area, &self->aborts, base, SLOT_SHIFT, head, next,
					      &block)))) {
			wait_for_block(self);
			continue;
		}
		hold(self, block, stress);
		SEQ(stress, push(area, &self->aborts, base, SLOT_SHIFT, head, next, block));
		loops--;
	}
}

static void run_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, false);
}

static void stress_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, true);
}

FREELIST(rseq, "rseq", "two restartable sequences: pop and push, no tag", NEEDS_RSEQ | IS_SEQUENCE,
	 verify_pointers);

static __thread struct pool_block *local_head __attribute__((tls_model("initial-exec")));

static void run_thread_local(struct thread *self, unsigned long loops)
{
	struct pool_block mine[BLOCKS_PER_THREAD] = { 0 };
	unsigned int found = 0;

	for (unsigned int i = 0; i < BLOCKS_PER_THREAD; i++) {
		mine[i].next = i ? &mine[i - 1] : NULL;
		WRITE_ONCE(local_head, &mine[i]);
	}
	for (; loops; loops--) {
		struct pool_block *block = READ_ONCE(local_head);

		if (unlikely(!block)) {
			self->failures++;
			return;
		}
		WRITE_ONCE(local_head, block->next);
		barrier();
		block->next = READ_ONCE(local_head);
		WRITE_ONCE(local_head, block);
	}
	for (struct pool_block *b = READ_ONCE(local_head); b && found <= BLOCKS_PER_THREAD;
	     b = b->next)
		found++;
	if (found != BLOCKS_PER_THREAD)
		self->failures++;
}

BENCHMARK(thread_local, .name = "freelist/thread_local",
	  .doc = "a list a thread: no CPU number, but blocks strand with threads",
	  .flags = IS_SHARED | IS_THREADED, .run = run_thread_local);

static void run_malloc(struct thread *self, unsigned long loops)
{
	for (; loops; loops--) {
		void *block = malloc(sizeof(struct pool_block));

		if (unlikely(!block))
			self->failures++;
		/* the compiler must not pair them up and drop both */
		__asm__ volatile("" : "+r"(block));
		free(block);
	}
}

BENCHMARK(malloc, .name = "freelist/malloc", .doc = "the C library's malloc and free of 64 bytes",
	  .flags = IS_TRIVIAL | IS_THREADED, .run = run_malloc);
