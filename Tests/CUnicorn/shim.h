/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <unicorn/unicorn.h>

/* Variadic functions and macros aren't visible to Swift. */
static inline uc_err likex_uc_hook_interrupt(uc_engine *engine, uc_hook *hook,
	void (*callback)(uc_engine *, uint32_t, void *), void *context)
{
	return uc_hook_add(engine, hook, UC_HOOK_INTR, (void *)callback, context, (uint64_t)1, (uint64_t)0);
}

static inline uc_err likex_uc_set_model(uc_engine *engine, int model)
{
	return uc_ctl_set_cpu_model(engine, model);
}

/* Forgets what was translated from [address, end). */
static inline uc_err likex_uc_forget(uc_engine *engine, uint64_t address, uint64_t end)
{
	return uc_ctl_remove_cache(engine, address, end);
}

/* A case's words, see CaseState: RAX to R15, RIP, RFLAGS, MXCSR, unused, XMM halves. */
enum { LIKEX_WORDS = 52, LIKEX_RIP = 16, LIKEX_FLAGS = 17, LIKEX_MXCSR = 18, LIKEX_XMM = 20 };

static const int likex_uc_wide[16] = {
	UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI,
	UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R12, UC_X86_REG_R13,
	UC_X86_REG_R14, UC_X86_REG_R15,
};
static const int likex_uc_narrow[8] = {
	UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX, UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI,
	UC_X86_REG_EDI,
};

/* Names of the registers of a mode and the words that belong to them; returns how many. */
static inline int likex_uc_names(int is_long, uint64_t *words, int *names, void **values)
{
	int general = is_long ? 16 : 8, count = 0;

	for (int i = 0; i < general; i++, count++) {
		names[count] = is_long ? likex_uc_wide[i] : likex_uc_narrow[i];
		values[count] = &words[i];
	}
	for (int i = 0; i < general; i++, count++) {
		names[count] = UC_X86_REG_XMM0 + i;
		values[count] = &words[LIKEX_XMM + 2 * i];
	}
	names[count] = UC_X86_REG_EFLAGS;
	values[count++] = &words[LIKEX_FLAGS];
	names[count] = UC_X86_REG_MXCSR;
	values[count++] = &words[LIKEX_MXCSR];
	return count;
}

static inline uc_err likex_uc_write(uc_engine *engine, int is_long, const uint64_t *words)
{
	int names[34];
	void *values[34];
	int count = likex_uc_names(is_long, (uint64_t *)words, names, values);

	return uc_reg_write_batch(engine, names, values, count);
}

/* Narrow registers fill only the low halves: `words` must be zero before. */
static inline uc_err likex_uc_read(uc_engine *engine, int is_long, uint64_t *words)
{
	int names[35];
	void *values[35];
	int count = likex_uc_names(is_long, words, names, values);

	names[count] = is_long ? UC_X86_REG_RIP : UC_X86_REG_EIP;
	values[count++] = &words[LIKEX_RIP];
	return uc_reg_read_batch(engine, names, values, count);
}
