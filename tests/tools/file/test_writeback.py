"""writeback: the pages of a file that was written, on a file system of the test's own."""

import ctypes
import os

from toolbox import Tool

KIB = 1024
LIBC = ctypes.CDLL(None, use_errno=True)
PAGE = os.sysconf("SC_PAGESIZE")


def write_and_sync(folder, size):
    (folder / "file").write_bytes(bytes(size))
    fd = os.open(folder, os.O_RDONLY)
    LIBC.syncfs(fd)
    os.close(fd)


def test_pages_of_a_sync(folder):
    device = os.stat(folder).st_dev
    with Tool("writeback") as tool:
        write_and_sync(folder, 8 * KIB * KIB)
    rows = [row for row in tool.rows
            if row["device"] == f"{os.major(device)}:{os.minor(device)}"]
    pages = sum(row["pages"] for row in rows)
    # The file's own, and a few that say where it is.
    assert 8 * KIB * KIB // PAGE <= pages <= 9 * KIB * KIB // PAGE
    assert "sync" in {row["reason"] for row in rows}
    assert all(row["lat_ms"] > 0 for row in rows)


def test_text(folder):
    with Tool("writeback", json=False) as tool:
        write_and_sync(folder, KIB * KIB)
    assert tool.text.splitlines()[0].split() == ["TIME", "DEVICE", "PAGES", "REASON", "LAT(ms)"]
