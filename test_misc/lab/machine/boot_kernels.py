# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The lab's kernels as a VMM gets them: Debian's own bzImage, and the vmlinux that is packed in it, which starts sooner.

build/lab/boot-kernels/SERIES/ holds bzImage, vmlinux, config, modules/ (all of Debian's, as packed) and `release`, which
is written last. Of the same release as the kernel that the lab itself runs (kernels.py).
"""

import os
import shutil
import struct
import tempfile
from pathlib import Path

from . import flat_kernel, kernels
from .common import CACHE, locked, progress, run


def fetch(series: str) -> Path:
    """The folder of a series, filled if it isn't yet."""
    release = kernels.kernel(series).release
    folder = CACHE / "boot-kernels" / series
    with locked(f"boot-kernel-{series}"):
        mark = folder / "release"
        if not mark.exists() or mark.read_text().strip() != release:
            progress(f"fetching Debian's image of {release} as it is")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _fill(folder, release)
            mark.write_text(release + "\n")
    return folder


def _fill(folder: Path, release: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # Otherwise apt warns that its own user cannot write here.
        sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
        run("apt-get", *sandbox, "download", "-q", f"linux-image-{release}", cwd=scratch)
        package = next(Path(scratch).glob("linux-image-*.deb"))
        run("dpkg-deb", "-x", package, f"{scratch}/root")
        root = Path(scratch) / "root"
        image = root / "boot" / f"vmlinuz-{release}"
        (folder / "vmlinux").write_bytes(_unpacked(image.read_bytes()))
        shutil.move(image, folder / "bzImage")
        shutil.move(root / "boot" / f"config-{release}", folder / "config")
        modules = next(path for path in (root / "lib/modules", root / "usr/lib/modules") if path.exists()) / release
        shutil.move(modules, folder / "modules")


def _unpacked(image: bytes) -> bytes:
    setup_size = ((image[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    return flat_kernel._decompressed(image[setup_size + offset:setup_size + offset + length])
