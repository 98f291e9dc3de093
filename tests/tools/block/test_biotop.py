"""biotop: requests, bytes and times by process and disk."""

import os

from toolbox import Tool

KIB = 1024


def test_sums(disk):
    with Tool("biotop", "-d", disk.name, "-p", os.getpid(), 1000) as tool:
        for i in range(5):
            disk.read(i * 64 * KIB, 64 * KIB)
        for i in range(2):
            disk.write(i * 64 * KIB, 4 * KIB)
    rows = {row["d"]: row for row in tool.rows}
    assert (rows["R"]["io"], rows["R"]["kbytes"]) == (5, 320)
    assert (rows["W"]["io"], rows["W"]["kbytes"]) == (2, 8)
    assert rows["R"]["pid"] == os.getpid() and rows["R"]["disk"] == disk.name
    assert rows["R"]["avgms"] >= 0
    major, minor = os.major(os.stat(disk.path).st_rdev), os.minor(os.stat(disk.path).st_rdev)
    assert (rows["R"]["maj"], rows["R"]["min"]) == (major, minor)


def test_sort_rows_and_text(disk):
    with Tool("biotop", "-C", "-r", 1, "-s", "kbytes", "-d", disk.name, "-p", os.getpid(), 1000,
              json=False) as tool:
        for _ in range(3):
            disk.write(0, 4 * KIB)
        disk.read(0, 64 * KIB)
    assert tool.text.splitlines()[0].split() == [
        "PID", "COMM", "D", "MAJ", "MIN", "DISK", "IO", "Kbytes", "AVGms"]
    assert len(tool.text.splitlines()) == 2
    assert " R " in tool.text.splitlines()[1]  # more bytes, though fewer requests
