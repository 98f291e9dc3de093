"""fsslower: operations with their sizes and places; those above the threshold only."""

import os
import subprocess

from toolbox import Tool

KIB = 1024


def type_of(path):
    return subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path], capture_output=True,
                          text=True, check=True).stdout.split()[-1]


def work(path):
    fd = os.open(path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, bytes(3 * KIB))
    os.pwrite(fd, bytes(100), 64 * KIB)
    os.write(fd, bytes(10))
    os.pread(fd, 50, 2 * KIB)
    os.fsync(fd)
    os.close(fd)


def of_file(tool):
    return [(row["t"], row["bytes"], row["off_kb"]) for row in tool.rows
            if row["filename"] == "file"]


def test_every_operation(tmp_path):
    with Tool("fsslower", "-t", type_of(tmp_path), "-p", os.getpid(), 0) as tool:
        work(tmp_path)
    assert of_file(tool) == [("O", 0, 0), ("W", 3 * KIB, 0), ("W", 100, 64), ("W", 10, 3),
                             ("R", 50, 2), ("F", 0, 3)]
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_only_slow_ones_and_only_of_that_type(tmp_path):
    with Tool("fsslower", "-m", 100000, "-p", os.getpid(), 0) as tool:
        work(tmp_path)
    assert not tool.rows
    with Tool("fsslower", "-t", "nosuchfs", "-p", os.getpid(), 0) as tool:
        work(tmp_path)
    assert not tool.rows


def test_a_slow_write(tmp_path):
    path = tmp_path / "file"
    program = f"import os; fd = os.open({str(path)!r}, 1); os.write(fd, bytes(64_000_000))"
    path.write_text("")
    with Tool("fsslower", 1) as tool:
        subprocess.run(["python3", "-c", program], check=True)
    row, = (row for row in tool.rows if row["filename"] == "file" and row["t"] == "W")
    assert row["bytes"] == 64_000_000
    assert row["lat_ms"] > 1
    path.unlink()


def test_text(tmp_path):
    with Tool("fsslower", "-p", os.getpid(), 0, json=False) as tool:
        work(tmp_path)
    assert tool.text.splitlines()[0].split() == [
        "TIME", "COMM", "PID", "T", "BYTES", "OFF_KB", "LAT(ms)", "FILENAME"]
    assert any(row["FILENAME"] == "file" and row["BYTES"] == "3072" for row in tool.table)
