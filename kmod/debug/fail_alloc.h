/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Debug builds only (LIKEX_FAIL_ALLOC=y, see Kbuild): comes before every C file of the module, and gives each of its allocations, and whatever else
 * of the kernel's fails for want of memory, a second way to fail. Each wrapper is made while the name is still the kernel's own, which may be a macro.
 */
#ifndef LKX_FAIL_ALLOC_H
#define LKX_FAIL_ALLOC_H

#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include <asm/fpu/api.h>

/* Is it this one's turn? fail_alloc.c */
bool lkx_alloc_fails(void);

#define LKX_MAY_FAIL(type, name, failed, parameters, ...) \
	static inline type lkx_##name parameters          \
	{                                                 \
		return lkx_alloc_fails() ? (failed) : name(__VA_ARGS__); \
	}

LKX_MAY_FAIL(void *, kmalloc, NULL, (size_t size, gfp_t flags), size, flags)
LKX_MAY_FAIL(void *, kzalloc, NULL, (size_t size, gfp_t flags), size, flags)
LKX_MAY_FAIL(void *, kcalloc, NULL, (size_t count, size_t size, gfp_t flags), count, size, flags)
LKX_MAY_FAIL(void *, kvzalloc, NULL, (size_t size, gfp_t flags), size, flags)
LKX_MAY_FAIL(void *, kvcalloc, NULL, (size_t count, size_t size, gfp_t flags), count, size, flags)
LKX_MAY_FAIL(void *, memdup_user, ERR_PTR(-ENOMEM), (const void __user *user, size_t size), user, size)
LKX_MAY_FAIL(void *, vmemdup_user, ERR_PTR(-ENOMEM), (const void __user *user, size_t size), user, size)
LKX_MAY_FAIL(struct page *, alloc_page, NULL, (gfp_t flags), flags)
LKX_MAY_FAIL(int, ida_alloc_range, -ENOMEM, (struct ida *ida, unsigned int min, unsigned int max, gfp_t flags), ida, min, max, flags)
LKX_MAY_FAIL(int, xa_alloc_cyclic, -ENOMEM,
	     (struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t flags), xa, id, entry, limit, next, flags)
LKX_MAY_FAIL(struct file *, anon_inode_getfile, ERR_PTR(-ENOMEM),
	     (const char *name, const struct file_operations *fops, void *priv, int flags), name, fops, priv, flags)
LKX_MAY_FAIL(int, get_unused_fd_flags, -ENOMEM, (unsigned int flags), flags)
LKX_MAY_FAIL(bool, fpu_alloc_guest_fpstate, false, (struct fpu_guest *fpu), fpu)
LKX_MAY_FAIL(struct mmu_notifier *, mmu_notifier_get, ERR_PTR(-ENOMEM),
	     (const struct mmu_notifier_ops *ops, struct mm_struct *mm), ops, mm)
LKX_MAY_FAIL(long, get_user_pages_unlocked, -ENOMEM,
	     (unsigned long start, unsigned long count, struct page **pages, unsigned int flags), start, count, pages, flags)

/* Pages of the module's own, counted: none may be left of a VM that has gone. (Run pages are alloc_page's: mappings keep those.) */
extern atomic_t lkx_pages;

static inline unsigned long lkx_get_zeroed_page(gfp_t flags)
{
	unsigned long page = lkx_alloc_fails() ? 0 : get_zeroed_page(flags);

	if (page)
		atomic_inc(&lkx_pages);
	return page;
}

static inline void lkx_free_page(unsigned long page)
{
	if (page)
		atomic_dec(&lkx_pages);
	free_page(page);
}

#undef kmalloc
#undef kzalloc
#undef kcalloc
#undef kvzalloc
#undef kvcalloc
#undef memdup_user
#undef vmemdup_user
#undef get_zeroed_page
#undef alloc_page
#undef free_page
#define kmalloc lkx_kmalloc
#define kzalloc lkx_kzalloc
#define kcalloc lkx_kcalloc
#define kvzalloc lkx_kvzalloc
#define kvcalloc lkx_kvcalloc
#define memdup_user lkx_memdup_user
#define vmemdup_user lkx_vmemdup_user
#define get_zeroed_page lkx_get_zeroed_page
#define alloc_page lkx_alloc_page
#define free_page lkx_free_page
#define ida_alloc_range lkx_ida_alloc_range
#define xa_alloc_cyclic lkx_xa_alloc_cyclic
#define anon_inode_getfile lkx_anon_inode_getfile
#define get_unused_fd_flags lkx_get_unused_fd_flags
#define fpu_alloc_guest_fpstate lkx_fpu_alloc_guest_fpstate
#define mmu_notifier_get lkx_mmu_notifier_get
#define get_user_pages_unlocked lkx_get_user_pages_unlocked

#endif
