# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Programs built on this machine, made to run in the lab's: stripped, with the shared libraries they need."""

import os
import re
import subprocess
from pathlib import Path

from .common import CACHE, Problem, run

_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def is_elf(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(program: Path) -> list[str]:
    """Absolute paths of the loader and libraries a program or library loads; none for a static one."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    if done.returncode != 0:
        # Static, or not for this machine (a kernel module, a guest): nothing to bring along.
        return []
    if missing := re.findall(r"(\S+) => not found", done.stdout):
        raise Problem(f"{program} needs libraries that this machine lacks: {', '.join(missing)}")
    return _LIBRARY.findall(done.stdout)


def stripped(program: Path, *options: str) -> Path:
    """A copy without symbols, made again when the program is newer: a Swift program halves in size."""
    copy = CACHE / "stripped" / program.parent.name / program.name
    if not copy.exists() or copy.stat().st_mtime_ns != program.stat().st_mtime_ns:
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Two machines may be started at once: each finds the old copy or a whole new one.
        new = copy.with_name(f"{copy.name}.{os.getpid()}")
        run("strip", "-p", *options, "-o", new, program)
        new.replace(copy)
    return copy
