// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Shows that the header compiles on its own; SwiftPM wants one source file in a C target.
#include "ckvmabi.h"
