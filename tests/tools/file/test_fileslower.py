"""fileslower: reads and writes by file, those above the threshold only."""

import os
import threading
import time

from toolbox import Tool


def test_every_read_and_write(tmp_path):
    with Tool("fileslower", 0, "-p", os.getpid()) as tool:
        fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(fd, bytes(1000))
        os.pwrite(fd, bytes(2000), 0)
        os.writev(fd, [bytes(10), bytes(20)])
        assert len(os.pread(fd, 500, 0)) == 500
        assert os.preadv(fd, [bytearray(100), bytearray(100)], 0) == 200
        os.close(fd)
    rows = [row for row in tool.rows if row["filename"] == "file"]
    assert [(row["d"], row["bytes"]) for row in rows] == [
        ("W", 1000), ("W", 2000), ("W", 30), ("R", 500), ("R", 200)]
    assert all(row["tid"] == threading.get_native_id() for row in rows)


def test_a_read_that_waits():
    """Of a pipe, which is no regular file."""
    read, write = os.pipe()
    with Tool("fileslower", "-a", "-p", os.getpid()) as tool:
        threading.Timer(0.05, os.write, (write, b"x")).start()
        time.sleep(0)
        os.read(read, 1)
    with Tool("fileslower", "-p", os.getpid()) as regular:
        threading.Timer(0.05, os.write, (write, b"x")).start()
        os.read(read, 1)
    os.close(read)
    os.close(write)
    row, = (row for row in tool.rows if row["d"] == "R" and row["bytes"] == 1)
    assert row["lat_ms"] >= 40
    assert not regular.rows


def test_text(tmp_path):
    with Tool("fileslower", 0, "-p", os.getpid(), json=False) as tool:
        (tmp_path / "file").write_text("x")
    assert tool.text.splitlines()[0].split() == [
        "TIME(s)", "COMM", "TID", "D", "BYTES", "LAT(ms)", "FILENAME"]
    assert [row["BYTES"] for row in tool.table if row["FILENAME"] == "file"] == ["1"]
