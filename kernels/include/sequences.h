/* SPDX-License-Identifier: MIT */
/*
 * The restartable sequences, written once over the ops of an architecture
 * (arch/<name>/rseq_arch.h).
 *
 * Every one follows the same plan:
 *
 *	restart:
 *		area->rseq_cs = &descriptor       announce: { start, end, abort }
 *	start:
 *		cpu = area->cpu_id                read here, inside: it cannot be stale at the commit
 *		...                               work that nobody sees yet
 *		one store                         the commit, the last instruction
 *	end:
 *	abort (out of line, behind the signature):
 *		aborts++
 *		goto restart
 *
 * Linux looks at rseq_cs whenever it preempts, migrates or signals the thread; if the thread stands
 * between start and end, it continues at abort. A finished sequence need not clear rseq_cs: Linux
 * does that when it next looks and finds the thread elsewhere. Reading the CPU number inside the
 * sequence makes the comparison with a number read before it superfluous, and restarting in
 * assembly leaves the compiler nothing to spill; what remains is one store more than a plain
 * per-CPU operation. A caller must have checked once that the thread is registered.
 *
 * Never single-step through one: every step aborts it, and it starts again for ever.
 *
 * Each comes twice: plain_*, which is timed, and stress_*, which holds the sequence open for some
 * hundred nanoseconds before its commit, so that aborts really land in it. SEQ(stress, add(...))
 * picks one at compile time.
 */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include <stddef.h>

#include "benchmark.h"
#include "rseq_arch.h"

#define RSEQ_DELAY_LOOPS "500"
#define SEQ(stress, call) ((stress) ? stress_##call : plain_##call)

/*
 * GCC before 11.5, 12.4 and 13.3 may drop an asm goto with outputs, use its outputs too early, or
 * throw away what stands behind the label that it jumps to (GCC bugs 98619 and 113921). An empty
 * asm behind it cures the first two, and one at each label, SEQ_LANDING, the third;
 * tests/integration/kernels/test_codegen.py looks at what comes out.
 */
#define SEQ_LANDING __asm__ volatile("")
#define asm_goto_output(...)                                                                       \
	do {                                                                                       \
		__asm__ volatile goto(__VA_ARGS__);                                                \
		__asm__ volatile("");                                                              \
	} while (0)

/*
 * The tests build the benchmarks with RSEQ_BREAK set, each time one way wrong, and expect the
 * checks to find it:
 *	1  the commit is not the last instruction of the sequence
 *	2  an abort continues behind the commit
 *	3  the CPU number is read before the sequence starts
 */
#ifndef RSEQ_BREAK
#define RSEQ_BREAK 0
#endif

#if RSEQ_BREAK == 1
#define SEQ_AFTER_COMMIT OP_DELAY(tmp)
#else
#define SEQ_AFTER_COMMIT
#endif

#if RSEQ_BREAK == 2
#define SEQ_ABORT_RESUMES OP_JUMP("772b")
#else
#define SEQ_ABORT_RESUMES OP_JUMP("770b")
#endif

#if RSEQ_BREAK == 3
#define SEQ_BEFORE(read) read OP_DELAY(tmp)
#define SEQ_INSIDE(read)
#else
#define SEQ_BEFORE(read)
#define SEQ_INSIDE(read) read
#endif

/* clang-format off */
#define SEQ_START(read_cpu)                                                                        \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                       \
	".balign 32\n"                                                                             \
	"774:\n\t"                                                                                 \
	".long 0, 0\n\t" /* version, flags */                                                      \
	OP_ADDRESS("771f") /* start */                                                             \
	OP_ADDRESS("772f - 771f") /* length: the instruction at 772 is outside */                  \
	OP_ADDRESS("773f") /* abort */                                                             \
	".popsection\n"                                                                            \
	"770:\n\t"                                                                                 \
	SEQ_BEFORE(read_cpu)                                                                       \
	OP_ARM(tmp)                                                                                \
	"771:\n\t"                                                                                 \
	SEQ_INSIDE(read_cpu)

#define SEQ_END                                                                                    \
	SEQ_AFTER_COMMIT                                                                           \
	"772:\n\t"                                                                                 \
	".pushsection __rseq_abort, \"ax\"\n\t"                                                    \
	OP_SIGNATURE /* Linux demands it in the four bytes before an abort address */              \
	"773:\n\t"                                                                                 \
	OP_COUNT_ABORT(tmp)                                                                        \
	SEQ_ABORT_RESUMES                                                                          \
	".popsection\n\t"
/* clang-format on */

#define SEQ_NAME(name) plain_##name
#define SEQ_HOLD
#define SEQ_ADD(ptr, off, n) OP_ADD_MEMORY(ptr, off, n, tmp)
#define SEQ_ADD_RELEASE(ptr, n) OP_ADD_RELEASE(ptr, n, tmp)
#include "sequences_body.h"
#undef SEQ_NAME
#undef SEQ_HOLD
#undef SEQ_ADD
#undef SEQ_ADD_RELEASE

/*
 * Held open, the addition is taken apart even where one instruction could do it: a foreign CPU must
 * get its chance.
 */
#define SEQ_NAME(name) stress_##name
#define SEQ_HOLD OP_DELAY(tmp)
#define SEQ_ADD(ptr, off, n)                                                                       \
	OP_LOAD(value, ptr, off)                                                                   \
	OP_DELAY(tmp)                                                                              \
	OP_ADD(value, n)                                                                           \
	OP_STORE(value, ptr, off)
#define SEQ_ADD_RELEASE(ptr, n)                                                                    \
	OP_LOAD(value, ptr, off)                                                                   \
	OP_DELAY(tmp)                                                                              \
	OP_ADD(value, n)                                                                           \
	OP_STORE_RELEASE(value, ptr)
#include "sequences_body.h"
#undef SEQ_NAME
#undef SEQ_HOLD
#undef SEQ_ADD
#undef SEQ_ADD_RELEASE

#endif
