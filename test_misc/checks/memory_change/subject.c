// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "subject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum { CODE_LOAD = 0x1000, CODE_STORE = 0x1100, PORT = 0x80 };

// mov (%esi), %eax; out %eax, $0x80
static const uint8_t load_code[] = { 0x8b, 0x06, 0xe7, PORT };
// mov %eax, (%esi); out %eax, $0x80
static const uint8_t store_code[] = { 0x89, 0x06, 0xe7, PORT };

void subject_open(struct subject *s, const char *device, void *tested)
{
	uint8_t *low;

	machine_open(&s->m, device);
	low = machine_add_memory(&s->m, 0, 0, 0x4000, 0, NULL);
	memcpy(low + CODE_LOAD, load_code, sizeof(load_code));
	memcpy(low + CODE_STORE, store_code, sizeof(store_code));
	s->tested = machine_add_memory(&s->m, TESTED_SLOT, TESTED_BASE, TESTED_SIZE, 0, tested);
	machine_add_vcpu(&s->m, 0);
	machine_set_mode(&s->m, MODE_PROTECTED32, NULL);
}

void subject_close(struct subject *s)
{
	machine_close(&s->m);
}

static struct access run(struct subject *s, uint32_t rip, uint32_t gpa, uint32_t value)
{
	struct kvm_regs regs = { .rip = rip, .rsi = gpa, .rax = value, .rflags = 2 };
	struct kvm_run *page = s->m.run;
	struct access access = { .kind = ACCESS_OTHER };

	// An OUT or MMIO load of before is finished first: it must not act on the new registers.
	page->immediate_exit = 1;
	if (ioctl(s->m.vcpu_fd, KVM_RUN, 0) == 0 || errno != EINTR)
		die("KVM_RUN with immediate_exit does not give EINTR on %s", s->m.device);
	page->immediate_exit = 0;
	must_ioctl(&s->m, s->m.vcpu_fd, KVM_SET_REGS, &regs);
	if (ioctl(s->m.vcpu_fd, KVM_RUN, 0)) {
		access.kind = errno == EFAULT ? ACCESS_EFAULT : ACCESS_OTHER;
		access.value = errno;
		return access;
	}
	access.value = page->exit_reason;
	if (page->exit_reason == KVM_EXIT_MMIO) {
		access.kind = ACCESS_MMIO;
	} else if (page->exit_reason == KVM_EXIT_IO) {
		access.kind = ACCESS_DONE;
		memcpy(&access.value, (char *)page + page->io.data_offset, 4);
	}
	return access;
}

struct access guest_load(struct subject *s, uint32_t gpa)
{
	return run(s, CODE_LOAD, gpa, 0);
}

struct access guest_store(struct subject *s, uint32_t gpa, uint32_t value)
{
	return run(s, CODE_STORE, gpa, value);
}

static void failed(struct check *c, int line)
{
	if (!c->failed)
		printf("FAIL\t%s, line %d: ", c->name, line);
}

void check_access(struct check *c, int line, struct access access, int kind, uint32_t value)
{
	static const char *const kinds[] = { "the value", "EFAULT", "MMIO", "exit reason or errno" };

	if ((int)access.kind == kind && (kind != ACCESS_DONE || access.value == value))
		return;
	failed(c, line);
	if (!c->failed)
		printf("the guest's access gives %s %#x, expected %s %#x\n", kinds[access.kind], access.value, kinds[kind], value);
	c->failed = true;
}

void check_condition(struct check *c, int line, bool condition, const char *text)
{
	if (condition)
		return;
	failed(c, line);
	if (!c->failed)
		printf("%s does not hold\n", text);
	c->failed = true;
}
