"""filelife: how long files lived."""

import os
import time

from toolbox import Tool, needs


def test_age(tmp_path):
    needs("fentry:vfs_unlink")
    (tmp_path / "old").write_text("x")
    with Tool("filelife", "-p", os.getpid()) as tool:
        for i in range(3):
            (tmp_path / f"new{i}").write_text("x")
        (tmp_path / "stays").write_text("x")
        time.sleep(1.5)
        for name in ("old", "new0", "new1", "new2"):
            os.unlink(tmp_path / name)
    assert [row["file"] for row in tool.rows] == ["new0", "new1", "new2"]
    assert all(1.5 <= row["age_s"] < 30 for row in tool.rows)
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_another_process_and_text(tmp_path):
    needs("fentry:vfs_unlink")
    with Tool("filelife", "-p", os.getppid()) as tool:
        (tmp_path / "new").write_text("x")
        os.unlink(tmp_path / "new")
    assert not tool.rows
    with Tool("filelife", "-p", os.getpid(), json=False) as tool:
        (tmp_path / "new").write_text("x")
        os.unlink(tmp_path / "new")
    assert tool.text.splitlines()[0].split() == ["TIME", "PID", "COMM", "AGE(s)", "FILE"]
    assert tool.table[0]["FILE"] == "new"
