# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The machine's first root: busybox, the kernel's KVM modules, and what this project has built so far.

The archive is made again when one of its inputs changes: their paths, sizes and times are kept beside it.
"""

import json
import shutil
import tempfile
from pathlib import Path

from . import programs
from .common import BUILD, CACHE, LAB, TOP, locked, run
from .cpio import Archive
from .kernels import Kernel

BUSYBOX = Path("/bin/busybox")

# Bounds each lap of the run loop, see lab.md's "Emulator bug".
PREEMPTION_TICKS = 200000


def root_archive(kernel: Kernel) -> Path:
    """The archive for a kernel, up to date."""
    archive = CACHE / f"root-{kernel.series}.cpio"
    record = archive.with_suffix(".inputs")
    with locked(f"root-{kernel.series}"):
        inputs = json.dumps(_inputs(kernel), indent=1)
        if not archive.exists() or not record.exists() or record.read_text() != inputs:
            record.unlink(missing_ok=True)
            replacement = archive.with_suffix(".new")
            replacement.write_bytes(_pack(kernel))
            # A rename, so that a machine being put together from the old one keeps it.
            replacement.rename(archive)
            record.write_text(inputs)
    return archive


def project_programs() -> dict[str, Path]:
    """Name in the machine -> newest build of it, of those that have been built."""
    builds = {
        "likex": [BUILD / "likex", TOP / ".build/release/likex"],
        "likex-vmm": [BUILD / "likex-vmm", TOP / ".build/release/likex-vmm"],
        "vmx-cases": [BUILD / "vmx-cases"],
        "test_misc": [BUILD / "test_misc"],
        **{path.name: [path] for path in sorted((BUILD / "checks").glob("*"))},
    }
    found = {name: [path for path in paths if path.is_file()] for name, paths in builds.items()}
    return {name: max(paths, key=lambda path: path.stat().st_mtime_ns) for name, paths in found.items() if paths}


def not_built(kernel: Kernel) -> list[str]:
    """What the machine could have of this project and doesn't."""
    lacking = [name for name in ("likex", "test_misc") if name not in project_programs()]
    if not (BUILD / "guests").is_dir():
        lacking.append("guests")
    return lacking if project_module(kernel) else ["likex.ko", *lacking]


def project_module(kernel: Kernel) -> Path | None:
    module = BUILD / f"kmod-{kernel.series}" / "likex.ko"
    return module if module.is_file() else None


def debug_module(kernel: Kernel) -> Path | None:
    """This project's module in the build whose allocations fail (kmod/debug): /debug/likex.ko, which modprobe doesn't know."""
    module = BUILD / f"kmod-fail-alloc-{kernel.series}" / "likex.ko"
    return module if module.is_file() else None


def test_modules(kernel: Kernel) -> list[Path]:
    """Modules that only tests load."""
    return [path for path in [BUILD / f"vmx_cases-{kernel.series}" / "vmx_cases.ko"] if path.is_file()]


def _inputs(kernel: Kernel) -> list[list]:
    paths = [BUSYBOX, kernel.folder / "release", *project_programs().values(), *test_modules(kernel)]
    paths += [module for module in (project_module(kernel), debug_module(kernel)) if module]
    for folder in (LAB / "machine", LAB / "root", BUILD / "guests"):
        paths += sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [[str(path), (state := path.stat()).st_size, state.st_mtime_ns] for path in paths]


def _pack(kernel: Kernel) -> bytes:
    root = Archive()
    for name in ("proc", "sys", "dev", "tmp", "root", "run", "mnt", "bin", "sbin", "usr/bin", "usr/sbin"):
        root.folder(name)
    # The kernel opens it for /init before anything is mounted on /dev.
    root.character_device("dev/console", 5, 1)
    root.tree(LAB / "root")
    _add_busybox(root)
    _add_modules(root, kernel)
    for name, path in project_programs().items():
        root.file(f"usr/bin/{name}", programs.stripped(path).read_bytes(), 0o755)
        for library in programs.libraries(path):
            root.file(library, Path(library).read_bytes(), 0o755)
    if (BUILD / "guests").is_dir():
        for path in sorted((BUILD / "guests").iterdir()):
            if path.is_file():
                root.file(f"guests/{path.name}", path.read_bytes())
    return root.bytes()


def _add_busybox(root: Archive) -> None:
    root.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    for applet in run(BUSYBOX, "--list-full").split():
        if applet != "bin/busybox":
            root.link(applet, "/bin/busybox")


def _add_modules(root: Archive, kernel: Kernel) -> None:
    """/lib/modules with this project's modules in extra/, and the modules' settings."""
    module = project_module(kernel)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        target = Path(scratch) / "lib/modules" / kernel.release
        shutil.copytree(kernel.modules, target)
        (target / "extra").mkdir()
        for built in ([module] if module else []) + test_modules(kernel):
            run("strip", "--strip-debug", "-o", target / "extra" / built.name, built)
        run("depmod", "-b", scratch, kernel.release)
        root.tree(Path(scratch))
    if debug := debug_module(kernel):
        root.file("debug/likex.ko", programs.stripped(debug, "--strip-debug").read_bytes())
    root.file("etc/modprobe.d/lab.conf", _module_options(kernel, module).encode())


def _module_options(kernel: Kernel, module: Path | None) -> str:
    """A parameter is only named where the module has it: the kernel logs a warning for others."""
    options = ""
    stock = kernel.modules / "kernel/arch/x86/kvm/kvm.ko"
    if _has_parameter(stock, "enable_virt_at_load"):
        # Else kvm-intel holds VMX from load to unload, and LiKeX could not take turns with it.
        options += "options kvm enable_virt_at_load=0\n"
    if module and _has_parameter(module, "preemption_timer"):
        options += f"options likex preemption_timer={PREEMPTION_TICKS}\n"
    return options


def _has_parameter(module: Path, name: str) -> bool:
    return any(line.split(":")[0] == name for line in run("modinfo", "-F", "parm", module).splitlines())
