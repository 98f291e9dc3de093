"""A file system of the test's own, on a loop device."""

import subprocess

import pytest

MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path):
    image, where = tmp_path / "image", tmp_path / "mounted"
    where.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", image], check=True)
    done = subprocess.run(["mount", "-o", "loop,noatime", image, where], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a loop device: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)
