/* SPDX-License-Identifier: MIT */
/*
 * The bodies of the sequences; sequences.h explains them and includes this file twice.
 *
 * `area` and `aborts` belong to the calling thread. `base` is an array with one slot a CPU, 1 <<
 * shift bytes apart; offsets are within a slot. shift and offsets must be constants.
 */
/* clang-format off */

/*
 * base[cpu].off += n
 */
static __always_inline void SEQ_NAME(add)(struct rseq *area, unsigned long *aborts, void *base,
					  const int shift, const size_t off, unsigned long n)
{
	unsigned long cpu, tmp, value;

	__asm__ volatile(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		OP_INDEX(cpu, base, shift) /* cpu = &base[cpu] */
		SEQ_ADD(cpu, off, n, value, tmp) /* cpu->off += n, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [tmp] "=&r"(tmp), [value] "=&r"(value)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [n] RSEQ_IMMEDIATE(n)
		: "memory", "cc");
	(void)value;
}

/*
 * The style of 2018, kept to be measured: the CPU number is read outside and compared inside.
 *
 * retry: cpu = area->cpu_id_start; slot = &base[cpu]
 *        in sequence: if (area->cpu_id != cpu) goto retry; slot->off += n
 */
static __always_inline void SEQ_NAME(compare_add)(struct rseq *area, unsigned long *aborts,
						  void *base, const int shift, const size_t off,
						  unsigned long n)
{
	unsigned long tmp, value;

	do {
		unsigned long cpu = READ_ONCE(area->cpu_id_start);
		char *slot = (char *)base + (cpu << shift);

		asm_goto_output(
			SEQ_START(area, tmp, OP_BNE_CPU(cpu, area, tmp, "%l[moved]")) /* still there? */
			SEQ_EXIT(moved)
			SEQ_ADD(slot, off, n, value, tmp) /* slot->off += n, the commit */
			SEQ_END(aborts, tmp)
			: [tmp] "=&r"(tmp), [value] "=&r"(value)
			: [area] "r"(area), [aborts] "r"(aborts), [cpu] "r"(cpu), [slot] "r"(slot),
			  [off] "i"(off), [n] RSEQ_IMMEDIATE(n)
			: "memory", "cc"
			: moved);
		(void)value;
		return;
moved:
		SEQ_LANDING;
	} while (1);
}

/*
 * *counter += n with release order if the thread is on `cpu`; return whether it was.
 */
static __always_inline bool SEQ_NAME(add_on)(struct rseq *area, unsigned long *aborts,
					     unsigned long cpu, unsigned long *counter,
					     unsigned long n)
{
	unsigned long tmp, value;
	const size_t off = 0;

	asm_goto_output(
		SEQ_START(area, tmp, OP_BNE_CPU(cpu, area, tmp, "%l[elsewhere]")) /* on that CPU? */
		SEQ_EXIT(elsewhere)
		SEQ_ADD_RELEASE(counter, off, n, value, tmp) /* *counter += n, the commit */
		SEQ_END(aborts, tmp)
		: [tmp] "=&r"(tmp), [value] "=&r"(value)
		: [area] "r"(area), [aborts] "r"(aborts), [cpu] "r"(cpu), [counter] "r"(counter),
		  [n] RSEQ_IMMEDIATE(n), [off] "i"(off)
		: "memory", "cc"
		: elsewhere);
	(void)value;
	return true;
elsewhere:
	SEQ_LANDING;
	return false;
}

/*
 * if (*word == expect) *word = new, if the thread is on `cpu`; return whether it was done.
 */
static __always_inline bool SEQ_NAME(compare_store_on)(struct rseq *area,
						       unsigned long *aborts, unsigned long cpu,
						       unsigned long *word, unsigned long expect,
						       unsigned long new)
{
	unsigned long tmp;
	const size_t off = 0;

	asm_goto_output(
		SEQ_START(area, tmp, OP_BNE_CPU(cpu, area, tmp, "%l[unchanged]")) /* on that CPU? */
		SEQ_EXIT(unchanged)
		OP_LOAD(tmp, word, off) /* tmp = *word */
		OP_BNE(tmp, expect, "%l[unchanged]") /* as expected? */
		SEQ_HOLD(tmp)
		OP_STORE(new, word, off) /* *word = new, the commit */
		SEQ_END(aborts, tmp)
		: [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [cpu] "r"(cpu), [word] "r"(word),
		  [expect] "r"(expect), [new] "r"(new), [off] "i"(off)
		: "memory", "cc"
		: unchanged);
	return true;
unchanged:
	SEQ_LANDING;
	return false;
}

/*
 *	slot = &base[cpu];
 *	if (slot->off == slot->limit) return false;
 *	*at = slot->off; slot->off += n;
 *	return true;
 */
static __always_inline bool SEQ_NAME(reserve)(struct rseq *area, unsigned long *aborts,
					      void *base, const int shift, const size_t off,
					      const size_t limit, unsigned long n,
					      unsigned long *cpu_out, void **slot_out,
					      unsigned long *at)
{
	unsigned long cpu, slot, position, tmp;

	asm_goto_output(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		SEQ_EXIT(full)
		OP_COPY(slot, cpu)
		OP_INDEX(slot, base, shift) /* slot = &base[cpu] */
		OP_LOAD(position, slot, off) /* position = slot->off */
		OP_LOAD(tmp, slot, limit) /* tmp = slot->limit */
		OP_BEQ(tmp, position, "%l[full]") /* no room left */
		SEQ_HOLD(tmp)
		OP_COPY(tmp, position)
		OP_ADD(tmp, n)
		OP_STORE(tmp, slot, off) /* slot->off = position + n, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [slot] "=&r"(slot), [position] "=&r"(position), [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [limit] "i"(limit), [n] RSEQ_IMMEDIATE(n)
		: "memory", "cc"
		: full);
	*cpu_out = cpu;
	*slot_out = (void *)slot;
	*at = position;
	return true;
full:
	SEQ_LANDING;
	return false;
}

/*
 *	head = base[cpu].off;
 *	if (!head) return false;
 *	base[cpu].off = head->next; *block = head;
 *	return true;
 *
 * head->next is read inside the sequence, so head is still the head when the commit lands: no ABA,
 * no tag. The block may be handed out meanwhile by another thread of this CPU, which restarts us;
 * it stays mapped, so the read is safe.
 */
static __always_inline bool SEQ_NAME(pop)(struct rseq *area, unsigned long *aborts,
					  void *base, const int shift, const size_t off,
					  const size_t next, void **block)
{
	unsigned long cpu, head, tmp;

	asm_goto_output(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		SEQ_EXIT(empty)
		OP_INDEX(cpu, base, shift) /* cpu = &base[cpu] */
		OP_LOAD(head, cpu, off) /* head = cpu->off */
		OP_BZ(head, "%l[empty]")
		SEQ_HOLD(tmp)
		OP_LOAD(tmp, head, next) /* tmp = head->next */
		OP_STORE(tmp, cpu, off) /* cpu->off = tmp, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [head] "=&r"(head), [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [next] "i"(next)
		: "memory", "cc"
		: empty);
	*block = (void *)head;
	return true;
empty:
	SEQ_LANDING;
	return false;
}

/*
 * block->next = base[cpu].off; base[cpu].off = block
 */
static __always_inline void SEQ_NAME(push)(struct rseq *area, unsigned long *aborts,
					   void *base, const int shift, const size_t off,
					   const size_t next, void *block)
{
	unsigned long cpu, head, tmp;

	__asm__ volatile(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		OP_INDEX(cpu, base, shift) /* cpu = &base[cpu] */
		OP_LOAD(head, cpu, off) /* head = cpu->off */
		SEQ_HOLD(tmp)
		OP_STORE(head, block, next) /* block->next = head: the block is still ours alone */
		OP_STORE(block, cpu, off) /* cpu->off = block, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [head] "=&r"(head), [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [next] "i"(next), [block] "r"(block)
		: "memory", "cc");
}

/*
 * The same for lists that know their length: a block's `count` is how many blocks lie on the list
 * from it down, and the last is a sentinel with count 0 and next NULL, so that no list is without a
 * head.
 *
 *	head = base[cpu].off;
 *	if (!head->next) return false;
 *	base[cpu].off = head->next; *block = head;
 *	return true;
 */
static __always_inline bool SEQ_NAME(counted_pop)(struct rseq *area, unsigned long *aborts,
						  void *base, const int shift, const size_t off,
						  const size_t next, void **block)
{
	unsigned long cpu, head, below, tmp;

	asm_goto_output(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		SEQ_EXIT(empty)
		OP_INDEX(cpu, base, shift) /* cpu = &base[cpu] */
		OP_LOAD(head, cpu, off) /* head = cpu->off */
		OP_LOAD(below, head, next) /* below = head->next */
		OP_BZ(below, "%l[empty]") /* head is the sentinel */
		SEQ_HOLD(tmp)
		OP_STORE(below, cpu, off) /* cpu->off = below, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [head] "=&r"(head), [below] "=&r"(below), [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [next] "i"(next)
		: "memory", "cc"
		: empty);
	(void)tmp;
	*block = (void *)head;
	return true;
empty:
	SEQ_LANDING;
	return false;
}

/*
 *	head = base[cpu].off;
 *	if (head->count == limit) return false;
 *	block->next = head; block->count = head->count + 1;
 *	base[cpu].off = block; *slot = &base[cpu]; *deep = block->count;
 *	return true;
 */
static __always_inline bool SEQ_NAME(counted_push)(struct rseq *area, unsigned long *aborts,
						   void *base, const int shift, const size_t off,
						   const size_t next, const size_t count,
						   unsigned long limit, void *block, void **slot,
						   unsigned long *deep)
{
	unsigned long cpu, head, depth, tmp;

	asm_goto_output(
		SEQ_START(area, tmp, OP_LOAD_CPU(cpu, area)) /* cpu = area->cpu_id */
		SEQ_EXIT(full)
		OP_INDEX(cpu, base, shift) /* cpu = &base[cpu] */
		OP_LOAD(head, cpu, off) /* head = cpu->off */
		OP_LOAD(depth, head, count) /* depth = head->count */
		OP_BEQ(depth, limit, "%l[full]")
		OP_ADD(depth, one)
		/* block->next and count: the block is still ours alone */
		OP_STORE(head, block, next)
		OP_STORE(depth, block, count)
		SEQ_HOLD(tmp)
		OP_STORE(block, cpu, off) /* cpu->off = block, the commit */
		SEQ_END(aborts, tmp)
		: [cpu] "=&r"(cpu), [head] "=&r"(head), [depth] "=&r"(depth), [tmp] "=&r"(tmp)
		: [area] "r"(area), [aborts] "r"(aborts), [base] "r"(base), [shift] "i"(shift),
		  [off] "i"(off), [next] "i"(next), [count] "i"(count), [limit] "r"(limit),
		  [block] "r"(block), [one] "i"(1)
		: "memory", "cc"
		: full);
	(void)tmp;
	*slot = (void *)cpu;
	*deep = depth;
	return true;
full:
	SEQ_LANDING;
	return false;
}
