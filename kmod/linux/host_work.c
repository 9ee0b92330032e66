// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Between two laps: what the host wants of this thread. Apart from the rest because <linux/kvm_host.h> shares names with the core. */
#include "plat.h"
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>

/*
 * The kernel's handler of pending work names its argument a kvm_vcpu, and tells it of a signal in two fields that nobody
 * here reads. One for all: what is in it means nothing. Of the run page it writes exit_reason, so that there is no more of it.
 */
static u8 nobodys_run[offsetofend(struct kvm_run, exit_reason)] __aligned(8);
static struct kvm_vcpu nobody = { .run = (struct kvm_run *)nobodys_run };

int lkx_run_poll(void)
{
	if (signal_pending(current))
		return -EINTR;
	return xfer_to_guest_mode_handle_work(&nobody);
}
