/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A virtual machine, as the core sees it. The platform embeds it in its own. */
#ifndef LKX_VM_H
#define LKX_VM_H

#include "ept.h"
#include "memslot.h"
#include "vmx_caps.h"

struct lkx_vcpu;
struct lkx_ioevents;
struct lkx_msr_filter;
struct lkx_routes;

/* The VM's clock at one moment (clock.c). */
struct lkx_clock {
	struct plat_spinlock lock; /* all of it */
	u32 tsc_khz, epoch;
	u64 tsc, ns;    /* the host's TSC, and the clock then */
	u64 offset;     /* and what it was ahead of the host's time since boot */
};

/* [I] immutable after creation  [E] ept.lock  [S] the platform's slots lock  [a] atomic  [r] RCU, written under [S] */
struct lkx_vm {
	struct lkx_hw *hw;                             /* [I] */
	const struct lkx_vmx_caps *caps;               /* [I] */
	struct lkx_ept ept;
	struct lkx_memslots plat_rcu_ptr *slots;       /* [r] published under [E] too */
	struct lkx_memslot leaving;                    /* [E] slot no longer in `slots` with entries still in the EPT, or logged writes that nobody has read (pml.h); npages 0: none */
	struct lkx_ioevents plat_rcu_ptr *ioevents;    /* [r] NULL: none */
	struct lkx_msr_filter plat_rcu_ptr *msr_filter; /* [r] NULL: none */
	struct lkx_routes plat_rcu_ptr *routes;        /* [r] NULL: none */
	u8 *msr_bitmap;                                /* [S] the page for VMCSs that goes with it */
	u64 msr_bitmap_pa;                             /* [a] its address; 0: none, caps->msr_bitmap_pa counts */
	u32 user_space_msr;                            /* [a] KVM_CAP_X86_USER_SPACE_MSR: KVM_MSR_EXIT_REASON_* */
	u64 tss_addr;                                  /* [S] KVM_SET_TSS_ADDR; unrestricted guests need no TSS there */
	u64 identity_map_addr;                         /* [S] */
	u32 tsc_khz;                                   /* [I] what new vCPUs start with */
	bool tsc_started;                              /* [S] tsc_offset is the first vCPU's */
	bool tsc_written;                              /* [a] by the VMM */
	u64 tsc_offset;                                /* [a] what new vCPUs have */
	struct lkx_clock clock;
	u64 wall_clock;                                /* [a] MSR_KVM_WALL_CLOCK as written last */
	u32 exception_payload;                         /* [a] KVM_CAP_EXCEPTION_PAYLOAD is enabled: 0 or 1 */
	u32 manual_dirty_log;                          /* [a] KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: its KVM_DIRTY_LOG_* bits */
	u32 triple_fault_event;                        /* [a] KVM_CAP_X86_TRIPLE_FAULT_EVENT, likewise */
	u32 exit_on_emulation_failure;                 /* [a] KVM_CAP_EXIT_ON_EMULATION_FAILURE, likewise */
	u32 disabled_exits;                            /* [S] KVM_X86_DISABLE_EXITS_*; [I] once there is a vCPU */
	bool has_vcpus;                                /* [S] */
	bool irqchip_split;                            /* [S] KVM_CAP_SPLIT_IRQCHIP; [I] once there is a vCPU */
	u32 x2apic_api;                                /* [a] KVM_CAP_X2APIC_API: KVM_X2APIC_API_* */
	u32 ioapic_pins;                               /* [S], as irqchip_split: the first routes are those of the IOAPIC in user space */
	void *apic_page;                               /* [S] the APIC-access page; [I] once there is a vCPU, NULL where none has a use for it */
	bool apic_page_withdrawn;                      /* [E] no guest gets at it any more */
	u32 vcpus;                                     /* [S], for others lkx_vm_vcpus */
	struct lkx_vcpu *vcpu[LIKEX_MAX_VCPUS];        /* [a] the first `vcpus`, in order of creation; they live as long as the VM */
};

/* A vCPU that is ready: from here on everybody may find it. Its slots lock is held, and there are fewer than LIKEX_MAX_VCPUS. */
static inline void lkx_vm_add_vcpu(struct lkx_vm *vm, struct lkx_vcpu *v)
{
	vm->vcpu[vm->vcpus] = v;
	/* Those who walk the vCPUs without the lock see a whole one. */
	plat_store32_release(&vm->vcpus, vm->vcpus + 1);
}

/* How many there are, from any thread: those of vm->vcpu[] are whole. */
static inline u32 lkx_vm_vcpus(const struct lkx_vm *vm)
{
	return plat_load32_acquire(&vm->vcpus);
}

/* KVM_ENABLE_CAP of a VM, with its slots lock held: 0, or -EINVAL where it can't be enabled, not so, or not any more; -EEXIST (split irqchip). */
int lkx_vm_enable_cap(struct lkx_vm *vm, const struct kvm_enable_cap *cap);

/* Is the platform's slots lock held? For assertions. */
bool plat_slots_locked(struct lkx_vm *vm);

#endif
