// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Arrays of unknown length are not imported into Swift: one element at a time is.
#include "cabitables.h"

const struct lkx_abi_value *lkx_abi_value_at(size_t index)
{
	return index < lkx_abi_value_count ? &lkx_abi_values[index] : NULL;
}

const struct lkx_abi_struct *lkx_abi_struct_at(size_t index)
{
	return index < lkx_abi_struct_count ? &lkx_abi_structs[index] : NULL;
}

const struct lkx_abi_field *lkx_abi_field_at(size_t index)
{
	return index < lkx_abi_field_count ? &lkx_abi_fields[index] : NULL;
}
