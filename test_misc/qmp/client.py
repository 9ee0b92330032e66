# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The public QMP client, qemu.qmp from PyPI, in build/qmp-client."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
CLIENT = TOP / "build/qmp-client"
WANTED = "qemu.qmp==0.0.6"


def install() -> Path:
    """Where it is, installed if it wasn't."""
    mark = CLIENT / "installed"
    if mark.exists() and mark.read_text() == WANTED:
        return CLIENT
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--upgrade",
                           "--retries", "8", "--target", CLIENT, WANTED], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"pip can't install {WANTED}, which judges here:\n{done.stdout}{done.stderr}")
    mark.write_text(WANTED)
    return CLIENT
