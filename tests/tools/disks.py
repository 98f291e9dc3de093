"""A disk of the test's own: a loop device on a file, so that nobody else's requests are seen."""

import contextlib
import mmap
import os
import subprocess

import pytest

KIB = 1024
SECTOR = 512


class Disk:
    """Reads and writes go past the page cache: each is one request of that size."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.fd = os.open(path, os.O_RDWR | os.O_DIRECT)

    def read(self, offset, size):
        with mmap.mmap(-1, size) as buffer:
            assert os.preadv(self.fd, [buffer], offset) == size

    def write(self, offset, size):
        with mmap.mmap(-1, size) as buffer:
            assert os.pwritev(self.fd, [buffer], offset) == size


@contextlib.contextmanager
def looped(image, size):
    """The path of a loop device on the new file @image."""
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["modprobe", "-q", "loop"], check=False)  # where it is a module
    made = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True,
                          check=False)
    if made.returncode:
        pytest.skip(f"needs a loop device: {made.stderr.strip()}")
    path = made.stdout.strip()
    try:
        yield path
    finally:
        subprocess.run(["losetup", "-d", path], check=True)


@pytest.fixture(name="disk")
def disk_of_ones_own(tmp_path):
    with looped(tmp_path / "image", 16 * KIB * KIB) as path:
        disk = Disk(path)
        yield disk
        os.close(disk.fd)
