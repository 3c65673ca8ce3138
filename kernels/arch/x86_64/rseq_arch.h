/* SPDX-License-Identifier: MIT */
/*
 * x86-64: the ops from which include/sequences.h composes its sequences, and this architecture's
 * own ways to read the CPU number. Operands are named as in the sequences: OP_LOAD(head, slot, off)
 * uses %[head], %[slot], %c[off].
 */
#ifndef RSEQ_ARCH_H
#define RSEQ_ARCH_H

#ifndef __x86_64__
#error "kernels/arch/x86_64 is for x86-64 compilers"
#endif

#include <asm/prctl.h>
#include <cpuid.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq_abi.h"

#define RSEQ_SIG 0x53053053

/*
 * The signature is the displacement of a ud1, so that a disassembler stays in step and a stray jump
 * traps.
 */
#define OP_SIGNATURE ".byte 0x0f, 0xb9, 0x3d\n\t.long " RSEQ_STR(RSEQ_SIG) "\n"
#define OP_ADDRESS(x) ".quad " x "\n\t"
#define RSEQ_IMMEDIATE "er" /* an addend: 32-bit signed immediate, or a register */

#define ARCH_NOP_BYTES "1" /* the length of a nop */

/*
 * Announce the sequence: from here to 772, Linux restarts us at 773. Not part of the sequence
 * itself.
 */
#define OP_STORE_RSEQ_CS(area, tmp)                                                                \
	"leaq 774b(%%rip), %[" #tmp "]\n\t" /* the descriptor */                                   \
	"movq %[" #tmp "], " RSEQ_CS_AT "(%[" #area "])\n\t" /* area->rseq_cs = it */

/* dst = area->cpu_id, upper half zeroed */
#define OP_LOAD_CPU(dst, area) "movl " CPU_ID_AT "(%[" #area "]), %k[" #dst "]\n\t"
#define OP_BNE_CPU(cpu, area, tmp, label)                                                          \
	"cmpl " CPU_ID_AT "(%[" #area "]), %k[" #cpu "]\n\tjne " label "\n\t"
/*
 * The slot's address is made whole before use, not left to base+index addressing, which would save
 * the addq: some CPUs forward a store to the next load without its latency, and not all of them by
 * an index too. Measured on Zen 4 alone, where both forms take the same two cycles (0.54 ns); Zen
 * 2, Agner Fog found, needs a register but takes an index as well. Of Intel's since Ice Lake, which
 * forward so too, we do not know.
 */
/* reg = base + (reg << shift): this CPU's slot */
#define OP_INDEX(reg, base, shift)                                                                 \
	"shlq %[" #shift "], %[" #reg "]\n\t"                                                      \
	"addq %[" #base "], %[" #reg "]\n\t"
#define OP_COPY(dst, src) "movq %[" #src "], %[" #dst "]\n\t"
#define OP_ADD(dst, n) "addq %[" #n "], %[" #dst "]\n\t"
#define OP_LOAD(dst, ptr, off) "movq %c[" #off "](%[" #ptr "]), %[" #dst "]\n\t"
#define OP_STORE(src, ptr, off) "movq %[" #src "], %c[" #off "](%[" #ptr "])\n\t"
#define OP_ADD_MEMORY(ptr, off, n, tmp) "addq %[" #n "], %c[" #off "](%[" #ptr "])\n\t"
/* TSO: every store is a release */
#define OP_ADD_RELEASE(ptr, n, tmp) "addq %[" #n "], (%[" #ptr "])\n\t"
#define OP_STORE_RELEASE(src, ptr) "movq %[" #src "], (%[" #ptr "])\n\t"
#define OP_BEQ(a, b, label) "cmpq %[" #b "], %[" #a "]\n\tje " label "\n\t"
#define OP_BNE(a, b, label) "cmpq %[" #b "], %[" #a "]\n\tjne " label "\n\t"
#define OP_BZ(a, label) "testq %[" #a "], %[" #a "]\n\tjz " label "\n\t"
#define OP_JUMP(label) "jmp " label "\n\t"
#define OP_COUNT_ABORT(aborts, tmp) "incq (%[" #aborts "])\n\t"
#define OP_DELAY(tmp) /* hold the sequence open for RSEQ_DELAY_LOOPS rounds */                     \
	"movl $" RSEQ_DELAY_LOOPS ", %k[" #tmp "]\n"                                               \
	"775:\n\t"                                                                                 \
	"decl %k[" #tmp "]\n\t"                                                                    \
	"jnz 775b\n\t"

/* counter += n in memory, by one thread, not atomic: the least an increment can cost. */
static inline __attribute__((always_inline)) void arch_add(unsigned long *counter, unsigned long n)
{
	__asm__ volatile("addq %1, %0" : "+m"(*counter) : "er"(n) : "cc");
}

static inline __attribute__((always_inline)) void *arch_thread_pointer(void)
{
	void *pointer;

	/* the ABI keeps the thread pointer at its own start */
	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

#define ARCH_HAS_VDSO_GETCPU 1

/*
 * What the vDSO of 2018 did: Linux keeps the CPU number in the limit of GDT entry 15, user
 * privilege (0x7b).
 */
#define ARCH_HAS_LSL 1
static inline __attribute__((always_inline)) unsigned int arch_cpu_lsl(void)
{
	unsigned int limit;

	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(0x7b) : "cc");
	return limit & 0xfff; /* the node number is above */
}

#define ARCH_HAS_RDPID 1
static inline const char *arch_no_rdpid(void)
{
	unsigned int a, b, c = 0, d;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && c & (1u << 22))
		return NULL;
	return "rdpid: this CPU does not have it";
}
static inline __attribute__((always_inline)) unsigned int arch_cpu_rdpid(void)
{
	unsigned long aux;

	/* IA32_TSC_AUX, which Linux loads with node and CPU */
	__asm__ volatile("rdpid %0" : "=r"(aux));
	return aux & 0xfff;
}

#define ARCH_HAS_RDTSCP 1
static inline const char *arch_no_rdtscp(void)
{
	unsigned int a, b, c, d = 0;

	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && d & (1u << 27))
		return NULL;
	return "rdtscp: this CPU does not have it";
}
static inline __attribute__((always_inline)) unsigned int arch_cpu_rdtscp(void)
{
	unsigned int aux;

	__asm__ volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
	return aux & 0xfff;
}

/* The time stamp counter, where it ticks at one rate in all states of the CPU (invariant TSC). */
#define ARCH_HAS_CLOCK 1
static inline bool arch_clock_steady(void)
{
	unsigned int a, b, c, d = 0;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & (1u << 8) && !arch_no_rdtscp();
}
static inline __attribute__((always_inline)) unsigned long arch_clock_begin(void)
{
	unsigned int low, high;

	/* lfence: what stands before is done, and what stands behind waits. */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return (unsigned long)high << 32 | low;
}
static inline __attribute__((always_inline)) unsigned long arch_clock_end(void)
{
	unsigned int low, high;

	/*
	 * rdtscp waits for all that stands before; the lfence keeps what stands behind from
	 * starting early.
	 */
	__asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high) : : "ecx", "memory");
	return (unsigned long)high << 32 | low;
}

#define ARCH_HAS_GS 1
static inline int arch_gs_get(unsigned long *base)
{
	return syscall(SYS_arch_prctl, ARCH_GET_GS, base);
}
static inline int arch_gs_set(unsigned long base)
{
	return syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}
static inline __attribute__((always_inline)) unsigned int arch_cpu_gs(void)
{
	unsigned int cpu;

	__asm__ volatile("movl %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

#endif
