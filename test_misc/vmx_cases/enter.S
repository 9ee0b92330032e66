/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The real module's way into a guest and back. */
#include "vmenter.S"
