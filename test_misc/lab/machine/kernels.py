# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Debian's cloud kernels: found through apt-cache, downloaded and unpacked into the cache, never installed.

build/lab/kernels/SERIES/ holds kernel (see flat_kernel.py), modules/ (those a lab may want), headers/ (see headers.py)
and `release`, which is written last and so marks the whole as complete: the release's name and, against files made by
another version of this program, a digest of it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import flat_kernel, headers
from .common import CACHE, LAB, Problem, locked, progress, run, usage_problem

SERIES = ("6.1", "6.12")

# Paths inside the image package, below lib/modules/RELEASE, that go into the machine.
# brd: a disk in memory, which memory_stress swaps to.
WANTED_MODULES = ("kernel/arch/x86/kvm", "kernel/virt/lib", "kernel/arch/x86/kernel", "kernel/drivers/block/brd.ko*")


@dataclass(frozen=True)
class Kernel:
    series: str
    release: str
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "kernel"

    @property
    def modules(self) -> Path:
        """Stands for /lib/modules/RELEASE."""
        return self.folder / "modules"

    @property
    def headers(self) -> Path:
        """What /lib/modules/RELEASE/build would point to."""
        return self.folder / "headers" / f"usr/src/linux-headers-{self.release}"


def kernel(series: str) -> Kernel:
    """The kernel of a series, fetched if it isn't in the cache yet."""
    if series not in SERIES:
        raise usage_problem(f"KERNEL={series}: unknown kernel; there are {' and '.join(SERIES)}")
    folder = CACHE / "kernels" / series
    with locked(f"kernel-{series}"):
        mark = folder / "release"
        recipe = _recipe()
        if not mark.exists() or mark.read_text().split()[1:] != [recipe]:
            mark.unlink(missing_ok=True)
            release = _fetch(series, folder)
            mark.write_text(f"{release} {recipe}\n")
        return Kernel(series, mark.read_text().split()[0], folder)


def _recipe() -> str:
    parts = [Path(__file__), Path(headers.__file__), Path(flat_kernel.__file__), LAB / "boot/loader.S"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:16]


def _fetch(series: str, folder: Path) -> str:
    release = _newest_release(series) or (_refresh_lists() and _newest_release(series))
    if not release:
        raise Problem(f"apt knows no Linux {series} cloud kernel with headers. "
                      "As root: apt-get update; then see `apt-cache search linux-headers`.")
    progress(f"fetching Debian's kernel {release} and its headers")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        packages = _download(release, Path(scratch))
        headers.unpack(packages[1:], release, folder / "headers")
        _unpack_image(packages[0], release, folder)
    return release


def _newest_release(series: str) -> str | None:
    """The newest release that has both an image and headers, such as 6.1.0-56-cloud-amd64."""
    names = set(run("apt-cache", "pkgnames", f"linux-").split())
    pattern = re.compile(rf"linux-headers-({re.escape(series)}[.-][0-9].*-cloud-amd64)$")
    releases = [found[1] for name in names if (found := pattern.match(name))
                and f"linux-image-{found[1]}" in names and _is_offered(name)]
    return max(releases, key=_version_key, default=None)


def _version_key(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]


def _is_offered(package: str) -> bool:
    """apt-cache also lists names that no source offers any longer."""
    policy = run("apt-cache", "policy", package)
    return bool(policy) and "Candidate: (none)" not in policy


def _headers_packages(release: str) -> list[str]:
    """The headers package and those it cannot be used without."""
    package = f"linux-headers-{release}"
    depends = run("apt-cache", "depends", "--important", package)
    return [package, *re.findall(r"Depends: (linux-headers-\S+-common|linux-kbuild-\S+)", depends)]


def _download(release: str, folder: Path) -> list[Path]:
    names = [f"linux-image-{release}", *_headers_packages(release)]
    command = ["apt-get", "download", "-q", *names]
    if os.geteuid() == 0:
        # Otherwise apt warns that its own user cannot write here.
        command[1:1] = ["-o", "APT::Sandbox::User=root"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0 and _refresh_lists():
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"`{' '.join(command)}` failed; if a package was not found, run apt-get update as root:\n"
                      + done.stderr)
    return [next(folder.glob(f"{name}_*.deb")) for name in names]


def _refresh_lists() -> bool:
    if os.geteuid() != 0:
        return False
    progress("refreshing apt's package lists")
    run("apt-get", "update", "-q")
    return True


def _unpack_image(package: Path, release: str, folder: Path) -> None:
    """Takes the kernel and the wanted modules out of the package, modules decompressed."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run("dpkg-deb", "-x", package, scratch)
        root = Path(scratch)
        flat_kernel.flatten(root / "boot" / f"vmlinuz-{release}", folder / "kernel")
        modules = next(path for path in (root / "lib/modules", root / "usr/lib/modules") if path.exists()) / release
        target = folder / "modules"
        for found in (path for wanted in WANTED_MODULES for path in modules.glob(wanted)):
            copy = target / found.relative_to(modules)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(found, copy) if found.is_dir() else shutil.copy(found, copy)
        for path in modules.glob("modules.*"):
            shutil.copy(path, target)
    for packed in target.rglob("*.ko.xz"):
        run("xz", "-d", packed)
    for packed in target.rglob("*.ko.zst"):
        run("zstd", "-q", "-d", "--rm", packed)
    for module in target.rglob("*.ko"):
        # Their signatures go with the symbols. Checking one and looking through thousands of local symbols cost
        # ten emulated seconds at each load of kvm.ko; the code stays the one Debian built.
        run("strip", "--strip-unneeded", module)
