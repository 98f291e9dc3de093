"""mdflush: flushes of a mirror of two loop devices, made for the test."""

import os
import shutil
import subprocess

import pytest
from disks import looped
from toolbox import Tool, needs

MIRROR = "/dev/md127"


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture
def mirror(tmp_path):
    if not shutil.which("mdadm"):
        pytest.skip("needs mdadm")
    run("modprobe", "raid1")
    needs("fentry:md_flush_request")
    with looped(tmp_path / "one", 8 << 20) as one, looped(tmp_path / "two", 8 << 20) as two:
        try:
            made = run("mdadm", "--build", MIRROR, "--level=1", "--raid-devices=2",
                       "--assume-clean", one, two)
            assert made.returncode == 0, made.stderr
            yield MIRROR
        finally:
            run("mdadm", "--stop", MIRROR)


def test_each_flush(mirror):
    fd = os.open(mirror, os.O_WRONLY)
    with Tool("mdflush", "-p", os.getpid()) as tool:
        for _ in range(3):
            os.fsync(fd)
    with Tool("mdflush", "-p", os.getpid(), json=False) as text:
        os.fsync(fd)
    os.close(fd)
    assert [row["device"] for row in tool.rows] == ["md127"] * 3
    assert {row["pid"] for row in tool.rows} == {os.getpid()}
    assert text.text.splitlines()[0].split() == ["TIME", "PID", "COMM", "DEVICE"]
