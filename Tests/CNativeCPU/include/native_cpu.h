/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Runs a few instructions on this machine's own processor, in 64-bit user mode, from and to a given state: a judge for
 * what the interpreter and an emulator see differently.
 */
#ifndef LIKEX_NATIVE_CPU_H
#define LIKEX_NATIVE_CPU_H

#include <stddef.h>
#include <stdint.h>

/* Words of a state: RAX to R15, RIP, RFLAGS, MXCSR, unused, then the halves of XMM0 to XMM15. */
enum { NATIVE_WORDS = 52 };

/*
 * Maps memory for data and for code at fixed addresses and catches the signals of faults. Not for use by several threads.
 * Returns 0, or -1 where this isn't an x86-64 processor or the addresses can't be mapped.
 */
int native_cpu_prepare(uint64_t data, size_t data_size, uint64_t code, size_t code_size);

/* The data memory that `native_cpu_prepare` mapped. */
uint8_t *native_cpu_data(void);

/*
 * Runs code_size bytes of code at `code`, at most half of what was mapped, from `words`, where the state at the end or at a
 * fault is put; RIP is relative to nothing. Returns the exception's vector, or -1 if there was none.
 */
int native_cpu_run(uint64_t *words, const uint8_t *code, size_t code_size);

/* Processors' names for people: 48 characters and a NUL. */
void native_cpu_name(char name[49]);

#endif
