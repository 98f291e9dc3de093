"""vfscount and vfsstat: as many calls as were made."""

import os
import time

from toolbox import Tool, needs


def work(tmp_path, count):
    for i in range(count):
        (tmp_path / f"folder{i}").mkdir()
        with open(tmp_path / f"folder{i}" / "file", "wb", buffering=0) as file:
            file.write(b"x")
            os.fsync(file.fileno())
        os.unlink(tmp_path / f"folder{i}" / "file")
        os.rmdir(tmp_path / f"folder{i}")


def test_vfscount(tmp_path):
    needs("kprobe:vfs_read")
    with Tool("vfscount", "-p", os.getpid()) as tool:
        work(tmp_path, 13)
    calls = tool.maps["@calls"]
    assert calls["vfs_rmdir"] == calls["vfs_mkdir"] == calls["vfs_unlink"] == 13
    assert calls["vfs_write"] >= 13
    with Tool("vfscount", 1, json=False, ends=True) as tool:
        work(tmp_path, 1)
    assert "@calls[vfs_rmdir]: " in tool.text


def test_vfsstat(tmp_path):
    needs("fentry:vfs_read")
    with Tool("vfsstat", 1, "-p", os.getpid()) as tool:
        work(tmp_path, 13)
        time.sleep(3)
    sums = {name: sum(row[name] for row in tool.rows)
            for name in ("write_s", "fsync_s", "create_s", "unlink_s", "mkdir_s", "rmdir_s")}
    assert {name: 13 for name in sums} == sums | {"write_s": 13}
    assert sums["write_s"] >= 13
    assert sum(row["open_s"] for row in tool.rows) >= 13


def test_vfsstat_text():
    needs("fentry:vfs_read")
    with Tool("vfsstat", 1, 2, json=False, ends=True) as tool:
        pass
    assert tool.text.splitlines()[0].split() == [
        "TIME", "READ/s", "WRITE/s", "FSYNC/s", "OPEN/s", "CREATE/s", "UNLINK/s", "MKDIR/s",
        "RMDIR/s"]
    assert len(tool.text.splitlines()) == 3
