// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* IN and OUT: user space has the devices. Exit qualification: SDM vol. 3, table 28-5. */
#include "exits.h"

#define IO_SIZE(q) (((q) & 7) + 1)
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT(q) ((u16)((q) >> 16))

int lkx_exit_io(struct lkx_vcpu *v)
{
	u64 q = v->exit.qualification;
	struct kvm_run *run = v->run;

	if (q & IO_STRING)
		return lkx_exit_string_io(v);

	v->pio.port = IO_PORT(q);
	v->pio.size = IO_SIZE(q);
	v->pio.in = q & IO_IN;
	v->pio.count = 1;
	plat_trace_pio(v, v->pio.port, v->pio.size, 1, v->pio.in);

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = v->pio.in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = v->pio.size;
	run->io.port = v->pio.port;
	run->io.count = 1;
	run->io.data_offset = LIKEX_PIO_PAGE * LKX_PAGE_BYTES;
	if (!v->pio.in)
		memcpy(v->pio_data, &v->regs.gpr[RAX], v->pio.size);

	/* RIP moves when user space comes back: an IN has no value before, and a reset in between must not skip. */
	v->completion = v->pio.in ? LKX_COMPLETE_IN : LKX_COMPLETE_SKIP;
	v->completion_rip = lkx_rip(v);
	return 0;
}
