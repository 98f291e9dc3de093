"""dirtop: calls and bytes by folder."""

import os

from toolbox import Tool

KIB = 1024


def work(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
    for folder, count in ((tmp_path, 1), (tmp_path / "a", 3), (tmp_path / "a" / "b", 5)):
        for i in range(count):
            fd = os.open(folder / f"file{i}", os.O_RDWR | os.O_CREAT, 0o600)
            os.write(fd, bytes(4 * KIB))
            os.pread(fd, 2 * KIB, 0)
            os.close(fd)


def test_sums(tmp_path):
    with Tool("dirtop", 1000, "-p", os.getpid()) as tool:
        work(tmp_path)
    rows = {row["inode"]: row for row in tool.rows}
    for folder, count in ((tmp_path, 1), (tmp_path / "a", 3), (tmp_path / "a" / "b", 5)):
        row = rows[os.stat(folder).st_ino]
        assert (row["reads"], row["writes"]) == (count, count)
        assert (row["r_kb"], row["w_kb"]) == (2 * count, 4 * count)
        assert (row["parent"], row["directory"]) == (folder.parent.name, folder.name)


def test_below_one(tmp_path):
    work(tmp_path)
    with Tool("dirtop", "-C", "-d", tmp_path / "a", "-p", os.getpid(), 1000, json=False) as tool:
        work(tmp_path)
    assert tool.text.splitlines()[0].split() == [
        "INODE", "PARENT", "DIRECTORY", "READS", "WRITES", "R_Kb", "W_Kb"]
    assert [(row["DIRECTORY"], row["READS"]) for row in tool.table] == [("b", "5"), ("a", "3")]
