"""biosnoop: each request with its maker, place and size."""

import os

from toolbox import Tool

KIB = 1024
HEADING = ["TIME(s)", "COMM", "PID", "DISK", "T", "SECTOR", "BYTES", "LAT(ms)"]


def test_each_request(disk):
    with Tool("biosnoop", "-Q", "-P", "-d", disk.name, "-p", os.getpid()) as tool:
        disk.read(64 * KIB, 32 * KIB)
        disk.read(96 * KIB, 4 * KIB)
        disk.write(512 * KIB, 8 * KIB)
    rows = tool.rows
    assert [(row["t"], row["sector"], row["bytes"], row["p"]) for row in rows] == [
        ("R", 128, 32 * KIB, "R"), ("R", 192, 4 * KIB, "S"), ("W", 1024, 8 * KIB, "R")]
    assert {row["pid"] for row in rows} == {os.getpid()}
    assert {row["disk"] for row in rows} == {disk.name}
    assert all(row["lat_ms"] > 0 and row["que_ms"] >= 0 for row in rows)


def test_only_that_process_and_disk(disk):
    with Tool("biosnoop", "-d", disk.name, "-p", os.getppid()) as tool:
        disk.read(0, 4 * KIB)
    assert not tool.rows
    with Tool("biosnoop", "-d", "nosuch", "-p", os.getpid()) as tool:
        disk.read(0, 4 * KIB)
    assert not tool.rows


def test_text(disk):
    with Tool("biosnoop", "-d", disk.name, "-p", os.getpid(), json=False) as tool:
        disk.read(0, 4 * KIB)
    assert tool.text.splitlines()[0].split() == HEADING
    row, = tool.table
    assert row["BYTES"] == "4096"
