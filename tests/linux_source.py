"""The kernel's sources that tests take their programs and lists from, unpacked once for all of them.

Debian's packages bring them as archives of 1.5 GB, which take as long to go through as what is made of
them takes to run. So the first test that asks unpacks what all of them want, into the build folder, and
those that ask meanwhile wait for it.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

KEPT = Path(__file__).resolve().parents[1] / "build" / "linux-source"
PACKAGES = Path("/usr/src")
# As tar's patterns: what a folder holds; files by their ending, at any depth.
WHOLE = ("Makefile", "include/uapi/linux/bpf.h", "lib/test_bpf.c", "tools/include", "tools/lib/bpf",
         "tools/testing/selftests/bpf")
SOURCES = ("kernel", "net", "fs", "mm", "crypto", "security", "drivers/hid", "drivers/net")


def unpack(package, folder):
    top = package.name.removesuffix(".tar.xz")
    patterns = [*(f"{top}/{name}" for name in WHOLE),
                "--wildcards-match-slash", *(f"{top}/{name}/*.c" for name in SOURCES)]
    with subprocess.Popen(["xz", "-dcT0", package], stdout=subprocess.PIPE) as xz:
        subprocess.run(["tar", "x", "-C", folder, "--strip-components=1", "--wildcards", *patterns],
                       stdin=xz.stdout, check=True)
    if xz.returncode:
        raise subprocess.CalledProcessError(xz.returncode, xz.args)


def of_package(package):
    """The folder with what is in @package, an archive. Nothing in it may be changed."""
    stat = package.stat()
    folder = KEPT / f"{package.name.removesuffix('.tar.xz')}.{stat.st_size}.{stat.st_mtime_ns}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # of one that was killed
            part.mkdir()
            unpack(package, part)
            part.rename(folder)
    return folder


def find(version="6.12"):
    """The folder LINUX_SOURCE, else that of Debian's package; None: it is not installed."""
    if os.environ.get("LINUX_SOURCE"):
        return Path(os.environ["LINUX_SOURCE"])
    package = PACKAGES / f"linux-source-{version}.tar.xz"
    return of_package(package) if package.exists() else None
