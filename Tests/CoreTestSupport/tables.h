/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef FAKE_TABLES_H
#define FAKE_TABLES_H

#include "hw.h"

extern const struct hw_ops fake_processor;  /* processor.c */
extern const struct plat_ops fake_platform; /* platform.c */

#endif
