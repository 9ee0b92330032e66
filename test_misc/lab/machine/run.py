# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""One run of a script in the machine, and the verdict on it."""

import re
import secrets
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import klog
from .bochs import Emulation, Machine
from .common import progress
from .image import make_image
from .job import job_archive
from .kernels import kernel
from .root import not_built, root_archive
from .slots import slot

TIMED_OUT = 124
KERNEL_FAULT = 125


@dataclass(frozen=True)
class Request:
    script: Path
    overlay: Path | None = None
    series: str = "6.1"
    machine: Machine = field(default_factory=Machine)
    timeout: float = 600
    kernel_arguments: str = ""
    trace: Path | None = None       # receives the instructions between two `xchg %bx, %bx`; machine.trace is set


def run(request: Request) -> int:
    """Runs it, with the script's output on standard output; the exit status."""
    request.machine.check()
    chosen = kernel(request.series)
    # Names this run in the kernel's log, so that no script can be taken for it by what it logs.
    token = secrets.token_hex(4)
    job = job_archive(request.script, request.overlay, token)
    if lacking := not_built(chosen):
        progress(f"not built yet and so not in the machine: {', '.join(lacking)} (`make build` makes all)")
    with slot() as folder:
        arguments = f"{request.machine.kernel_arguments} {request.kernel_arguments}"
        make_image(folder / "image.iso", chosen, root_archive(chosen), job, arguments)
        start = time.monotonic()
        emulation = Emulation(request.machine, folder)
        try:
            ended = emulation.watch(request.timeout, _emit)
        finally:
            emulation.stop()
        (folder / "image.iso").unlink()
        if request.trace:
            shutil.copyfile(folder / "bochs.out", request.trace)
        console = (folder / "console").read_text(errors="replace").replace("\r", "")
        status = _verdict(console, token, ended, request.timeout, folder)
        progress(f"{request.script.name} on {chosen.release}, {request.machine.cpus} CPU, {request.machine.model}: "
                 f"status {status} after {time.monotonic() - start:.1f} s")
        return status


def _emit(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _verdict(console: str, token: str, ended: bool, timeout: float, folder: Path) -> int:
    log = klog.after_marker(console, f"lab {token}: start")
    reported = re.search(rf"lab {token}: status (\d+)", console)
    if log is not None and klog.faults(log):
        progress(f"the kernel's log shows a fault (all of it: {folder}/console):")
        print(klog.excerpt(log), file=sys.stderr, flush=True)
        return KERNEL_FAULT
    if reported:
        return int(reported[1])
    if not ended:
        progress(f"TIMEOUT={timeout:g} s have passed: machine killed. The end of its console ({folder}/console):")
    elif log is None:
        progress(f"the machine stopped before the script was started. The end of its console ({folder}/console; "
                 f"Bochs' own log: {folder}/bochs.log):")
    else:
        progress(f"the machine stopped while the script ran. The end of its console ({folder}/console):")
    print("\n".join(console.splitlines()[-30:]), file=sys.stderr, flush=True)
    return KERNEL_FAULT if ended else TIMED_OUT
