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
 *		cpu = area->cpu_id                read here, inside: current when it commits
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
 * Each comes twice: plain_*, which is timed, and stress_*, which holds the sequence open for some
 * hundred nanoseconds before its commit, so that aborts really land in it. SEQ(stress, add(...))
 * picks one at compile time.
 *
 * Every step of a debugger through a sequence aborts it, and it starts again for ever. So that a
 * debugger can step over one instead, two sections say where each begins and ends, in the format
 * of librseq: __rseq_cs_ptr_array has the addresses of all descriptors, __rseq_exit_point_array
 * has pairs of a sequence's start and an address outside to which it may jump. gdb 13 reads
 * neither by itself: debug/rseq_gdb.py does it for gdb.
 *
 * Local labels of the assembly, which other assembly must not use between SEQ_START and SEQ_END:
 *
 *	770	restart: where the sequence is announced
 *	771	start: the first instruction of the sequence
 *	772	end: the first instruction behind the commit
 *	773	abort: the handler, behind the signature
 *	774	the descriptor (struct rseq_cs)
 *	775	the loop of OP_DELAY
 *	776	arm32: the instruction of OP_STORE_RSEQ_CS that reads pc
 */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include <stddef.h>

#include "benchmark.h"
#include "rseq_arch.h"

#ifdef HAVE_LIBC_RSEQ_SIG
_Static_assert((uint32_t)LIBC_RSEQ_SIG == RSEQ_SIG, "one signature for all that a process has");
#endif

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
#define SEQ_AFTER_COMMIT(tmp) OP_DELAY(tmp)
#else
#define SEQ_AFTER_COMMIT(tmp)
#endif

#if RSEQ_BREAK == 2
#define SEQ_ABORT_RESUMES OP_JUMP("772b")
#else
#define SEQ_ABORT_RESUMES OP_JUMP("770b")
#endif

#if RSEQ_BREAK == 3
#define SEQ_BEFORE(read_cpu, tmp) read_cpu OP_DELAY(tmp)
#define SEQ_INSIDE(read_cpu)
#else
#define SEQ_BEFORE(read_cpu, tmp)
#define SEQ_INSIDE(read_cpu) read_cpu
#endif

/* clang-format off */
#define SEQ_START(area, tmp, read_cpu)                                                             \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                       \
	".balign 32\n"                                                                             \
	"774:\n\t"                                                                                 \
	".long 0, 0\n\t" /* version, flags */                                                      \
	OP_ADDRESS("771f") /* start */                                                             \
	OP_ADDRESS("772f - 771f") /* length: the instruction at 772 is outside */                  \
	OP_ADDRESS("773f") /* abort */                                                             \
	".popsection\n"                                                                            \
	".pushsection __rseq_cs_ptr_array, \"aw\"\n\t"                                             \
	OP_ADDRESS("774b")                                                                         \
	".popsection\n"                                                                            \
	"770:\n\t"                                                                                 \
	SEQ_BEFORE(read_cpu, tmp)                                                                  \
	OP_STORE_RSEQ_CS(area, tmp)                                                                \
	"771:\n\t"                                                                                 \
	SEQ_INSIDE(read_cpu)

/* A label of C to which the sequence jumps; behind SEQ_START. */
#define SEQ_EXIT(label)                                                                            \
	".pushsection __rseq_exit_point_array, \"aw\"\n\t"                                         \
	OP_ADDRESS("771b")                                                                         \
	OP_ADDRESS("%l[" #label "]")                                                               \
	".popsection\n\t"

#define SEQ_END(aborts, tmp)                                                                       \
	SEQ_AFTER_COMMIT(tmp)                                                                      \
	"772:\n\t"                                                                                 \
	".pushsection __rseq_abort, \"ax\"\n\t"                                                    \
	OP_SIGNATURE /* Linux demands it in the four bytes before an abort address */              \
	"773:\n\t"                                                                                 \
	OP_COUNT_ABORT(aborts, tmp)                                                                \
	SEQ_ABORT_RESUMES                                                                          \
	".popsection\n\t"
/* clang-format on */

#define SEQ_NAME(name) plain_##name
#define SEQ_HOLD(tmp)
#define SEQ_ADD(ptr, off, n, value, tmp) OP_ADD_MEMORY(ptr, off, n, tmp)
#define SEQ_ADD_RELEASE(ptr, off, n, value, tmp) OP_ADD_RELEASE(ptr, n, tmp)
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
#define SEQ_HOLD(tmp) OP_DELAY(tmp)
#define SEQ_ADD(ptr, off, n, value, tmp)                                                           \
	OP_LOAD(value, ptr, off)                                                                   \
	OP_DELAY(tmp)                                                                              \
	OP_ADD(value, n)                                                                           \
	OP_STORE(value, ptr, off)
#define SEQ_ADD_RELEASE(ptr, off, n, value, tmp)                                                   \
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
