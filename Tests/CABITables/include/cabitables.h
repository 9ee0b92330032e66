/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The ABI as C's compiler sees it, for comparison with what Swift sees. */
#ifndef CABITABLES_H
#define CABITABLES_H

#include <stddef.h>

struct lkx_abi_value {
	const char *table; /* "ioctls" */
	const char *name;
	unsigned long long value;
	const char *third;  /* further columns as text, or "" */
	const char *fourth;
};

struct lkx_abi_struct {
	const char *name;
	size_t size;
	size_t alignment;
};

struct lkx_abi_field {
	const char *structure;
	const char *field;
	size_t offset;
	size_t size;
};

extern const struct lkx_abi_value lkx_abi_values[];
extern const size_t lkx_abi_value_count;
extern const struct lkx_abi_struct lkx_abi_structs[];
extern const size_t lkx_abi_struct_count;
extern const struct lkx_abi_field lkx_abi_fields[];
extern const size_t lkx_abi_field_count;

/* An element, or null at the end. */
const struct lkx_abi_value *lkx_abi_value_at(size_t index);
const struct lkx_abi_struct *lkx_abi_struct_at(size_t index);
const struct lkx_abi_field *lkx_abi_field_at(size_t index);

#endif
