# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Kernel headers usable where they lie, without being installed.

Debian's header packages find each other through relative links but for one line: the Makefile of a flavour includes
the common one by its absolute path in /usr/src. That line is pointed into the cache.
"""

from pathlib import Path

from .common import Problem, run


def unpack(packages: list[Path], release: str, folder: Path) -> None:
    for package in packages:
        run("dpkg-deb", "-x", package, folder)
    flavour = folder / "usr/src" / f"linux-headers-{release}"
    makefile = flavour / "Makefile"
    text = makefile.read_text()
    if "include /usr/src/" not in text:
        raise Problem(f"{makefile} doesn't include its common part from /usr/src as Debian's did so far:\n{text}")
    makefile.write_text(text.replace("include /usr/src/", f"include {folder}/usr/src/"))
    # Kbuild would make BTF from it with pahole, which nothing here needs.
    (flavour / "vmlinux").unlink(missing_ok=True)
