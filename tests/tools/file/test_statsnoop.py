"""statsnoop: each stat() of a workload, with its error and its descriptor."""

import errno
import os

from toolbox import Tool


def stat_all(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("x")
    os.stat(good)
    os.lstat(good)
    os.statvfs(good)
    try:
        os.stat(bad)
    except FileNotFoundError:
        pass


def of_this(tool, under):
    return [row for row in tool.rows if row["path"].startswith(str(under))]


def test_good_and_bad(tmp_path):
    with Tool("statsnoop", "-p", os.getpid()) as tool:
        stat_all(tmp_path)
    rows = of_this(tool, tmp_path)
    assert [(os.path.basename(row["path"]), row["err"]) for row in rows] == [
        ("good", 0), ("good", 0), ("good", 0), ("bad", errno.ENOENT)]
    assert {row["pid"] for row in rows} == {os.getpid()}


def test_only_failed_with_time(tmp_path):
    with Tool("statsnoop", "-x", "-t", "-p", os.getpid()) as tool:
        stat_all(tmp_path)
    row, = of_this(tool, tmp_path)
    assert row["path"] == str(tmp_path / "bad")
    assert row["time"].count(":") == 2


def test_descriptors(tmp_path):
    (tmp_path / "below").write_text("x")
    folder = os.open(tmp_path, os.O_RDONLY)
    with Tool("statsnoop", "-p", os.getpid()) as tool:
        os.stat("below", dir_fd=folder)
        os.fstat(folder)
    os.close(folder)
    rows = [(row["fd"], row["path"]) for row in tool.rows]
    assert (folder, "below") in rows
    assert (folder, "") in rows


def test_text(tmp_path):
    with Tool("statsnoop", "-p", os.getpid(), json=False) as tool:
        stat_all(tmp_path)
    assert tool.text.splitlines()[0].split() == ["PID", "COMM", "FD", "ERR", "PATH"]
    assert any(row["PATH"] == str(tmp_path / "bad") and row["ERR"] == "2"
               for row in tool.table if "PATH" in row)
