/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* All of it is inline: this makes the compiler look at it as C, with C's warnings. */
#include "cguestmemory.h"
