# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A bzImage whose kernel is already uncompressed: the same kernel, started twenty seconds sooner on Bochs.

Takes Debian's image apart (Linux's Documentation/arch/x86/boot.rst describes it): the real-mode part is kept, the
decompressor with its payload is replaced by boot/loader.S and the ELF segments of the payload, laid flat.
"""

import struct
import tempfile
from pathlib import Path

from .common import LAB, Problem, run

_LOADED_AT = 0x100000
_PARAMETERS = 0x800     # in loader.S
_PT_LOAD = 1


def flatten(image: Path, result: Path) -> None:
    data = image.read_bytes()
    (magic,) = struct.unpack_from("<I", data, 0x202)
    if magic != 0x53726448:     # "HdrS"
        raise Problem(f"{image} is no bzImage")
    setup_size = ((data[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    elf = _decompressed(data[setup_size + offset:setup_size + offset + length])
    start, flat, end, entry = _flat(elf)
    with tempfile.TemporaryDirectory() as scratch:
        run("gcc", "-c", "-o", f"{scratch}/loader.o", LAB / "boot/loader.S")
        run("objcopy", "-O", "binary", "-j", ".text", f"{scratch}/loader.o", f"{scratch}/loader")
        loader = bytearray(Path(scratch, "loader").read_bytes())
    flat += bytes(-len(flat) % 8)
    struct.pack_into("<6Q", loader, _PARAMETERS, _LOADED_AT + len(loader), start, len(flat) // 8,
                     start + len(flat), max(0, end - start - len(flat) + 7) // 8, entry)
    protected = bytes(loader) + flat
    protected += bytes(-len(protected) % 16)
    setup = bytearray(data[:setup_size])
    struct.pack_into("<I", setup, 0x1F4, len(protected) // 16)     # syssize
    setup[0x234] = 0    # not relocatable: the boot loader is to put it at 1 MiB
    result.write_bytes(bytes(setup) + protected)


def _decompressed(payload: bytes) -> bytes:
    packers = {b"\x28\xb5\x2f\xfd": ["zstd", "-d", "-c"], b"\x02\x21\x4c\x18": ["lz4", "-d", "-c"],
               b"\xfd7zXZ": ["xz", "-d", "-c", "--single-stream"], b"\x1f\x8b\x08": ["gzip", "-d", "-c"]}
    command = next((command for head, command in packers.items() if payload.startswith(head)), None)
    if command is None:
        raise Problem(f"the kernel is packed in a way unknown here: it begins with {payload[:6].hex(' ')}")
    with tempfile.NamedTemporaryFile() as packed, tempfile.NamedTemporaryFile() as plain:
        # The last four bytes are the size of the content, Kbuild's own addition.
        packed.write(payload[:-4])
        packed.flush()
        run("sh", "-c", f"{' '.join(command)} <{packed.name} >{plain.name}")
        return Path(plain.name).read_bytes()


def _flat(elf: bytes) -> tuple[int, bytes, int, int]:
    """Physical start, the segments as they lie from there, end with the zeroed rest, and the entry point."""
    if not elf.startswith(b"\x7fELF\x02"):
        raise Problem("what the kernel image unpacks to is no 64-bit ELF")
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = []
    for index in range(count):
        kind, _, offset, _, physical, file_size, memory_size, _ = struct.unpack_from("<IIQQQQQQ", elf, headers + index * size)
        if kind == _PT_LOAD:
            segments.append((physical, elf[offset:offset + file_size], memory_size))
    start = min(physical for physical, _, _ in segments)
    flat = bytearray(max(physical + len(content) for physical, content, _ in segments) - start)
    for physical, content, _ in segments:
        flat[physical - start:physical - start + len(content)] = content
    return start, bytes(flat), max(physical + memory_size for physical, _, memory_size in segments), entry
