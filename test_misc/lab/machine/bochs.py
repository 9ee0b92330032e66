# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Bochs: the models it has, its configuration, and one run of it."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .common import run, usage_problem
from .image import INSTRUCTIONS_PER_SECOND

# What Linux must be told on some models.
_KERNEL_ARGUMENTS = {
    # Bochs gives the compacted XSAVE area a wrong size. Linux then drops XSAVE, and AVX with it, unless it does not
    # see that the compacted form exists. (The same happens on corei3_cnl, which nothing helps: a test of life without.)
    "corei7_skylake_x": "clearcpuid=xsaves,xsavec",
    # These show features that Bochs does not emulate well: Linux hangs in page faults with them.
    "corei7_icelake_u": "clearcpuid=fsrm,pku,ospke",
    "tigerlake": "clearcpuid=fsrm,pku,ospke",
}

_CONFIGURATION = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=1700000000
ata0-master: type=cdrom, path=image.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console
com2: enabled=1, mode=file, dev=output
log: bochs.log
sound: driver=dummy, waveoutdrv=dummy
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""


@dataclass(frozen=True)
class Machine:
    model: str = "corei7_skylake_x"
    cpus: int = 1
    memory: int = 512
    # `xchg %bx, %bx` stops the emulation: what runs until the next one is traced, instruction by instruction.
    trace: bool = False

    def check(self) -> None:
        # Bochs writes its list to whichever stream its log goes to.
        done = subprocess.run(["bochs", "--help", "cpu"], capture_output=True, text=True)
        known = re.findall(r"^([a-z][a-z0-9_]*)$", done.stdout + done.stderr, re.MULTILINE)
        if self.model not in known:
            raise usage_problem(f"MODEL={self.model}: Bochs has no such CPU; it has {', '.join(known)}")
        if not 1 <= self.cpus <= 8:
            raise usage_problem(f"CPUS={self.cpus}: from 1 to 8")
        if not 256 <= self.memory <= 2048:
            raise usage_problem(f"MEMORY={self.memory}: from 256 to 2048 (MiB)")

    def configuration(self) -> str:
        text = _CONFIGURATION.format(memory=self.memory, model=self.model, cpus=self.cpus, ips=INSTRUCTIONS_PER_SECOND)
        return text + "magic_break: enabled=1\n" if self.trace else text

    @property
    def commands(self) -> str:
        """For the debugger that Debian's Bochs is built with, which waits for a command: continue."""
        return "c\ntrace on\nc\ntrace off\nc\n" if self.trace else "c\n"

    @property
    def kernel_arguments(self) -> str:
        return _KERNEL_ARGUMENTS.get(self.model, "")


class Emulation:
    """One running Bochs; FOLDER holds image.iso and receives `console`, `output` and bochs.log."""

    def __init__(self, machine: Machine, folder: Path):
        self.folder = folder
        (folder / "bochsrc").write_text(machine.configuration())
        (folder / "commands").write_text(machine.commands)
        for name in ("console", "output", "bochs.log"):
            (folder / name).write_bytes(b"")
        self._talk = open(folder / "bochs.out", "wb")
        # It must not outlive this program, however that ends: it would keep a core busy for ever.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "bochs", "-q", "-f", "bochsrc", "-rc", "commands"],
            stdin=subprocess.DEVNULL, stdout=self._talk, stderr=self._talk, cwd=folder, start_new_session=True)

    def watch(self, timeout: float, emit: Callable[[bytes], None]) -> bool:
        """Hands on what the script writes until the machine stops; False when time ran out first."""
        end = time.monotonic() + timeout
        with open(self.folder / "output", "rb") as output:
            while True:
                stopped = self.process.poll() is not None
                if data := output.read():
                    emit(data)
                if stopped:
                    return True
                if time.monotonic() > end:
                    return False
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._talk.close()
