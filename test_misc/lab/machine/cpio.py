# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A writer of cpio archives in the "newc" form, the one the kernel unpacks as its first root.

Everything is owned by root and device nodes need no privilege, which is why this isn't the cpio program.
"""

import os
import stat
from pathlib import Path


class Archive:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0
        self._folders: set[str] = set()

    def folder(self, name: str, mode: int = 0o755) -> None:
        """A folder and those above it; naming one again does nothing."""
        name = name.strip("/")
        if not name or name in self._folders:
            return
        self.folder(os.path.dirname(name))
        self._folders.add(name)
        self._entry(name, stat.S_IFDIR | mode, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self.folder(os.path.dirname(name.strip("/")))
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        self.folder(os.path.dirname(name.strip("/")))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        self.folder(os.path.dirname(name.strip("/")))
        self._entry(name, stat.S_IFCHR | 0o600, b"", major, minor)

    def tree(self, root: Path, at: str = "") -> None:
        """All of a folder, links kept as links."""
        for path in sorted(root.rglob("*")):
            name = os.path.join(at, path.relative_to(root))
            if path.is_symlink():
                self.link(name, os.readlink(path))
            elif path.is_dir():
                self.folder(name)
            elif path.is_file():
                self.file(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def bytes(self) -> bytes:
        trailer = Archive()
        trailer._entry("TRAILER!!!", 0, b"")
        data = b"".join(self._parts + trailer._parts)
        return data + bytes(-len(data) % 512)

    def _entry(self, name: str, mode: int, data: bytes, major: int = 0, minor: int = 0) -> None:
        self._count += 1
        encoded = name.strip("/").encode() + b"\0"
        fields = (self._count, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]
