// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "stats.h"
#include "vm.h"

static u32 fill(struct lkx_stats_file *file, const char (*names)[LKX_STATS_NAME_BYTES], const u64 *values, u32 count)
{
	u32 i;

	*file = (struct lkx_stats_file){
		.header = {
			.name_size = LKX_STATS_NAME_BYTES,
			.num_desc = count,
			.id_offset = offsetof(struct lkx_stats_file, id),
			.desc_offset = offsetof(struct lkx_stats_file, desc),
			.data_offset = offsetof(struct lkx_stats_file, data),
		},
	};
	for (i = 0; i < count; i++) {
		struct lkx_stats_desc *d = &file->desc[i];

		d->flags = KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10;
		d->size = 1;
		d->offset = i * sizeof(u64);
		memcpy(d->name, names[i], sizeof(d->name));
		file->data[i] = plat_load64(&values[i]);
	}
	return offsetof(struct lkx_stats_file, data) + count * sizeof(u64);
}

u32 lkx_stats_of_vcpu(const struct lkx_vcpu_stats *stats, struct lkx_stats_file *file)
{
	static const char names[][LKX_STATS_NAME_BYTES] = {
#define LKX_STAT(name) #name,
		LKX_VCPU_STATS(LKX_STAT)
#undef LKX_STAT
	};

	return fill(file, names, &stats->exits, ARRAY_SIZE(names));
}

u32 lkx_stats_of_vm(struct lkx_vm *vm, struct lkx_stats_file *file)
{
	static const char names[][LKX_STATS_NAME_BYTES] = { "remote_tlb_flush" };

	return fill(file, names, &vm->ept.generation, 1);
}
