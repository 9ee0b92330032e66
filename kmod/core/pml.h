/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The dirty log by page-modification logging: the processor writes into a page of the vCPU's, from its end to its beginning, the address of each guest
 * page whose dirty flag in the EPT it sets. SDM vol. 3, 28.3.6 (30.3.6 in newer editions).
 *
 * Where that is used (vmx_caps.pml: by all vCPUs of all VMs) pages of logged slots are mapped writable with the flag clear, and whoever takes a page's bit
 * clears the flag, where write protection would take the permission away, and flushes likewise (dirty.h). So at any time a page of a logged slot
 * that may be written unseen, its flag set in its entry or in what a processor has cached of it, has its bit set, or is in a vCPU's page, or its
 * bit was taken by someone who has yet to flush, and only then tells the VMM: what is written until then the VMM reads.
 *
 * From the vCPU's page to the log: before the vCPU is out of guest mode for others (v->mode), it notes in memory how far the processor came
 * (lkx_pml_note). Entries from there on to the end of the page the processor is done with. So the log of a vCPU that is outside, be it in user space,
 * asleep, preempted or between two exits, is read by whoever wants to, under ept.lock: no vCPU need do anything for it. Those in guest mode are
 * kicked before, and note when they leave. What one writes after that is in the next log, as its page is still the processor's to report.
 *
 *   - The index starts again only in the vCPU's own thread, when the page is full: under ept.lock, all of it read (lkx_exit_pml_full). An access that
 *     finds the index out of range has not happened, exits and comes again: nothing goes unlogged. (SDM: also one that sets an accessed flag.)
 *   - VMCS and page stay the vCPU's on whatever CPU, or none, it is. An entry that fails leaves both as they were.
 *   - What takes a page out of the EPT (the host, reclaim) takes a set flag with it, and the entry stays: the page is reported though it may be another
 *     by then. Aging leaves the flag alone, and nothing adds it but the processor.
 *   - Entries name the guest's frames. A slot that moves or goes may have some: they are read while it is vm->leaving, when no processor can reach it
 *     any more, and set its log's bits too, which a slot that moves keeps. Those of before a log began are read before it begins; what the
 *     guest writes meanwhile may be in it and need not.
 *
 * Accesses to guest page tables count as writes for the processor, so pages with these are reported when they are walked.
 */
#ifndef LKX_PML_H
#define LKX_PML_H

#include "vcpu.h"

#define LKX_PML_ENTRIES 512u

/* A new vCPU's page, in its VMCS; without it there is no logging. 0 or -ENOMEM. */
int lkx_pml_create(struct lkx_vcpu *v);

/* After a VM exit, v->mode still in guest, interrupts off. */
void lkx_pml_note(struct lkx_vcpu *v);

/* What any vCPU has written before the call is in the dirty logs when it returns. Nothing where pages are write-protected. Waits as lkx_tlb_flush does. */
void lkx_pml_read(struct lkx_vm *vm);

#endif
