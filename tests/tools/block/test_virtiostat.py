"""virtiostat: the bytes of a file that comes through a virtual device (9p, in test kernels)."""

import os
from pathlib import Path

import pytest
from toolbox import SKEP, Tool, needs

DRIVER = "9pnet_virtio"


def read_file():
    """A large one that is nobody's program, as what is mapped stays in memory."""
    fd = os.open(SKEP.parent / "build.ninja", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    size = 0
    while piece := os.read(fd, 1 << 20):
        size += len(piece)
    os.close(fd)
    return size


@pytest.fixture(autouse=True)
def device():
    needs("kprobe:virtqueue_add_sgs")
    if not list(Path(f"/sys/bus/virtio/drivers/{DRIVER}").glob("virtio*")):
        pytest.skip(f"needs a device of {DRIVER}")


def test_bytes_of_a_file():
    with Tool("virtiostat", 1000, "-d", DRIVER) as tool:
        size = read_file()
    row, = tool.rows
    assert row["driver"] == DRIVER and row["device"].startswith("virtio")
    assert size <= row["in_bw"] <= 2 * size
    assert row["out_sgs"] > 0 and row["out_bw"] > 0


def test_another_device_and_text():
    with Tool("virtiostat", 1000, "-n", "nosuch") as tool:
        read_file()
    assert not tool.rows
    with Tool("virtiostat", "-T", 1, 1, json=False, ends=True) as tool:
        read_file()
    assert "Driver" in tool.text and DRIVER in tool.text
