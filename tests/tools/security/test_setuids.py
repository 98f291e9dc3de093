"""setuids: the calls that change a process's user, asked for and got."""

import os
import subprocess
import sys

from toolbox import Tool

PROGRAM = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.setfsuid(7)
os.setreuid(-1, 3)
os.seteuid(0)
os.setresuid(1, 2, 3)
os.setuid(3)
try:
    os.setuid(0)
except PermissionError:
    pass
"""


def rows_of(*options, **how):
    with Tool("setuids", *options, **how) as tool:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM])
        process.wait()
    return tool, process.pid


def test_all():
    tool, pid = rows_of()
    rows = [(row["uid"], row["syscall"], row["ruid"], row["euid"], row["suid"], row["ret"])
            for row in tool.rows if row["pid"] == pid]
    assert rows == [
        (0, "setfsuid", 7, 7, 7, 0),
        (0, "setreuid", -1, 3, -1, 0),
        (0, "setresuid", -1, 0, -1, 0),
        (0, "setresuid", 1, 2, 3, 0),
        (1, "setuid", 3, 3, 3, 0),
        (1, "setuid", 0, 0, 0, -1)]


def test_only_failed():
    tool, pid = rows_of("-x")
    assert [row["ruid"] for row in tool.rows if row["pid"] == pid] == [0]
    tool, pid = rows_of("-u", os.getuid() + 12345)
    assert not [row for row in tool.rows if row["pid"] == pid]


def test_text():
    tool, pid = rows_of(json=False)
    assert tool.text.split("\n")[0].split() == [
        "TIME", "PID", "COMM", "UID", "SYSCALL", "RUID", "EUID", "SUID", "RET"]
    assert [row["RET"] for row in tool.table if row["PID"] == str(pid)][-1] == "-1"
