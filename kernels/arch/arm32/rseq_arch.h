/* SPDX-License-Identifier: MIT */
/*
 * ARMv7: the ops from which include/sequences.h composes its sequences. Operands are named as in
 * the sequences.
 */
#ifndef RSEQ_ARCH_H
#define RSEQ_ARCH_H

#if !defined(__arm__) || !defined(__ARMEL__) || __ARM_ARCH < 7
#error "kernels/arch/arm32 is for little-endian ARMv7 compilers"
#endif

#include "rseq_abi.h"

#define RSEQ_SIG 0xe7f5def3

/* An undefined instruction: a stray jump traps. */
#define OP_SIGNATURE ".word " RSEQ_STR(RSEQ_SIG) "\n"
#define OP_ADDRESS(x) ".word " x ", 0\n\t" /* the ABI's fields are 64 bits wide, low half first */
#define RSEQ_IMMEDIATE "rI" /* an addend: 8-bit rotated immediate, or a register */

#define ARCH_NOP_BYTES "4" /* the length of a nop */

#ifdef __thumb__
#define ARCH_PC_AHEAD "4" /* how far pc runs ahead of the instruction that reads it */
#else
#define ARCH_PC_AHEAD "8"
#endif

/*
 * Announce the sequence: from here to 772, Linux restarts us at 773. Not part of the sequence
 * itself. The address is made from pc, because a literal pool may end up anywhere, and without
 * relocations in text. The upper half of rseq_cs stays zero from registration on.
 */
#define OP_STORE_RSEQ_CS(area, tmp)                                                                \
	"movw %[" #tmp "], #:lower16:(774b - (776f + " ARCH_PC_AHEAD "))\n\t"                      \
	"movt %[" #tmp "], #:upper16:(774b - (776f + " ARCH_PC_AHEAD "))\n"                        \
	"776:\n\t"                                                                                 \
	"add %[" #tmp "], pc\n\t" /* the descriptor */                                             \
	"str %[" #tmp "], [%[" #area "], #" RSEQ_CS_AT "]\n\t" /* area->rseq_cs = it */

/* dst = area->cpu_id */
#define OP_LOAD_CPU(dst, area) "ldr %[" #dst "], [%[" #area "], #" CPU_ID_AT "]\n\t"
#define OP_BNE_CPU(cpu, area, tmp, label)                                                          \
	"ldr %[" #tmp "], [%[" #area "], #" CPU_ID_AT "]\n\t"                                      \
	"cmp %[" #tmp "], %[" #cpu "]\n\t"                                                         \
	"bne " label "\n\t"
/* reg = base + (reg << shift): this CPU's slot */
#define OP_INDEX(reg, base, shift)                                                                 \
	"add %[" #reg "], %[" #base "], %[" #reg "], lsl %[" #shift "]\n\t"
#define OP_COPY(dst, src) "mov %[" #dst "], %[" #src "]\n\t"
#define OP_ADD(dst, n) "add %[" #dst "], %[" #dst "], %[" #n "]\n\t"
#define OP_LOAD(dst, ptr, off) "ldr %[" #dst "], [%[" #ptr "], %[" #off "]]\n\t"
#define OP_STORE(src, ptr, off) "str %[" #src "], [%[" #ptr "], %[" #off "]]\n\t"
#define OP_ADD_MEMORY(ptr, off, n, tmp)                                                            \
	OP_LOAD(tmp, ptr, off)                                                                     \
	OP_ADD(tmp, n)                                                                             \
	OP_STORE(tmp, ptr, off)
/* clang-format off */
#define OP_ADD_RELEASE(ptr, n, tmp)                                                                \
	"ldr %[" #tmp "], [%[" #ptr "]]\n\t"                                                       \
	OP_ADD(tmp, n)                                                                             \
	"dmb ish\n\t" /* what was written before is seen before */                                 \
	"str %[" #tmp "], [%[" #ptr "]]\n\t"
/* clang-format on */
#define OP_STORE_RELEASE(src, ptr) "dmb ish\n\tstr %[" #src "], [%[" #ptr "]]\n\t"
#define OP_BEQ(a, b, label) "cmp %[" #a "], %[" #b "]\n\tbeq " label "\n\t"
#define OP_BNE(a, b, label) "cmp %[" #a "], %[" #b "]\n\tbne " label "\n\t"
#define OP_BZ(a, label) "cmp %[" #a "], #0\n\tbeq " label "\n\t"
#define OP_JUMP(label) "b " label "\n\t"
#define OP_COUNT_ABORT(aborts, tmp)                                                                \
	"ldr %[" #tmp "], [%[" #aborts "]]\n\t"                                                    \
	"add %[" #tmp "], %[" #tmp "], #1\n\t"                                                     \
	"str %[" #tmp "], [%[" #aborts "]]\n\t"
#define OP_DELAY(tmp) /* hold the sequence open for RSEQ_DELAY_LOOPS rounds */                     \
	"movw %[" #tmp "], #" RSEQ_DELAY_LOOPS "\n"                                                \
	"775:\n\t"                                                                                 \
	"subs %[" #tmp "], %[" #tmp "], #1\n\t"                                                    \
	"bne 775b\n\t"

/* counter += n in memory, by one thread, not atomic: the least an increment can cost. */
static inline __attribute__((always_inline)) void arch_add(unsigned long *counter, unsigned long n)
{
	unsigned long value;

	__asm__ volatile("ldr %0, %1\n\tadd %0, %0, %2\n\tstr %0, %1"
			 : "=&r"(value), "+m"(*counter)
			 : "rI"(n));
}

static inline __attribute__((always_inline)) void *arch_thread_pointer(void)
{
	/* TPIDRURO: -mtp=cp15 in arch.toml keeps it an instruction */
	return __builtin_thread_pointer();
}

#endif
