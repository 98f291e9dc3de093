"""syncsnoop: each call that has data written, with the file."""

import ctypes
import mmap
import os

from toolbox import Tool

LIBC = ctypes.CDLL(None, use_errno=True)


def sync_all(path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, 8192)
    os.fsync(fd)
    os.fdatasync(fd)
    LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 2)
    LIBC.syncfs(fd)
    with mmap.mmap(fd, 8192) as memory:
        memory.flush()
    os.close(fd)


def test_every_call(tmp_path):
    with Tool("syncsnoop", "-d", "-p", os.getpid()) as tool:
        sync_all(tmp_path / "file")
    assert [(row["call"], row["filename"]) for row in tool.rows] == [
        ("fsync", "file"), ("fdatasync", "file"), ("sync_file_range", "file"),
        ("syncfs", "file"), ("msync", "")]
    assert all(row["lat_ms"] >= 0 and row["pid"] == os.getpid() for row in tool.rows)


def test_another_process_and_text(tmp_path):
    with Tool("syncsnoop", "-p", os.getppid()) as tool:
        sync_all(tmp_path / "file")
    assert not tool.rows
    with Tool("syncsnoop", "-p", os.getpid(), json=False) as tool:
        sync_all(tmp_path / "file")
    assert tool.text.splitlines()[0].split() == ["TIME", "PID", "COMM", "CALL", "FILENAME"]
    assert tool.table[0]["CALL"] == "fsync"
