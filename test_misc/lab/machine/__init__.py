# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The emulated VMX machine of the lab: a stock Debian kernel on Bochs."""
