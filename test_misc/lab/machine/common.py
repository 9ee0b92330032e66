# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Where things are, how to fail, and how to do a thing only once at a time."""

import contextlib
import fcntl
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
TOP = LAB.parent.parent
BUILD = TOP / "build"
CACHE = BUILD / "lab"


class Problem(Exception):
    """Something the person at the keyboard can act on; the message says what and how."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


def usage_problem(message: str) -> Problem:
    return Problem(message, status=2)


def progress(message: str) -> None:
    """A line for people, on standard error: standard output belongs to the script that runs."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def run(*command: str | Path, **options) -> str:
    """Runs a program that has no reason to fail; its output, or a Problem with all that it said."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Problem(f"`{' '.join(words)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def locked(name: str):
    """Holds build/lab/NAME.lock: two `make` at once must not write one cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
