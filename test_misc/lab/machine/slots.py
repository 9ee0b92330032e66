# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bounds how many machines run at once: each keeps a core busy. LAB_PARALLEL changes the two."""

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

from .common import CACHE, progress, usage_problem


@contextlib.contextmanager
def slot():
    """Yields an empty folder that is this run's alone. It is kept for a look until the next run takes it."""
    text = os.environ.get("LAB_PARALLEL", "2")
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise usage_problem(f"LAB_PARALLEL={text}: how many machines may run at once, from 1 to 64")
    runs = CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    number, lock = _take(runs, int(text))
    with lock:
        folder = runs / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder


def _take(runs: Path, count: int):
    told = False
    while True:
        for number in range(count):
            lock = open(runs / f"{number}.lock", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return number, lock
            except BlockingIOError:
                lock.close()
        if not told:
            progress(f"waiting: {count} machines are running already (LAB_PARALLEL allows more)")
            told = True
        time.sleep(0.5)
