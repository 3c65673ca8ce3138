/* SPDX-License-Identifier: MIT */
/*
 * AArch64: the ops from which include/sequences.h composes its sequences. Operands are named as in
 * the sequences.
 */
#ifndef RSEQ_ARCH_H
#define RSEQ_ARCH_H

#if !defined(__aarch64__) || !defined(__AARCH64EL__)
#error "kernels/arch/arm64 is for little-endian AArch64 compilers"
#endif

#include <asm/hwcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "rseq_abi.h"

#define RSEQ_SIG 0xd428bc00

/* Brk #0x45e0: a stray jump traps. */
#define OP_SIGNATURE ".inst " RSEQ_STR(RSEQ_SIG) "\n"
#define OP_ADDRESS(x) ".quad " x "\n\t"
#define RSEQ_IMMEDIATE "rI" /* an addend: 12-bit immediate, or a register */

#define ARCH_NOP_BYTES "4" /* the length of a nop */

/*
 * Announce the sequence: from here to 772, Linux restarts us at 773. Not part of the sequence
 * itself.
 */
#define OP_STORE_RSEQ_CS(area, tmp)                                                                \
	"adrp %[" #tmp "], 774b\n\t" /* the page of the descriptor */                              \
	"add %[" #tmp "], %[" #tmp "], :lo12:774b\n\t" /* and its place there */                   \
	"str %[" #tmp "], [%[" #area "], " RSEQ_CS_AT "]\n\t" /* area->rseq_cs = it */

/* dst = area->cpu_id */
#define OP_LOAD_CPU(dst, area) "ldr %w[" #dst "], [%[" #area "], " CPU_ID_AT "]\n\t"
#define OP_BNE_CPU(cpu, area, tmp, label)                                                          \
	"ldr %w[" #tmp "], [%[" #area "], " CPU_ID_AT "]\n\t"                                      \
	"cmp %w[" #tmp "], %w[" #cpu "]\n\t"                                                       \
	"b.ne " label "\n\t"
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
	"stlr %[" #tmp "], [%[" #ptr "]]\n\t"
/* clang-format on */
#define OP_STORE_RELEASE(src, ptr) "stlr %[" #src "], [%[" #ptr "]]\n\t"
#define OP_BEQ(a, b, label) "cmp %[" #a "], %[" #b "]\n\tb.eq " label "\n\t"
#define OP_BNE(a, b, label) "cmp %[" #a "], %[" #b "]\n\tb.ne " label "\n\t"
#define OP_BZ(a, label) "cbz %[" #a "], " label "\n\t"
#define OP_JUMP(label) "b " label "\n\t"
#define OP_COUNT_ABORT(aborts, tmp)                                                                \
	"ldr %[" #tmp "], [%[" #aborts "]]\n\t"                                                    \
	"add %[" #tmp "], %[" #tmp "], 1\n\t"                                                      \
	"str %[" #tmp "], [%[" #aborts "]]\n\t"
#define OP_DELAY(tmp) /* hold the sequence open for RSEQ_DELAY_LOOPS rounds */                     \
	"mov %w[" #tmp "], " RSEQ_DELAY_LOOPS "\n"                                                 \
	"775:\n\t"                                                                                 \
	"subs %w[" #tmp "], %w[" #tmp "], 1\n\t"                                                   \
	"b.ne 775b\n\t"

/* counter += n in memory, by one thread, not atomic: the least an increment can cost. */
static inline __attribute__((always_inline)) void arch_add(unsigned long *counter, unsigned long n)
{
	unsigned long value;

	__asm__ volatile("ldr %0, %1\n\tadd %0, %0, %2\n\tstr %0, %1"
			 : "=&r"(value), "+m"(*counter)
			 : "rI"(n));
}

/*
 * counter += n by one instruction of ARMv8.1 (LSE), relaxed like the ll/sc loop that the compiler
 * makes of an atomic.
 */
#define ARCH_HAS_LSE 1
static inline const char *arch_no_lse(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ATOMICS ? NULL : "this CPU has no LSE atomics (ARMv8.1)";
}

static inline __attribute__((always_inline)) void arch_add_lse(unsigned long *counter,
							       unsigned long n)
{
	__asm__ volatile(".arch_extension lse\n\tstadd %1, %0"
			 : "+Q"(*counter)
			 : "r"(n)
			 : "memory");
}

/* The generic timer: one rate for the whole system, by architecture. */
#define ARCH_HAS_CLOCK 1
static inline bool arch_clock_steady(void)
{
	return true;
}
static inline __attribute__((always_inline)) unsigned long arch_clock_begin(void)
{
	unsigned long ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
	return ticks;
}
static inline __attribute__((always_inline)) unsigned long arch_clock_end(void)
{
	return arch_clock_begin();
}

static inline __attribute__((always_inline)) void *arch_thread_pointer(void)
{
	return __builtin_thread_pointer();
}

#endif
