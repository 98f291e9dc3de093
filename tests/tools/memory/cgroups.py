"""A control group with a limit of memory, and programs in it."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS, ENABLED = ROOT / "cgroup.controllers", ROOT / "cgroup.subtree_control"
EAT = """
import sys
held = []
for _ in range(int(sys.argv[1])):
    held.append(bytearray(1 << 20))
"""
FILL = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR | os.O_TRUNC)
for _ in range(int(sys.argv[2])):
    os.write(fd, bytes(1 << 20))
os.fsync(fd)
"""


def find_controller():
    """Where groups are made, and the file that limits one: of the one hierarchy, or of many."""
    if CONTROLLERS.exists() and "memory" in CONTROLLERS.read_text().split():
        return ROOT, "memory.max"
    if (ROOT / "memory" / "memory.limit_in_bytes").exists():
        return ROOT / "memory", "memory.limit_in_bytes"
    return pytest.skip("control groups here do not limit memory")


@contextlib.contextmanager
def limited(name, bytes_most, swaps=False):
    """A group that holds so much at most, and swaps the rest or nothing; skips where there is no
    controller of memory."""
    root, limit = find_controller()
    folder = root / f"skep-{name}-{os.getpid()}"
    is_new = root == ROOT and "memory" not in ENABLED.read_text().split()
    if is_new:
        ENABLED.write_text("+memory")
    folder.mkdir()
    try:
        (folder / limit).write_text(str(bytes_most))
        for swap, most in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", bytes_most)):
            if not swaps and (folder / swap).exists():
                (folder / swap).write_text(str(most))
        yield folder
    finally:
        folder.rmdir()
        if is_new:
            ENABLED.write_text("-memory")


def run_in(folder, program, *args, **how):
    """Run a Python program in the group; returns its process, ended."""
    procs = folder / "cgroup.procs"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)], stderr=subprocess.DEVNULL,
        preexec_fn=lambda: procs.write_text(str(os.getpid())), **how)  # noqa: it only writes
    process.wait()
    return process


def needs_disk(folder):
    """Skips where files are memory themselves, of which none can be freed."""
    found = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True,
                           check=True).stdout.strip()
    if found == "tmpfs":
        pytest.skip(f"{folder} is no disk")
