"""filegone: what is removed and renamed, and nothing that failed to be."""

import os

from toolbox import Tool


def work(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()
    os.unlink(tmp_path / "a")
    os.rename(tmp_path / "b", tmp_path / "new")
    os.rmdir(tmp_path / "folder")
    at = os.open(tmp_path, os.O_RDONLY)
    os.unlink("c", dir_fd=at)
    os.rename("new", "newer", src_dir_fd=at, dst_dir_fd=at)
    os.close(at)
    try:
        os.unlink(tmp_path / "nosuch")
    except FileNotFoundError:
        pass


def test_removed_and_renamed(tmp_path):
    with Tool("filegone", "-p", os.getpid()) as tool:
        work(tmp_path)
    assert [(row["action"], row["file"], row["to"]) for row in tool.rows] == [
        ("DELETE", str(tmp_path / "a"), ""),
        ("RENAME", str(tmp_path / "b"), str(tmp_path / "new")),
        ("DELETE", str(tmp_path / "folder"), ""),
        ("DELETE", "c", ""),
        ("RENAME", "new", "newer")]


def test_another_process_and_text(tmp_path):
    with Tool("filegone", "-p", os.getppid()) as tool:
        work(tmp_path)
    assert not tool.rows
    (tmp_path / "x").write_text("x")
    with Tool("filegone", "-p", os.getpid(), json=False) as tool:
        os.unlink(tmp_path / "x")
    heading, line = tool.text.splitlines()
    assert heading.split() == ["TIME", "PID", "COMM", "ACTION", "FILE", "TO"]
    assert line.split()[-2:] == ["DELETE", str(tmp_path / "x")]
