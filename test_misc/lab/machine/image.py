# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The CD image the machine boots from: isolinux, a kernel, the first root and the job."""

import os
import shutil
from pathlib import Path

from .common import Problem, run
from .kernels import Kernel

ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
LOADER_LIBRARY = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")

# Instructions the emulated CPU counts as one second; the kernel's TSC frequency is told to it to match.
INSTRUCTIONS_PER_SECOND = 50_000_000

UNNEEDED_INITCALLS = (
    "trace_eval_init", "ftrace_check_for_weak_functions",       # names for tracing filters
    "jent_mod_init",                                            # a source of randomness
    "cubictcp_register", "bpf_tcp_ca_kfunc_init", "bpf_dummy_struct_ops_init",
    "load_system_certificate_list",                             # module signatures
)

KERNEL_ARGUMENTS = (
    "console=ttyS0,115200",
    "mitigations=off", "nokaslr",
    "panic=-1", "oops=panic", "softlockup_panic=1", "reboot=t",
    # Bochs at times misses the store that should end an MWAIT. A processor without a tick, as one that is about to go offline, then
    # sleeps for ever; others wait for their next timer.
    "idle=halt",
    "tsc=reliable", f"tsc_early_khz={INSTRUCTIONS_PER_SECOND // 1000}",
    # Self-tests of the kernel's ciphers, and start-up work that nobody here needs: ten of 6.12's seventeen seconds.
    "cryptomgr.notests", "initcall_blacklist=" + ",".join(UNNEEDED_INITCALLS),
    "printk.devkmsg=on", "quiet", "loglevel=4",
)


def make_image(image: Path, kernel: Kernel, root: Path, job: bytes, extra_arguments: str) -> None:
    for part in (ISOLINUX, LOADER_LIBRARY):
        if not part.exists():
            raise Problem(f"{part} is missing: run `make setup`")
    folder = image.parent / "image"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(ISOLINUX, folder)
    shutil.copy(LOADER_LIBRARY, folder)
    os.link(kernel.image, folder / "kernel")
    os.link(root, folder / "root.img")
    (folder / "job.img").write_bytes(job)
    arguments = " ".join((*KERNEL_ARGUMENTS, extra_arguments)).strip()
    (folder / "isolinux.cfg").write_text(
        f"default lab\nprompt 0\nlabel lab\n linux kernel\n append initrd=root.img,job.img {arguments}\n")
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", image, "-b", "isolinux.bin", "-c", "boot.cat",
        "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", folder)
    shutil.rmtree(folder)
