"""opensnoop: every open of a workload is there, once, with what it came to."""

import ctypes
import errno
import os
import subprocess
import sys

from toolbox import Tool

OPENAT2 = 437  # on every architecture
LIBC = ctypes.CDLL(None, use_errno=True)


def of_this(tool, under):
    return [row for row in tool.rows if row["path"].startswith(str(under))]


def test_opens_and_failures(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("x")
    with Tool("opensnoop", "-p", os.getpid()) as tool:
        fds = [os.open(good, os.O_RDONLY) for _ in range(5)]
        for _ in range(3):
            try:
                os.open(bad, os.O_RDONLY)
            except FileNotFoundError:
                pass
        for fd in fds:
            os.close(fd)
    rows = of_this(tool, tmp_path)
    assert [row["fd"] for row in rows] == [*fds, -1, -1, -1]
    assert [row["err"] for row in rows] == [0] * 5 + [errno.ENOENT] * 3
    assert {row["path"] for row in rows[:5]} == {str(good)}
    assert {row["pid"] for row in rows} == {os.getpid()}


def test_only_failed_and_only_that_name(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("x")
    with Tool("opensnoop", "-x", "-n", "cat") as tool:
        subprocess.run(["cat", good, bad], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False)
        subprocess.run(["head", good, bad], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False)
    assert [row["path"] for row in of_this(tool, tmp_path)] == [str(bad)]
    assert {row["comm"] for row in tool.rows} == {"cat"}
    assert all(row["err"] > 0 for row in tool.rows)


def test_every_system_call_that_opens(tmp_path):
    path = str(tmp_path / "file").encode()
    how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_RDWR, 0o600, 0)
    with Tool("opensnoop", "-e", "-p", os.getpid()) as tool:
        fds = [LIBC.creat(path, 0o600),
               LIBC.syscall(OPENAT2, -100, path, ctypes.byref(how), 24),
               os.open(path, os.O_RDONLY)]
        for fd in fds:
            os.close(fd)
    rows = of_this(tool, tmp_path)
    assert [row["fd"] for row in rows] == fds
    flags = [int(row["flags"], 8) for row in rows]
    assert [flag & 0o3777 for flag in flags] == [
        os.O_CREAT | os.O_WRONLY | os.O_TRUNC, os.O_CREAT | os.O_RDWR, os.O_RDONLY]


def test_many_threads_at_once(tmp_path):
    (tmp_path / "x").write_text("x")
    program = """
import os, sys, threading
def work():
    for _ in range(250):
        os.close(os.open(sys.argv[1], os.O_RDONLY))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    with Tool("opensnoop") as tool:
        subprocess.run([sys.executable, "-c", program, tmp_path / "x"], check=True)
    assert len(of_this(tool, tmp_path)) == 1000
    assert "lost" not in tool.errors


def test_text(tmp_path):
    (tmp_path / "a b").write_text("x")
    with Tool("opensnoop", "-p", os.getpid(), json=False) as tool:
        os.close(os.open(tmp_path / "a b", os.O_RDONLY))
    assert tool.text.splitlines()[0].split() == ["PID", "COMM", "FD", "ERR", "PATH"]
    row, = (row for row in tool.table if row["PATH"] == str(tmp_path / "a b"))
    assert row["PID"] == str(os.getpid())
    assert row["ERR"] == "0"


def test_time_and_user(tmp_path):
    (tmp_path / "x").write_text("x")
    with Tool("opensnoop", "-T", "-U", "-u", os.getuid()) as tool:
        subprocess.run(["cat", tmp_path / "x"], stdout=subprocess.DEVNULL, check=True)
    row, = of_this(tool, tmp_path)
    assert row["uid"] == os.getuid()
    hours, minutes, seconds = map(int, row["time"].split(":"))
    assert hours < 24 and minutes < 60 and seconds <= 60
