# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What differs from run to run: the script and the overlay, as an archive laid over the first root."""

import os
from pathlib import Path

from . import programs
from .common import usage_problem
from .cpio import Archive


def job_archive(script: Path, overlay: Path | None, token: str) -> bytes:
    if not script.is_file():
        raise usage_problem(f"SCRIPT={script}: no such file")
    if overlay and not overlay.is_dir():
        raise usage_problem(f"OVERLAY={overlay}: no such folder")
    job = Archive()
    if overlay:
        job.tree(overlay)
        _add_libraries(job, overlay)
    # After the overlay, so that it cannot take the script's place.
    job.file(f"lab/{script.name}", script.read_bytes(), 0o755)
    job.file("lab/job", f"script={_quoted('/lab/' + script.name)}\ntoken={token}\n".encode())
    return job.bytes()


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _add_libraries(job: Archive, overlay: Path) -> None:
    needed: set[str] = set()
    for path in overlay.rglob("*"):
        if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK) and programs.is_elf(path):
            needed.update(programs.libraries(path))
    for library in sorted(needed):
        if not (overlay / library.lstrip("/")).exists():
            job.file(library, Path(library).read_bytes(), 0o755)
