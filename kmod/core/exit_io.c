// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* IN and OUT: user space has the devices. Exit qualification: SDM vol. 3, table 28-5. */
#include "exits.h"
#include "ioevent.h"

#define IO_SIZE(q) (((q) & 7) + 1)
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT(q) ((u16)((q) >> 16))

/* As memcpy, without the call. */
static void put_data(u8 *to, const u64 *rax, u8 size)
{
	if (size == 1)
		memcpy(to, rax, 1);
	else if (size == 2)
		memcpy(to, rax, 2);
	else
		memcpy(to, rax, 4);
}

int lkx_exit_io(struct lkx_vcpu *v)
{
	u64 q = v->exit.qualification;
	struct kvm_run *run = v->run;
	u16 port;
	u8 size;
	bool in;

	v->stats.io_exits++;
	if (q & IO_STRING)
		return lkx_exit_string_io(v);

	port = IO_PORT(q);
	size = IO_SIZE(q);
	in = q & IO_IN;
	plat_trace_pio(v, port, size, 1, in);
	if (!in && lkx_ioevent_write(v->vm, LKX_IOEVENT_PIO, port, size, &v->regs.gpr[RAX])) {
		lkx_skip_instruction(v);
		return 1;
	}

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = LIKEX_PIO_PAGE * LKX_PAGE_BYTES;
	if (in)
		v->pio = (struct lkx_pio){ .port = port, .size = size, .in = true, .count = 1 };
	else
		put_data(v->pio_data, &v->regs.gpr[RAX], size);

	/* RIP moves when user space comes back: an IN has no value before, and a reset in between must not skip. */
	v->completion = in ? LKX_COMPLETE_IN : LKX_COMPLETE_SKIP;
	v->completion_rip = lkx_rip(v);
	return 0;
}
