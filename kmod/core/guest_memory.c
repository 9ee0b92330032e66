// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "guest_memory.h"
#include "dirty.h"

/* The hva of `gpa` and how many of `len` bytes from there are in the same slot; false where no slot is. */
static bool find_hva(struct lkx_vm *vm, u64 gpa, u64 len, bool write, u64 *hva, u64 *in_slot)
{
	struct lkx_memslot slot;
	u64 offset;

	if (!lkx_memslot_find(vm, gpa >> LKX_PAGE_SHIFT, &slot))
		return false;
	if (write && (slot.flags & KVM_MEM_READONLY))
		return false;
	offset = gpa - (slot.base_gfn << LKX_PAGE_SHIFT);
	*hva = slot.hva + offset;
	*in_slot = min(len, (slot.npages << LKX_PAGE_SHIFT) - offset);
	return true;
}

bool lkx_gpa_in_slot(struct lkx_vm *vm, u64 gpa, bool write)
{
	u64 hva, in_slot;

	return find_hva(vm, gpa, 1, write, &hva, &in_slot);
}

int lkx_gpa_read(struct lkx_vm *vm, u64 gpa, void *to, size_t len)
{
	u8 *at = to;

	while (len) {
		u64 hva, part;

		if (!find_hva(vm, gpa, len, false, &hva, &part) || plat_user_read(vm->hw, at, hva, part))
			return -EFAULT;
		gpa += part;
		at += part;
		len -= part;
	}
	return 0;
}

int lkx_gpa_write(struct lkx_vm *vm, u64 gpa, const void *from, size_t len)
{
	const u8 *at = from;

	while (len) {
		u64 hva, part;
		int err;

		if (!find_hva(vm, gpa, len, true, &hva, &part))
			return -EFAULT;
		err = plat_user_write(vm->hw, hva, at, part);
		/* A copy that failed may have begun. */
		lkx_dirty_wrote(vm, gpa, part);
		if (err)
			return -EFAULT;
		gpa += part;
		at += part;
		len -= part;
	}
	return 0;
}

int lkx_gpa_cmpxchg(struct lkx_vm *vm, u64 gpa, unsigned int size, u64 old, u64 new_value)
{
	u64 hva, part;
	int err;

	if (!find_hva(vm, gpa, size, false, &hva, &part))
		return -EFAULT;
	if (!lkx_gpa_in_slot(vm, gpa, true))
		return -EROFS;
	err = plat_user_cmpxchg(vm->hw, hva, size, old, new_value);
	if (!err)
		lkx_dirty_wrote(vm, gpa, size);
	return err;
}

/* A copy of at most a page touches at most two; where each of its parts is. */
struct parts {
	u64 gpa[2];
	size_t len[2];
};

/* Translates `len` <= one page of bytes at gla before any of them is touched. */
static int find_parts(struct lkx_vcpu *v, u64 gla, unsigned int access, size_t len, struct parts *p, struct lkx_walk_fault *fault)
{
	unsigned int i;

	p->len[0] = min_t(size_t, len, LKX_PAGE_BYTES - LKX_PAGE_OFFSET(gla));
	p->len[1] = len - p->len[0];
	for (i = 0; i < 2 && p->len[i]; i++) {
		int err = lkx_walk(v, gla, access, &p->gpa[i], fault);

		if (err)
			return err;
		if (!lkx_gpa_in_slot(v->vm, p->gpa[i], access & ACCESS_WRITE)) {
			fault->address = p->gpa[i];
			return -ENXIO;
		}
		gla += p->len[i];
	}
	return 0;
}

static int copy_part(struct lkx_vm *vm, u64 gpa, u8 *to, const u8 *from, size_t len)
{
	return to ? lkx_gpa_read(vm, gpa, to, len) : lkx_gpa_write(vm, gpa, from, len);
}

/* Reads to `to`, or where that is NULL writes from `from`. */
static int gla_copy(struct lkx_vcpu *v, u64 gla, unsigned int access, u8 *to, const u8 *from, size_t len,
		    struct lkx_walk_fault *fault)
{
	while (len) {
		size_t step = min_t(size_t, len, LKX_PAGE_BYTES);
		struct parts p;
		unsigned int i;
		int err = find_parts(v, gla, access, step, &p, fault);

		if (err)
			return err;
		for (i = 0; i < 2 && p.len[i]; i++) {
			if (copy_part(v->vm, p.gpa[i], to, from, p.len[i])) {
				fault->address = p.gpa[i];
				return -ENXIO;
			}
			if (to)
				to += p.len[i];
			else
				from += p.len[i];
		}
		gla += step;
		len -= step;
	}
	return 0;
}

int lkx_gla_read(struct lkx_vcpu *v, u64 gla, unsigned int access, void *to, size_t len, struct lkx_walk_fault *fault)
{
	return gla_copy(v, gla, access & ~ACCESS_WRITE, to, NULL, len, fault);
}

int lkx_gla_write(struct lkx_vcpu *v, u64 gla, unsigned int access, const void *from, size_t len, struct lkx_walk_fault *fault)
{
	return gla_copy(v, gla, access | ACCESS_WRITE, NULL, from, len, fault);
}

void lkx_raise_fault(struct lkx_vcpu *v, const struct lkx_walk_fault *fault)
{
	if (fault->vector == VECTOR_PF)
		lkx_queue_page_fault(v, fault->address, fault->error);
	else
		lkx_queue_exception_error(v, fault->vector, fault->error);
}
