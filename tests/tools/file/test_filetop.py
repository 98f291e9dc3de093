"""filetop: calls and bytes by thread and file."""

import os

from toolbox import Tool

KIB = 1024


def work(tmp_path):
    for name, reads, writes in (("one", 3, 5), ("two", 7, 1)):
        fd = os.open(tmp_path / name, os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(writes):
            os.write(fd, bytes(4 * KIB))
        for _ in range(reads):
            os.pread(fd, 2 * KIB, 0)
        os.close(fd)


def test_sums(tmp_path):
    read, write = os.pipe()
    with Tool("filetop", 1000, "-a", "-p", os.getpid()) as tool:
        work(tmp_path)
        os.write(write, b"x")
    os.close(read)
    os.close(write)
    rows = {row["file"]: row for row in tool.rows if row["t"] == "R"}
    names = ("reads", "writes", "r_kb", "w_kb")
    assert [rows["one"][name] for name in names] == [3, 5, 6, 20]
    assert [rows["two"][name] for name in names] == [7, 1, 14, 4]
    assert rows["one"]["inode"] == os.stat(tmp_path / "one").st_ino
    assert any(row["t"] == "O" and row["writes"] == 1 for row in tool.rows)


def test_sort_rows_and_text(tmp_path):
    for column, first in (("w_kb", "one"), ("r_kb", "two")):
        with Tool("filetop", "-C", "-r", 1, "-s", column, "-p", os.getpid(), 1000,
                  json=False) as tool:
            work(tmp_path)
        heading, line = tool.text.splitlines()
        assert heading.split() == [
            "TID", "COMM", "T", "INODE", "FILE", "READS", "WRITES", "R_Kb", "W_Kb"]
        assert f" {first} " in line
