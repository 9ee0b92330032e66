// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The VMM's memory, for the core. All of it is called in an ioctl of the VMM's own process, so user accesses and get_user_pages
 * mean its address space.
 */
#include "likex.h"
#include <linux/mm.h>
#include <linux/uaccess.h>

static void __user *user_ptr(u64 hva)
{
	return (void __user *)(unsigned long)hva;
}

bool plat_user_range_ok(struct lkx_hw *hw, u64 hva, u64 size)
{
	u64 untagged = untagged_addr(hva);

	/* No tag in the upper bits: the address is compared with those of mmu notifiers, which have none. */
	return untagged == hva && access_ok(user_ptr(hva), size);
}

int plat_user_read(struct lkx_hw *hw, void *to, u64 hva, size_t len)
{
	/* An entry of the guest's page tables, which another vCPU may write meanwhile, must come whole. */
	if (len == sizeof(u64) && IS_ALIGNED(hva, sizeof(u64)))
		return get_user(*(u64 *)to, (u64 __user *)user_ptr(hva));
	if (len == sizeof(u32) && IS_ALIGNED(hva, sizeof(u32)))
		return get_user(*(u32 *)to, (u32 __user *)user_ptr(hva));
	return copy_from_user(to, user_ptr(hva), len) ? -EFAULT : 0;
}

int plat_user_write(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	return copy_to_user(user_ptr(hva), from, len) ? -EFAULT : 0;
}

int plat_user_write_atomic(struct lkx_hw *hw, u64 hva, const void *from, size_t len)
{
	return copy_to_user_nofault(user_ptr(hva), from, len);
}

static int cmpxchg_result(int failed)
{
	return failed == 1 ? -EAGAIN : failed;
}

/* On the user's own mapping, so that copy-on-write and dirty tracking are the host's usual business. */
int plat_user_cmpxchg(struct lkx_hw *hw, u64 hva, unsigned int size, u64 old, u64 new)
{
	u32 old32 = old, new32 = new;

	if (!IS_ALIGNED(hva, size) || !access_ok(user_ptr(hva), size))
		return -EFAULT;
	switch (size) {
	case 4:
		return cmpxchg_result(__try_cmpxchg_user((u32 __user *)user_ptr(hva), &old32, new32, fault32));
	case 8:
		return cmpxchg_result(__try_cmpxchg_user((u64 __user *)user_ptr(hva), &old, new, fault64));
	default:
		WARN_ON_ONCE(1);
		return -EFAULT;
	}
}

/*
 * Nothing is pinned: the reference bridges the time until the page is mapped or refused (plat_mmu_retry), and then the mmu_notifier keeps watch.
 *
 * Memory without a struct page of its own (VM_IO, VM_PFNMAP: mapped device registers) is -EFAULT: there is no passthrough here.
 */
int plat_page_get(struct lkx_vm *vm, u64 hva, bool write, bool want_writable, struct plat_page *page)
{
	struct page *p;
	long got;

	/* A read takes the page writable where it is so already; it must not break copy-on-write for that, nor wait. */
	if ((write || want_writable) && get_user_page_fast_only(hva, FOLL_WRITE, &p)) {
		page->writable = true;
	} else {
		got = get_user_pages_unlocked(hva, 1, &p, FOLL_HWPOISON | (write ? FOLL_WRITE : 0));
		if (got == -EHWPOISON)
			return got;
		if (got != 1)
			return fatal_signal_pending(current) ? -EINTR : -EFAULT;
		page->writable = write;
	}
	page->pfn = page_to_pfn(p);
	page->ref = p;
	return 0;
}

/*
 * A page that was mapped writable counts as written, once and for all: when the host cleans it, it write-protects it first, and the
 * mmu_notifier takes it away. Not set_page_dirty(), which wants the page locked: the host's own writable mapping has done its bookkeeping.
 */
void plat_page_put(struct lkx_vm *vm, struct plat_page *page, bool dirtied)
{
	struct page *p = page->ref;

	if (dirtied && !PageReserved(p))
		SetPageDirty(p);
	put_page(p);
}
