# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""
The built Swift tests with another core in them. SwiftPM links kmod/core into the test program; here the same objects are linked once
without it, against a shared library, so that a core compiled in another way (with a fault, counting lines) takes a second and no Swift.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OUT = TOP / "build/core"
SOURCES = TOP / "kmod/core"
LIBRARY = "liblikexcore.so"
RUNNER = OUT / "runner"
#: As Package.swift compiles CLikexCore.
CFLAGS = ["-std=gnu11", "-g", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-parameter"]
#: Tests of CoreTests that take a second or more.
SLOW = ["whatTheDisassemblerReads", "lookupsAgreeWithAPlainArray", "operationsAtRandom", "agreesWithTheModel", "nothingIsReadPastTheEnd"]


def toolchain(tool: str) -> str:
    """A program of the Swift toolchain: it and the compiler must be of one version."""
    swift = shutil.which("swift")
    beside = Path(swift).resolve().parent / tool if swift else None
    found = str(beside) if beside and beside.exists() else shutil.which(tool)
    if not found:
        sys.exit(f"{tool}: neither beside swift nor in PATH; install the Swift toolchain (https://swift.org)")
    return found


def sh(command: list, **options) -> None:
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))[:500]}\n{done.stdout}")


@dataclass(frozen=True)
class Suite:
    """Tests by their names: those that match one of `tests` and none of `but`."""
    name: str
    tests: tuple
    but: tuple = ()

    def arguments(self) -> list[str]:
        return [word for test in self.tests for word in ("--filter", test)] + [word for test in self.but for word in ("--skip", test)]


#: All tests that reach the core, those first that are quickest to notice something.
SUITES = (Suite("quick CoreTests", (r"^CoreTests\.",), tuple(SLOW)), Suite("SimulatorTests", (r"^SimulatorTests\.",)),
          Suite("slow CoreTests", tuple(rf"^CoreTests\..*{test}" for test in SLOW)))


class CompileError(Exception):
    """The compiler's words."""


def compile_file(source: Path, into: Path, flags: list, include: Path = SOURCES) -> Path:
    target = into / f"{source.stem}.o"
    command = [toolchain("clang"), *CFLAGS, *flags, f"-I{include}", f"-I{TOP}/kmod/include",
               f"-I{TOP}/Sources/CLikexHW/include", "-c", source, "-o", target]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr)
    return target


def compile_core(into: Path, flags: list) -> list[Path]:
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda source: compile_file(source, into, flags), sorted(SOURCES.glob("*.c"))))


def link_core(objects: list[Path], into: Path, flags: list | None = None) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    sh([toolchain("clang"), "-shared", "-fuse-ld=lld", f"-Wl,-soname,{LIBRARY}", *(flags or []),
        "-o", into / LIBRARY, *objects])
    return into / LIBRARY


def build_runner(skip_build: bool = False) -> Path:
    """The test program without a core: RUNNER, which finds LIBRARY by LD_LIBRARY_PATH."""
    if not skip_build:
        print("building the tests", flush=True)
        sh(["swift", "build", "--build-tests"], cwd=TOP)
    bundle = TOP / ".build/debug/LiKeXPackageTests.xctest"
    if not bundle.exists():
        sys.exit(f"{bundle.relative_to(TOP)} is missing; run: swift build --build-tests")
    if RUNNER.exists() and RUNNER.stat().st_mtime > bundle.stat().st_mtime:
        return RUNNER
    plain = OUT / "plain"
    link_core(compile_core(plain, ["-O1"]), plain)
    bundle = bundle.resolve()
    listed = (bundle.parent / "LiKeXPackageTests.product/Objects.LinkFileList").read_text().splitlines()
    kept = [line for line in listed if "/CLikexCore.build/" not in line]
    if len(kept) == len(listed):
        sys.exit(f"{bundle.parent}: no object of CLikexCore in LiKeXPackageTests.product/Objects.LinkFileList")
    (OUT / "objects.list").write_text("\n".join(kept) + "\n")
    sh([*link_command(bundle), f"@{OUT}/objects.list", plain / LIBRARY, "-o", RUNNER], cwd=TOP)
    return RUNNER


def link_command(bundle: Path) -> list[str]:
    """SwiftPM's own, from its build plan, but for the objects and the output."""
    plan = (TOP / ".build/debug.yaml").read_text()
    found = re.search(rf'outputs: \["{re.escape(str(bundle))}"\]\n.*\n\s*args: (\[.*\])', plan)
    if not found:
        sys.exit(f".build/debug.yaml: no command that links {bundle.name}; run: swift build --build-tests")
    args = json.loads(found.group(1))
    output = args.index("-o")
    return [word for i, word in enumerate(args) if i not in (output, output + 1) and not word.startswith("@")]


@dataclass
class Result:
    #: The first test that failed, with its place; None where all passed.
    caught_by: str | None
    seconds: float
    output: str


COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STARTED = re.compile(r"Test (\S+\(.*?\)) started\.")
ISSUE = re.compile(r"Test (?P<test>\S+\(.*?\)).*? recorded an issue.*? at (?P<place>\S+?\.swift:\d+)")


def run_tests(library: Path, suite: Suite, limit: float, environment: dict | None = None, to_first_failure: bool = True,
              parallel: bool = False) -> Result:
    """Runs the tests with that core. One after the other, so that a crash or a hang is the last one's that began."""
    command = [RUNNER, "--testing-library", "swift-testing", *suite.arguments(), *([] if parallel else ["--no-parallel"])]
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "SWIFT_BACKTRACE": "enable=no", "NO_COLOR": "1",
           **(environment or {})}
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=TOP, env=env, text=True, errors="replace",
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(limit, expire)
    timer.start()
    lines, last, caught, ran = [], "before the first test", None, False
    try:
        for line in process.stdout:
            line = COLOUR.sub("", line)
            lines.append(line)
            if started := STARTED.search(line):
                last, ran = started.group(1), True
            elif (issue := ISSUE.search(line)) and not caught:
                caught = f"{issue['test']} at {issue['place']}"
                if to_first_failure:
                    process.kill()
                    break
    finally:
        timer.cancel()
        process.stdout.close()
        status = process.wait()
    if not caught and expired.is_set():
        caught = f"{last}: still running after {limit:.0f} s"
    elif not caught and status < 0:
        caught = f"{last}: {signal.Signals(-status).name}"
    elif not caught and status:
        caught = f"{last}: status {status}"
    elif not ran and not caught:
        sys.exit(f"none of the {suite.name} ran:\n{''.join(lines[-20:])}")
    return Result(caught, time.monotonic() - begin, "".join(lines))
