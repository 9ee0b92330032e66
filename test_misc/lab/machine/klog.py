# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Finds faults in a kernel log: what fails a run even if its script is content."""

import re

# Each is a message of Linux 6.1 or 6.12 that says something is broken. All are matched after the time stamp.
FAULTS = re.compile("|".join((
    r"\bBUG: ", r"\bkernel BUG at ", r"\bWARNING: CPU:", r"\bWARNING: \w", r"\bOops\b", r"Kernel panic",
    r"general protection fault", r"unable to handle (kernel|page fault)", r"invalid opcode: ", r"divide error: ",
    r"stack segment: ", r"double fault", r"traps: PANIC", r"int3: 0000",
    r"soft lockup", r"hard LOCKUP", r"blocked for more than \d+ seconds", r"detected stalls?\b", r"self-detected stall",
    r"scheduling while atomic", r"sleeping function called from invalid context", r"bad: scheduling from",
    r"list_(add|del) corruption", r"refcount_t: ", r"UBSAN: ", r"KFENCE: ", r"KASAN: ", r"usercopy: Kernel memory",
    r"Bad page (state|map|cache)", r"Bad rss-counter", r"page allocation failure", r"\bslab \S+: .*(corrupt|overwritten)",
    r"Redzone overwritten|Poison overwritten|Object already free|Objects remaining in", r"Out of memory: Killed",
    r"unchecked MSR access error", r"irq \d+: nobody cared", r"DEBUG_LOCKS_WARN_ON", r"possible .*deadlock",
    r"Modules linked in:", r"Unable to mount root|Failed to execute /init",
)))

_STACK_END = re.compile(r"---\[ end ")


def after_marker(log: str, marker: str) -> str | None:
    """What was logged after the line with the marker, or None if that was never logged.

    What comes before is the baseline: 6.12 shows two WARNs of its own while booting in Bochs.
    """
    _, found, rest = log.partition(marker)
    return rest.partition("\n")[2] if found else None


def faults(log: str) -> list[str]:
    """Lines that report a fault."""
    return [line for line in log.splitlines() if FAULTS.search(line)]


def excerpt(log: str, before: int = 5, limit: int = 120) -> str:
    """The part of the log around its faults, whole stacks included."""
    lines = log.splitlines()
    hits = [number for number, line in enumerate(lines) if FAULTS.search(line)]
    if not hits:
        return ""
    start = max(0, hits[0] - before)
    end = hits[-1]
    while end + 1 < len(lines) and not _STACK_END.search(lines[end]) and end - hits[-1] < 40:
        end += 1
    shown = lines[start:end + 1]
    if len(shown) > limit:
        shown = shown[:limit] + [f"… {len(shown) - limit} lines more"]
    return "\n".join(shown)
